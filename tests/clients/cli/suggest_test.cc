#include "clients/cli/suggest.h"

#include <vector>

#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("the distance counts insertions, deletions, replacements and swaps") {
  CHECK(EditDistance("keys", "keys") == 0);
  CHECK(EditDistance("kys", "keys") == 1);
  CHECK(EditDistance("keeys", "keys") == 1);
  CHECK(EditDistance("kets", "keys") == 1);
  CHECK(EditDistance("ekys", "keys") == 1);
  CHECK(EditDistance("", "keys") == 4);
  CHECK(EditDistance("ca", "abc") == 3);
}

TEST_CASE("the nearest is found if it is near") {
  const std::vector<absl::string_view> names = {"get", "put", "status", "completion"};
  CHECK(Nearest("gte", names) == "get");
  CHECK(Nearest("stauts", names) == "status");
  CHECK(Nearest("complition", names) == "completion");
  CHECK_FALSE(Nearest("visits", names));
  CHECK_FALSE(Nearest("xyz", names));
  CHECK_FALSE(Nearest("", names));
  CHECK_FALSE(Nearest(std::string(1000000, 'x'), names));
}

TEST_CASE("words are quoted as a shell reads them back") {
  CHECK(ShellQuoted("host:1") == "host:1");
  CHECK(ShellQuoted("") == "''");
  CHECK(ShellQuoted("it's") == "'it'\\''s'");
  CHECK(ShellQuoted("$HOME") == "'$HOME'");
  CHECK(ShellQuoted("a\\b") == "'a\\b'");
  CHECK(ShellQuoted("it's\x1b[2J\n\\") == "$'it\\'s\\x1b[2J\\x0a\\\\'");
  CHECK(ShellQuoted("\xc2\x9b"
                    "31m") == "$'\\xc2\\x9b31m'");
  const std::vector<std::string> words = {"put", "string", "a", "hello, world"};
  CHECK(ShellJoined(words) == "put string a 'hello, world'");
}

}  // namespace
}  // namespace kvs::cli
