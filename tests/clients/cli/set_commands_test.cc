#include <algorithm>

#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("the life of a set") {
  PairCli kvs;
  CHECK(kvs.Out({"set", "add", "colors", "red", "blue"}) == "added 2, size 2\n");
  CHECK(kvs.Out({"set", "add", "colors", "red", "-5"}) == "added 1, size 3\n");
  CHECK(kvs.Out({"set", "get", "colors"}) == "-5\nblue\nred\n");
  CHECK(kvs.Out({"set", "list", "colors"}) == "-5\nblue\nred\n");
  CHECK(kvs.Out({"set", "size", "colors"}) == "3\n");
  CHECK(kvs.Out({"set", "contains", "colors", "red"}) == "true\n");
  CHECK(kvs.Out({"set", "remove", "colors", "red", "green"}) == "removed 1, size 2\n");
  const CommandResult no = kvs.Run({"set", "contains", "colors", "red"});
  CHECK(no.status == 1);
  CHECK(no.out == "false\n");
  CHECK(kvs.Out({"set", "put", "colors", "white"}) == "replaced, revision 4\n");
  CHECK(kvs.Out({"set", "get", "colors"}) == "white\n");
  CHECK(kvs.Out({"set", "put", "colors"}) == "replaced, revision 5\n");
  CHECK(kvs.Out({"set", "size", "colors"}) == "0\n");
}

TEST_CASE("an absent set is an error of its own") {
  PairCli kvs;
  for (const char* verb : {"get", "list", "size"}) {
    INFO(verb);
    CHECK_THAT(kvs.Err(1, {"set", verb, "a", "--output", "json"}), ContainsText("KEY_NOT_FOUND"));
  }
  CHECK_THAT(kvs.Err(1, {"set", "contains", "a", "b", "--output", "json"}), ContainsText("KEY_NOT_FOUND"));
}

TEST_CASE("a set of several pages is listed whole, in order") {
  PairCli kvs;
  std::vector<std::string> add = {"set", "add", "large"};
  for (int i = 10000; i < 12500; ++i) add.push_back(std::to_string(i));
  kvs.Out(add);
  std::string expected;
  for (int i = 10000; i < 12500; ++i) expected += std::to_string(i) + "\n";
  CHECK(kvs.Out({"set", "list", "large"}) == expected);
  const std::string json = kvs.Out({"set", "list", "large", "--output", "json"});
  CHECK(std::count(json.begin(), json.end(), '\n') == 3);
}

}  // namespace
}  // namespace kvs::cli
