#include "common/crc32c.h"

#include <string>

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("CRC-32C has the published check value") { CHECK(Crc32c("123456789") == 0xE3069283u); }

TEST_CASE("CRC-32C of 32 zero bytes is that of RFC 3720") { CHECK(Crc32c(std::string(32, '\0')) == 0x8A9136AAu); }

TEST_CASE("CRC-32C can be taken in parts") {
  const std::string text = "the quick brown fox";
  for (size_t i = 0; i <= text.size(); ++i) {
    const absl::string_view view(text);
    CHECK(ExtendCrc32c(Crc32c(view.substr(0, i)), view.substr(i)) == Crc32c(text));
  }
}

}  // namespace
}  // namespace kvs
