#include "common/hex.h"

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("hexadecimal digits of either case become bytes") {
  CHECK(BytesOfHex("") == "");
  CHECK(BytesOfHex("00ff7F80aB") == std::string("\x00\xff\x7f\x80\xab", 5));
}

TEST_CASE("what is not pairs of hexadecimal digits is nothing") {
  for (const char* text : {"0", "abc", "0g", "g0", "0x", " 0", "-1", "0/", "0:", "@0", "`0"}) {
    INFO(text);
    CHECK_FALSE(BytesOfHex(text).has_value());
  }
}

}  // namespace
}  // namespace kvs
