#include "kvs_server/store/hash_index.h"

#include <cstdint>
#include <initializer_list>
#include <random>
#include <unordered_map>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

// Entries with hashes of their own, in an index and in a reference.
class IndexedNumbers {
 public:
  explicit IndexedNumbers(size_t hashes) : hashes_(hashes), numbers_(2000) {
    for (uint64_t i = 0; i < numbers_.size(); ++i) numbers_[i] = i;
  }

  size_t HashOf(uint64_t number) const { return number * 0x9E3779B97F4A7C15 % hashes_; }
  bool Has(uint64_t number) const {
    return index_.Find(HashOf(number), [number](uint64_t found) { return found == number; }) != nullptr;
  }
  void Toggle(size_t i) {
    if (Has(i)) {
      index_.Erase(HashOf(i), &numbers_[i]);
      present_.erase(i);
    } else {
      index_.Insert(HashOf(i), &numbers_[i]);
      present_[i] = true;
    }
  }
  void Check() const {
    REQUIRE(index_.size() == present_.size());
    for (const uint64_t number : numbers_) REQUIRE(Has(number) == present_.contains(number));
    size_t count = 0;
    index_.ForEach([&](uint64_t number) { count += present_.contains(number); });
    REQUIRE(count == present_.size());
  }

 private:
  const size_t hashes_;
  std::vector<uint64_t> numbers_;
  std::unordered_map<uint64_t, bool> present_;
  HashIndex<uint64_t> index_;
};

TEST_CASE("a hash index finds what it has, and nothing else, after any changes") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  // Few hashes make runs of slots that wrap around the end.
  for (const size_t hashes : {~size_t{0}, size_t{1000}, size_t{13}, size_t{1}}) {
    IndexedNumbers numbers(hashes);
    const size_t many = hashes < 1000 ? 100 : 2000;
    for (int i = 0; i < 20'000; ++i) {
      numbers.Toggle(random() % many);
      if (i % 2000 == 0) numbers.Check();
    }
    numbers.Check();
  }
}

TEST_CASE("what was put behind its place by one that goes is found all the same, also around the end") {
  HashIndex<int> index;
  int entries[] = {0, 1, 2};
  // Of the four slots there are at first, all three want the last one.
  for (int& entry : entries) index.Insert(3, &entry);
  const auto has = [&index](int number) { return index.Find(3, [number](int i) { return i == number; }) != nullptr; };
  index.Erase(3, &entries[0]);
  CHECK_FALSE(has(0));
  CHECK(has(1));
  CHECK(has(2));
  index.Erase(3, &entries[2]);
  CHECK(has(1));
  CHECK(index.size() == 1);
}

TEST_CASE("an index that was cleared is as a new one") {
  HashIndex<int> index;
  int entry = 1;
  index.Prefetch(7);
  index.Insert(7, &entry);
  index.Prefetch(7);
  index.Clear();
  CHECK(index.size() == 0);
  CHECK(index.Find(7, [](int) { return true; }) == nullptr);
  int samples = 0;
  index.Sample(10, [&samples](int, size_t) { ++samples; });
  CHECK(samples == 0);
}

}  // namespace
}  // namespace kvs::server
