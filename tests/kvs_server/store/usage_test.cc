#include "kvs_server/store/usage.h"

#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace kvs::server {
namespace {

TEST_CASE("what there is adds up over the types") {
  Usage usage({});
  usage.Add(ValueType::kInt, {2, 100});
  usage.Add(ValueType::kMap, {1, 50});
  usage.Add(ValueType::kInt, {-1, -40});
  CHECK(usage.of(ValueType::kInt) == Size{1, 60});
  CHECK(usage.of(ValueType::kMap) == Size{1, 50});
  CHECK(usage.of(ValueType::kSet) == Size());
  CHECK(usage.total() == Size{2, 110});
  usage.Clear();
  CHECK(usage.total() == Size());
}

TEST_CASE("without limits there is room for everything") {
  Usage usage({});
  CHECK_FALSE(usage.limits().exist());
  CHECK(usage.Reserve({1'000'000'000, int64_t{1} << 60}));
}

TEST_CASE("there is room up to the limit and not beyond") {
  Usage usage({.max_memory_bytes = 1000, .max_keys = 10});
  usage.Add(ValueType::kString, {9, 900});
  CHECK_FALSE(usage.HasRoomFor({1, 101}));
  CHECK_FALSE(usage.Reserve({1, 101}));
  CHECK_FALSE(usage.Reserve({2, 1}));
  CHECK(usage.HasRoomFor({1, 100}));
  CHECK(usage.Reserve({1, 100}));
  // What is taken is not there for others, until it is given back.
  CHECK_FALSE(usage.Reserve({0, 1}));
  CHECK_FALSE(usage.Reserve({1, 0}));
  usage.Release({1, 100});
  CHECK(usage.Reserve({1, 100}));
}

TEST_CASE("whatever does not grow needs no room, and makes none before it has happened") {
  Usage usage({.max_memory_bytes = 1000, .max_keys = 10});
  usage.Add(ValueType::kString, {20, 2000});
  CHECK(usage.Reserve({0, 0}));
  CHECK(usage.Reserve({-1, -100}));
  CHECK(usage.Reserve({0, -1}));
  CHECK_FALSE(usage.Reserve({0, 1}));
  CHECK_FALSE(usage.Reserve({1, 0}));
  usage.Add(ValueType::kString, {-20, -2000});
  CHECK_FALSE(usage.Reserve({0, 1001}));
  CHECK(usage.Reserve({10, 1000}));
}

TEST_CASE("threads that add at the same time never get past the limit") {
  Usage usage({.max_memory_bytes = 100'000, .max_keys = 1000});
  std::atomic<int64_t> added{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (const ValueType type : {ValueType::kInt, ValueType::kUint, ValueType::kSet, ValueType::kMap}) {
    threads.emplace_back([&, type] {
      for (int i = 0; i < 1000; ++i) {
        if (!usage.Reserve({1, 100})) continue;
        usage.Add(type, {1, 100});
        usage.Release({1, 100});
        ++added;
        if (usage.total().keys > 1000 || usage.total().bytes > 100'000) exceeded = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(exceeded);
  CHECK(usage.total() == Size{added, added * 100});
  // Two that look at the same time may both be refused, but for that all of the room is used.
  CHECK(added > 900);
}

}  // namespace
}  // namespace kvs::server
