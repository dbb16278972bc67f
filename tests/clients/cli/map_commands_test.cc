#include <algorithm>

#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("the life of a map") {
  PairCli kvs;
  CHECK(kvs.Out({"map", "put", "host:1", "city=Oslo", "rack=7"}) == "added 2, size 2\n");
  CHECK(kvs.Out({"map", "put", "host:1", "rack=8", "-u=a=b"}) == "added 1, size 3\n");
  CHECK(kvs.Out({"map", "get", "host:1"}) == "-u=a=b\ncity=Oslo\nrack=8\n");
  CHECK(kvs.Out({"map", "list", "host:1"}) == "-u=a=b\ncity=Oslo\nrack=8\n");
  CHECK(kvs.Out({"map", "get", "host:1", "city"}) == "Oslo\n");
  CHECK(kvs.Out({"map", "get", "host:1", "rack", "city"}) == "city=Oslo\nrack=8\n");
  CHECK(kvs.Out({"map", "size", "host:1"}) == "3\n");
  CHECK(kvs.Out({"map", "remove", "host:1", "rack", "zone"}) == "removed 1, size 2\n");
  CHECK(kvs.Out({"put", "map", "host:1", "a=b"}) == "replaced, revision 4\n");
  CHECK(kvs.Out({"map", "get", "host:1"}) == "a=b\n");
}

TEST_CASE("a field that is absent is told, and what is there is printed") {
  PairCli kvs;
  kvs.Out({"map", "put", "host:1", "city=Oslo"});
  const CommandResult one = kvs.Run({"map", "get", "host:1", "zone"});
  CHECK(one.status == 1);
  CHECK(one.out.empty());
  CHECK_THAT(one.err, ContainsText("the map has no field zone"));
  const CommandResult two = kvs.Run({"map", "get", "host:1", "city", "zone"});
  CHECK(two.status == 1);
  CHECK(two.out == "city=Oslo\n");
}

TEST_CASE("an absent map is an error of its own") {
  PairCli kvs;
  for (const char* verb : {"get", "list", "size"}) {
    INFO(verb);
    CHECK_THAT(kvs.Err(1, {"map", verb, "a", "--output", "json"}), ContainsText("KEY_NOT_FOUND"));
  }
}

TEST_CASE("a map of several pages is listed whole, in order") {
  PairCli kvs;
  std::vector<std::string> put = {"map", "put", "large"};
  std::string expected;
  for (int i = 10000; i < 12500; ++i) {
    put.push_back(std::to_string(i) + "=x");
    expected += put.back() + "\n";
  }
  kvs.Out(put);
  CHECK(kvs.Out({"map", "list", "large"}) == expected);
  const std::string json = kvs.Out({"map", "list", "large", "--output", "json"});
  CHECK(std::count(json.begin(), json.end(), '\n') == 3);
}

}  // namespace
}  // namespace kvs::cli
