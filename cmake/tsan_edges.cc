// What ThreadSanitizer must be told, in every program of a build with it: the Linux distributions compile Abseil, gRPC
// and OpenSSL without it, so that it does not see how they hand data from one thread to another, and takes that for
// races. Here the functions by which they do it are defined once more, as the function of the library with the
// happens-before edge that it makes. The program's definition is found first, also by the libraries among themselves.
#include <absl/base/config.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sanitizer/tsan_interface.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

// Of the sanitizer's run-time library, which declares them nowhere.
extern "C" {
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}

struct grpc_cq_completion;

namespace {

#define KVS_QUOTE_EXPANDED(x) #x
#define KVS_QUOTE(x) KVS_QUOTE_EXPANDED(x)
constexpr char kAbslNamespace[] = KVS_QUOTE(ABSL_OPTION_INLINE_NAMESPACE_NAME);

// A function of a library that this program defines as well.
template <class Function>
class Original;

template <class Result, class... Arguments>
class Original<Result(Arguments...)> {
 public:
  // The symbol's name in two parts: between them stands Abseil's namespace of the version, where `tail` is not null.
  explicit constexpr Original(const char* head, const char* tail = nullptr) : head_(head), tail_(tail) {}

  Result operator()(Arguments... arguments) { return Get()(std::forward<Arguments>(arguments)...); }

 private:
  using Function = Result (*)(Arguments...);

  Function Get() {
    Function function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = Find();
      function_.store(function, std::memory_order_relaxed);
    }
    return function;
  }
  Function Find() const {
    const int errno_before = errno;  // which gRPC may still read
    char name[256];
    if (tail_ == nullptr) {
      std::snprintf(name, sizeof(name), "%s", head_);
    } else {
      std::snprintf(name, sizeof(name), "%s%zu%s%s", head_, std::strlen(kAbslNamespace), kAbslNamespace, tail_);
    }
    void* const found = dlsym(RTLD_NEXT, name);
    if (found == nullptr) {
      std::fprintf(stderr, "ThreadSanitizer is not told what it must know: no library has %s\n", name);
      std::abort();
    }
    errno = errno_before;
    return reinterpret_cast<Function>(found);
  }

  const char* const head_;
  const char* const tail_;
  std::atomic<Function> function_{nullptr};
};

}  // namespace

// Abseil's mutex, by which gRPC guards most of what its threads share.

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static constinit Original<void(Mutex*)> original("_ZN4absl", "5Mutex4LockEv");
  original(this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static constinit Original<bool(Mutex*)> original("_ZN4absl", "5Mutex7TryLockEv");
  const bool locked = original(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static constinit Original<void(Mutex*)> original("_ZN4absl", "5Mutex6UnlockEv");
  __tsan_release(this);
  original(this);
}

void Mutex::ReaderLock() {
  static constinit Original<void(Mutex*)> original("_ZN4absl", "5Mutex10ReaderLockEv");
  original(this);
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  static constinit Original<void(Mutex*)> original("_ZN4absl", "5Mutex12ReaderUnlockEv");
  __tsan_release(this);
  original(this);
}

bool CondVar::WaitCommon(Mutex* mutex, synchronization_internal::KernelTimeout timeout) {
  static constinit Original<bool(CondVar*, Mutex*, synchronization_internal::KernelTimeout)> original(
      "_ZN4absl", "7CondVar10WaitCommonEPNS0_5MutexENS0_24synchronization_internal13KernelTimeoutE");
  __tsan_release(mutex);
  const bool timed_out = original(this, mutex, timeout);
  __tsan_acquire(mutex);
  return timed_out;
}

ABSL_NAMESPACE_END
}  // namespace absl

// gRPC's completion queues, which are lock-free: what happens before an operation starts, and what gRPC does for it on
// any thread, happens before its tag is handed out.

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag, void* reserved) {
  static constinit Original<decltype(grpc_call_start_batch)> original("grpc_call_start_batch");
  __tsan_release(tag);
  return original(call, ops, count, tag, reserved);
}

