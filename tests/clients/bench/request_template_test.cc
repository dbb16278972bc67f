#include "clients/bench/request_template.h"

#include <map>
#include <random>
#include <set>
#include <string>

#include "common/rpc/message.h"
#include "kvs/v1/string_store.pb.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::bench {
namespace {

v1::StringStoreMultiPutRequest Example(const KeySpace& keys, int count) {
  v1::StringStoreMultiPutRequest request;
  for (int i = 0; i < count; ++i) {
    request.add_keys(keys.Name(0));
    request.add_values("value");
  }
  return request;
}

v1::StringStoreMultiPutRequest MakeFrom(const RequestTemplate& request, KeyNumbers& numbers) {
  v1::StringStoreMultiPutRequest made;
  REQUIRE(rpc::Parse(request.Make(numbers), &made));
  return made;
}

TEST_CASE("keys have one size, and names of their numbers") {
  const KeySpace keys(1000, 16);
  CHECK(keys.Name(7) == "bench:0000000007");
  CHECK(keys.Name(999) == "bench:0000000999");
  CHECK(KeySpace(10, 16, "key:").Name(3) == "key:000000000003");
  CHECK(KeySpace::LeastSize(1) == 7);
  CHECK(KeySpace::LeastSize(1000) == 9);
  CHECK(KeySpace::LeastSize(1001) == 10);
}

TEST_CASE("each key of a request is replaced, and nothing else") {
  const KeySpace keys(1000, 16);
  const RequestTemplate request(Example(keys, 3), keys);
  CHECK(request.keys() == 3);
  KeyNumbers numbers = KeyNumbers::InTurn(4);
  v1::StringStoreMultiPutRequest expected = Example(keys, 3);
  expected.set_keys(1, keys.Name(1));
  expected.set_keys(2, keys.Name(2));
  CHECK(MakeFrom(request, numbers).SerializeAsString() == expected.SerializeAsString());
  // Digits of the request before are gone, and the numbers begin again at the end.
  expected.set_keys(0, keys.Name(3));
  expected.set_keys(1, keys.Name(0));
  expected.set_keys(2, keys.Name(1));
  CHECK(MakeFrom(request, numbers).SerializeAsString() == expected.SerializeAsString());
}

TEST_CASE("what is appended is what is made") {
  const KeySpace keys(100, 16);
  const RequestTemplate request(Example(keys, 5), keys);
  KeyNumbers numbers = KeyNumbers::Random(100, 7);
  KeyNumbers same_numbers = KeyNumbers::Random(100, 7);
  std::string text = "before";
  request.AppendTo(&text, numbers);
  CHECK(text == "before" + MakeFrom(request, same_numbers).SerializeAsString());
}

TEST_CASE("random keys are drawn uniformly from all of them") {
  KeyNumbers numbers = KeyNumbers::Random(10, TestSeed());
  std::map<uint64_t, int> drawn;
  for (int i = 0; i < 10000; ++i) ++drawn[numbers.Next()];
  REQUIRE(drawn.size() == 10);
  CHECK(drawn.rbegin()->first == 9);
  for (const auto& [number, times] : drawn) {
    INFO(number);
    CHECK(times > 800);
    CHECK(times < 1200);
  }
}

TEST_CASE("distinct keys are different as long as asked for, and are drawn from all of them") {
  for (const uint64_t in_a_row : {1, 7, 50}) {
    KeyNumbers numbers = KeyNumbers::Distinct(50, in_a_row, TestSeed());
    std::set<uint64_t> all;
    for (int i = 0; i < 1000; ++i) {
      std::set<uint64_t> some;
      for (uint64_t j = 0; j < in_a_row; ++j) some.insert(numbers.Next());
      CHECK(some.size() == in_a_row);
      all.insert(some.begin(), some.end());
    }
    CHECK(all.size() == 50);
    CHECK(*all.rbegin() == 49);
  }
}

}  // namespace
}  // namespace kvs::bench
