#include "common/model/string_value.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("a string value has the bytes that it was given, whatever they are") {
  const std::string samples[] = {"", "a", std::string("a\0b", 3), std::string(7, 'x'), std::string(1 << 20, 'y')};
  for (const std::string& sample : samples) {
    const StringValue value = sample;
    CHECK(value == sample);
    CHECK(value.size() == sample.size());
    CHECK(value.empty() == sample.empty());
  }
  CHECK(StringValue() == "");
  CHECK(StringValue().view().data() != nullptr);
}

TEST_CASE("copies of a string value stand alone, and what was moved from can be used again") {
  StringValue first = "first";
  StringValue copy = first;
  copy.Append("!");
  CHECK(first == "first");
  CHECK(copy == "first!");
  first = copy;
  copy = "other";
  CHECK(first == "first!");
  const StringValue moved = std::move(first);
  CHECK(moved == "first!");
  first = "again";
  CHECK(first == "again");
  StringValue& same = copy;
  copy = same;
  CHECK(copy == "other");
}

TEST_CASE("a string value that is assigned or grows piece by piece keeps what it should") {
  StringValue value;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string piece(static_cast<size_t>(i % 50), static_cast<char>('a' + i % 26));
    if (i % 700 == 699) {
      value.Assign(piece);
      expected = piece;
    } else {
      value.Append(piece);
      expected += piece;
    }
    REQUIRE(value == expected);
  }
}

TEST_CASE("a string value is overwritten in place by one that takes the same memory, and by no other") {
  StringValue value = std::string(30, 'a');
  const void* const block = value.block();
  value.Assign(std::string(43, 'b'));
  value.Append("b");
  CHECK(value.block() == block);
  CHECK(value == std::string(44, 'b'));
  value.Assign("");
  CHECK(value.block() == nullptr);
  // What a long one took is not kept for a short one.
  value = std::string(100000, 'c');
  const void* const large = value.block();
  value.Assign("c");
  CHECK(value.block() != large);
  CHECK(StringValue::HeapBytes(1) == 16);
  value.Append(std::string(8, 'd'));
  CHECK(value == "cdddddddd");
}

}  // namespace
}  // namespace kvs
