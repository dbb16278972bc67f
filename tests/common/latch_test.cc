#include "common/latch.h"

#include <memory>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("a latch opens at the last count and stays open") {
  Latch latch(2);
  latch.CountDown();
  CHECK_FALSE(latch.IsOpen());
  CHECK_FALSE(latch.WaitFor(absl::Milliseconds(1)));
  latch.CountDown();
  CHECK(latch.IsOpen());
  latch.CountDown();
  latch.Wait();
  CHECK(latch.WaitFor(absl::ZeroDuration()));
}

TEST_CASE("a latch lets everyone who waits go on, and shows them what was done before") {
  std::vector<int> seen(4);
  int written = 0;
  Latch latch;
  std::vector<std::thread> waiting;
  for (int& one : seen) {
    waiting.emplace_back([&] {
      latch.Wait();
      one = written;
    });
  }
  written = 42;
  latch.CountDown();
  for (std::thread& thread : waiting) thread.join();
  CHECK(seen == std::vector<int>(4, 42));
}

TEST_CASE("a latch may be destroyed as soon as its wait is over") {
  for (int round = 0; round < 1000; ++round) {
    auto latch = std::make_unique<Latch>();
    std::thread thread([held = latch.get()] { held->CountDown(); });
    latch->Wait();
    latch.reset();
    thread.join();
  }
}

}  // namespace
}  // namespace kvs
