#include "common/control_characters.h"

#include <string>

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("what somebody wrote stays on its line and commands no terminal") {
  CHECK(WithoutControls("plain, \\ ünïcödé") == "plain, \\ ünïcödé");
  CHECK(WithoutControls("a\nb\tc\x1b[2J\x7f") == "a\\nb\\tc\\x1b[2J\\x7f");
  CHECK(WithoutControls("a\xc2\x9b"
                        "1m\xc2\x85\xc2\xa0\xc2") == "a\\xc2\\x9b1m\\xc2\\x85\xc2\xa0\xc2");
  CHECK(WithoutControls(std::string("\0", 1)) == "\\x00");
}

TEST_CASE("a control character is counted with all its bytes") {
  CHECK(ControlBytes("") == 0);
  CHECK(ControlBytes("a\n") == 0);
  CHECK(ControlBytes("\na") == 1);
  CHECK(ControlBytes("\xc2\x80") == 2);
  CHECK(ControlBytes("\xc2\x9f") == 2);
  CHECK(ControlBytes("\xc2\xa0") == 0);
  CHECK(ControlBytes("\xc2") == 0);
}

}  // namespace
}  // namespace kvs