void grpc_cq_end_op(grpc_completion_queue* queue, void* tag, absl::Status error,
                    void (*done)(void*, grpc_cq_completion*), void* argument, grpc_cq_completion* storage,
                    bool internal) {
  static constinit Original<decltype(grpc_cq_end_op)> original("_Z14grpc_cq_end_opP21grpc_completion_queuePvN4absl",
                                                               "6StatusEPFvS1_P18grpc_cq_completionES1_S6_b");
  __tsan_release(tag);
  original(queue, tag, std::move(error), done, argument, storage, internal);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static constinit Original<decltype(grpc_completion_queue_next)> original("grpc_completion_queue_next");
  const grpc_event event = original(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  static constinit Original<decltype(grpc_completion_queue_pluck)> original("grpc_completion_queue_pluck");
  const grpc_event event = original(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

// gRPC and OpenSSL count the references to their objects with atomic numbers: who makes a block or frees it may do so.

namespace {

class IgnoreWrites {
 public:
  IgnoreWrites() { AnnotateIgnoreWritesBegin(__FILE__, __LINE__); }
  ~IgnoreWrites() { AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
  IgnoreWrites(const IgnoreWrites&) = delete;
  IgnoreWrites& operator=(const IgnoreWrites&) = delete;
};

void* AllocateForOpenSsl(size_t size, const char*, int) {
  const IgnoreWrites ignore;
  return std::malloc(size);
}

void* ReallocateForOpenSsl(void* block, size_t size, const char*, int) {
  const IgnoreWrites ignore;
  return std::realloc(block, size);
}

void FreeForOpenSsl(void* block, const char*, int) {
  const IgnoreWrites ignore;
  std::free(block);
}

bool IsOfThisMachine(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == htonl(INADDR_LOOPBACK);
  }
  if (address.sa_family != AF_INET6) return false;
  const in6_addr& ipv6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&ipv6) || (IN6_IS_ADDR_V4MAPPED(&ipv6) && ipv6.s6_addr32[3] == htonl(INADDR_LOOPBACK));
}

// Before OpenSSL allocates anything, after which it does not take them.
__attribute__((constructor)) void TellOpenSsl() {
  if (CRYPTO_set_mem_functions(AllocateForOpenSsl, ReallocateForOpenSsl, FreeForOpenSsl) != 1) std::abort();
}

}  // namespace

// gRPC reads errno once more after calls that may have changed it, and then takes a connection that is being made for
// one that was refused. To this machine a connection is made within no time, so wait for it.
int connect(int fd, const sockaddr* address, socklen_t length) {
  static constinit Original<decltype(connect)> original("connect");
  const int result = original(fd, address, length);
  const bool is_being_made = result < 0 && errno == EINPROGRESS;
  if (!is_being_made || !IsOfThisMachine(*address)) return result;
  constexpr int kLongestWaitMillis = 1000;
  pollfd made{fd, POLLOUT, 0};
  const bool is_made = poll(&made, 1, kLongestWaitMillis) == 1 && (made.revents & (POLLERR | POLLHUP)) == 0;
  // Why it was not, gRPC finds out as it always does.
  errno = is_made ? 0 : EINPROGRESS;
  return is_made ? 0 : -1;
}

// What gRPC has received it hands over inside of itself, out of one buffer for several messages: as it comes, and as it
// was decrypted.
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static constinit Original<decltype(recvmsg)> original("recvmsg");
  const IgnoreWrites ignore;
  return original(fd, message, flags);
}

int SSL_read(SSL* ssl, void* buffer, int size) {
  static constinit Original<decltype(SSL_read)> original("SSL_read");
  const IgnoreWrites ignore;
  return original(ssl, buffer, size);
}

// OpenSSL's objects have locks in them, which go with the last reference. Nothing of ours is such a lock.
int pthread_rwlock_destroy(pthread_rwlock_t* lock) {
  static constinit Original<decltype(pthread_rwlock_destroy)> original("pthread_rwlock_destroy");
  const IgnoreWrites ignore;
  return original(lock);
}

void* gpr_malloc(size_t size) {
  static constinit Original<decltype(gpr_malloc)> original("gpr_malloc");
  const IgnoreWrites ignore;
  return original(size);
}

void* gpr_zalloc(size_t size) {
  static constinit Original<decltype(gpr_zalloc)> original("gpr_zalloc");
  const IgnoreWrites ignore;
  return original(size);
}

void* gpr_realloc(void* block, size_t size) {
  static constinit Original<decltype(gpr_realloc)> original("gpr_realloc");
  const IgnoreWrites ignore;
  return original(block, size);
}

void gpr_free(void* block) {
  static constinit Original<decltype(gpr_free)> original("gpr_free");
  const IgnoreWrites ignore;
  original(block);
}
