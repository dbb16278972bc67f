#include "common/config/values.h"

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("durations") {
  CHECK(ParseDuration("5s").value() == absl::Seconds(5));
  CHECK(ParseDuration("500ms").value() == absl::Milliseconds(500));
  CHECK(ParseDuration("1m30s").value() == absl::Seconds(90));
  CHECK(ParseDuration("1.5h").value() == absl::Minutes(90));
  CHECK(ParseDuration("0").value() == absl::ZeroDuration());
  for (const char* text : {"", "5", "5 s", "5x", "-1s", "inf", "s", "5s,"}) {
    INFO(text);
    CHECK_FALSE(ParseDuration(text).ok());
  }
}

TEST_CASE("byte sizes") {
  CHECK(ParseByteSize("0").value() == 0);
  CHECK(ParseByteSize("1048576").value() == 1048576);
  CHECK(ParseByteSize("1KiB").value() == 1024);
  CHECK(ParseByteSize("64MiB").value() == uint64_t{64} << 20);
  CHECK(ParseByteSize("3GiB").value() == uint64_t{3} << 30);
  CHECK(ParseByteSize("2TiB").value() == uint64_t{2} << 40);
  CHECK(ParseByteSize("16777215TiB").value() == uint64_t{16777215} << 40);
  for (const char* text :
       {"", "MiB", "64MB", "64M", "64 MiB", "-1", "1.5MiB", "16777216TiB", "18446744073709551616", "+1"}) {
    INFO(text);
    CHECK_FALSE(ParseByteSize(text).ok());
  }
}

TEST_CASE("byte sizes are written in the largest exact unit") {
  CHECK(FormatByteSize(0) == "0");
  CHECK(FormatByteSize(1023) == "1023");
  CHECK(FormatByteSize(1024) == "1KiB");
  CHECK(FormatByteSize(uint64_t{64} << 20) == "64MiB");
  CHECK(FormatByteSize((uint64_t{1} << 30) + 1024) == "1048577KiB");
}

TEST_CASE("integers and switches") {
  CHECK(ParseInteger("0").value() == 0);
  CHECK(ParseInteger("18446744073709551615").value() == UINT64_MAX);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x10", "1e3", "18446744073709551616"}) {
    INFO(text);
    CHECK_FALSE(ParseInteger(text).ok());
  }
  CHECK(ParseBool("true").value());
  CHECK_FALSE(ParseBool("false").value());
  for (const char* text : {"", "1", "yes", "True"}) {
    INFO(text);
    CHECK_FALSE(ParseBool(text).ok());
  }
}

}  // namespace
}  // namespace kvs
