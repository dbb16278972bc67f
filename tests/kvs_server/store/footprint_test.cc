#include "kvs_server/store/footprint.h"

#include <random>
#include <string>
#include <vector>

#include "common/model/fold.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

// Applies operations to a value, and compares what it takes with what was foretold.
template <class T>
class Checked {
 public:
  void Do(const Operation& operation) {
    const size_t expected = HeapBytesAfter(exists_ ? &value_ : nullptr, operation);
    REQUIRE(Fold(value_, operation).ok());
    exists_ = true;
    REQUIRE(HeapBytesOf(value_) == expected);
  }
  const T& value() const { return value_; }

 private:
  T value_{};
  bool exists_ = false;
};

class Random {
 public:
  Random() : seed_(TestSeed()), random_(seed_) {}

  unsigned seed() const { return seed_; }
  size_t Below(size_t bound) { return random_() % bound; }
  // Short ones, which meet again, and long ones.
  std::string Text() {
    return std::string(Below(2) == 0 ? Below(4) : 10 + Below(60), static_cast<char>('a' + Below(26)));
  }

 private:
  const unsigned seed_;
  std::mt19937 random_;
};

TEST_CASE("numbers take nothing but their keys") {
  CHECK(HeapBytesAfter<int64_t>(nullptr, operation::Put{int64_t{7}}) == 0);
  CHECK(HeapBytesAfter<uint64_t>(nullptr, operation::UintIncrement{1, false, 1}) == 0);
  CHECK(HeapBytesAfter<double>(nullptr, operation::FloatIncrement{1, 1}) == 0);
}

TEST_CASE("a longer key, a larger value and an expiry take more") {
  const size_t small = Footprint<int64_t>(1, 0, false);
  CHECK(Footprint<int64_t>(1024, 0, false) >= small + 1000);
  CHECK(Footprint<int64_t>(1, 100, false) == small + 100);
  CHECK(Footprint<int64_t>(1, 0, true) == small + kExpiryBytes);
  CHECK(Footprint<MapValue>(1, 0, false) > small);
}

TEST_CASE("short texts live in the string itself") {
  CHECK(TextHeapBytes(0) == 0);
  CHECK(TextHeapBytes(15) == 0);
  CHECK(TextHeapBytes(16) == 32);
  CHECK(TextHeapBytes(1000) == 1024);
}

TEST_CASE("what a string takes after an operation is known before") {
  Random random;
  INFO("KVS_SEED=" << random.seed());
  Checked<StringValue> checked;
  for (int i = 0; i < 500; ++i) {
    const std::string text = random.Text();
    if (random.Below(5) == 0) {
      checked.Do(operation::Put{absl::string_view(text)});
    } else if (random.Below(5) == 0) {
      checked.Do(operation::SetExpiry{});
    } else {
      checked.Do(operation::Append{text});
    }
  }
}

TEST_CASE("what a set takes after an operation is known before") {
  Random random;
  INFO("KVS_SEED=" << random.seed());
  Checked<SetValue> checked;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random.Text();
    if (random.Below(50) == 0) {
      checked.Do(operation::Put{Texts{"a", text + "b"}});
    } else if (checked.value().Contains(text)) {
      checked.Do(operation::RemoveMembers{{text}});
    } else {
      checked.Do(operation::AddMembers{{text}});
    }
  }
}

TEST_CASE("what a map takes after an operation is known before") {
  Random random;
  INFO("KVS_SEED=" << random.seed());
  Checked<MapValue> checked;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = random.Text();
    const std::string value = random.Text();
    if (random.Below(50) == 0) {
      checked.Do(operation::Put{Fields{{"a", value}, {name + "b", value}}});
    } else if (checked.value().Find(name) && random.Below(2) == 0) {
      checked.Do(operation::RemoveFields{{name}});
    } else {
      checked.Do(operation::PutFields{{{name, value}}});
    }
  }
}

}  // namespace
}  // namespace kvs::server
