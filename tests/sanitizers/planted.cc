// Mistakes made on purpose: a build with sanitizers must report them, which shows that its options, its suppressions
// and what it is told about libraries hide nothing of ours. Usage: planted MISTAKE
#include <grpcpp/completion_queue.h>
#include <openssl/bio.h>

#include <atomic>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <thread>

#include "common/rpc/event_loop.h"

namespace {

int shared_counter = 0;
char shared_text[64] = "text";

// Orders what two threads do in time alone, without a happens-before edge.
std::atomic<bool> first_done{false};
void AwaitFirst() {
  while (!first_done.load(std::memory_order_relaxed)) std::this_thread::yield();
}

// Keeps the compiler from seeing what the sanitizer is to find.
const int* volatile freed = nullptr;

void Race() {
  std::thread first([] { ++shared_counter; });
  std::thread second([] { ++shared_counter; });
  first.join();
  second.join();
}

// Both threads poll completion queues of gRPC.
void RaceOfEventLoops() {
  kvs::rpc::EventLoop first(std::make_unique<grpc::CompletionQueue>());
  kvs::rpc::EventLoop second(std::make_unique<grpc::CompletionQueue>());
  std::atomic<int> running{0};
  for (kvs::rpc::EventLoop* loop : {&first, &second}) {
    loop->Start();
    loop->Post([&running] {
      running.fetch_add(1, std::memory_order_relaxed);
      while (running.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
      ++shared_counter;
    });
  }
  first.Stop();
  second.Stop();
}

// What a library reads for one thread, another one writes.
void RaceInOpenSsl() {
  std::thread first([] {
    BIO* bio = BIO_new(BIO_s_mem());
    BIO_write(bio, shared_text, sizeof(shared_text));
    BIO_free(bio);
    first_done.store(true, std::memory_order_relaxed);
  });
  AwaitFirst();
  shared_text[0] = 'T';
  first.join();
}

void UseAfterFree() {
  auto owner = std::make_unique<int>(1);
  freed = owner.get();
  owner.reset();
  std::printf("%d\n", *freed);
}

void Leak() {
  auto* lost = new std::string(1000, 'x');
  std::printf("%zu\n", lost->size());
}

void Overflow() {
  volatile int number = std::numeric_limits<int>::max();
  number = number + 1;
}

constexpr struct {
  const char* name;
  void (*make)();
} kMistakes[] = {
    {"race", Race},
    {"race-of-event-loops", RaceOfEventLoops},
    {"race-in-openssl", RaceInOpenSsl},
    {"use-after-free", UseAfterFree},
    {"leak", Leak},
    {"overflow", Overflow},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc == 2 ? argv[1] : "";
  for (const auto& mistake : kMistakes) {
    if (name != mistake.name) continue;
    mistake.make();
    return 0;
  }
  return 2;
}
