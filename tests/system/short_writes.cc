// Preloaded into txn_server (LD_PRELOAD): makes one pwritev write a part of what it should, as every system may. strace
// cannot: what it injects replaces the call.
//
//   KVS_SHORT_WRITE_PATH    of the file
//   KVS_SHORT_WRITE_NUMBER  which call about it, from 1
//   KVS_SHORT_WRITE_KILL    if it is set, whole sectors are written and the process is killed then
//   KVS_SHORT_WRITE_MARK    a file that is made when it has happened
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr size_t kSectorBytes = 512;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsTheOne(int descriptor) {
  static const std::string wanted = Variable("KVS_SHORT_WRITE_PATH");
  static const int number = std::atoi(Variable("KVS_SHORT_WRITE_NUMBER").c_str());
  static std::atomic<int> calls = 0;
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return size > 0 && std::string(path, static_cast<size_t>(size)) == wanted && ++calls == number;
}

// The first half of what the pieces hold.
std::vector<iovec> FirstHalf(const iovec* pieces, int count, bool whole_sectors) {
  size_t left = 0;
  for (int i = 0; i < count; ++i) left += pieces[i].iov_len;
  left /= 2;
  if (whole_sectors) left -= left % kSectorBytes;
  std::vector<iovec> half;
  for (int i = 0; i < count && left > 0; ++i) {
    half.push_back({pieces[i].iov_base, std::min(pieces[i].iov_len, left)});
    left -= half.back().iov_len;
  }
  return half;
}

}  // namespace

extern "C" ssize_t pwritev(int descriptor, const iovec* pieces, int count, off_t offset) {
  static const auto real = reinterpret_cast<decltype(&pwritev)>(dlsym(RTLD_NEXT, "pwritev"));
  if (!IsTheOne(descriptor)) return real(descriptor, pieces, count, offset);
  const bool kills = !Variable("KVS_SHORT_WRITE_KILL").empty();
  const std::vector<iovec> half = FirstHalf(pieces, count, kills);
  if (half.empty()) return real(descriptor, pieces, count, offset);
  const ssize_t written = real(descriptor, half.data(), static_cast<int>(half.size()), offset);
  close(creat(Variable("KVS_SHORT_WRITE_MARK").c_str(), 0600));
  if (kills) kill(getpid(), SIGKILL);
  return written;
}
