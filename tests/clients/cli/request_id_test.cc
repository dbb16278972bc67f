#include "clients/cli/request_id.h"

#include <string>

#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("a command that is run again with the same --request-id takes effect once") {
  PairCli kvs;
  CHECK(kvs.Out({"incr", "int", "k", "--request-id", "r"}) == "1\n");
  CHECK(kvs.Out({"incr", "int", "k"}) == "2\n");
  CHECK(kvs.Out({"incr", "int", "k", "--request-id", "r"}) == "1\n");
  CHECK(kvs.Out({"get", "int", "k"}) == "2\n");
  CHECK_THAT(kvs.Err(1, {"incr", "int", "k", "5", "--request-id", "r"}),
             ContainsText("give each request one of its own"));
  CHECK(kvs.Out({"set", "add", "s", "a", "--request-id", "s"}) ==
        kvs.Out({"set", "add", "s", "a", "--request-id", "s"}));
  kvs.Out({"del", "int", "k", "--request-id", "d"});
  CHECK(kvs.Out({"del", "int", "k", "--request-id", "d"}) == "deleted, revision 4\n");
}

TEST_CASE("what is no request_id is wrong usage, and no server is asked") {
  const TestCli kvs;
  for (const std::string& id : {std::string(), std::string(129, 'i')}) {
    const CommandResult result = kvs({"put", "int", "k", "1", "--request-id=" + id});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsText("--request-id has 1 to 128 bytes"));
  }
  CHECK(kvs({"get", "int", "k", "--request-id", "r"}).status == 2);
  const CommandResult batch = kvs({"batch", "--request-id", "r"});
  CHECK(batch.status == 2);
  CHECK_THAT(batch.err, ContainsText("--request-id needs --atomic"));
}

TEST_CASE("an atomic batch takes a --request-id") {
  PairCli kvs;
  const std::string lines = "{\"intIncrement\":{\"key\":\"k\"}}\n{\"intIncrement\":{\"key\":\"k\"}}\n";
  kvs.cli().SetInput(lines);
  const std::string first = kvs.Out({"batch", "--atomic", "--request-id", "b"});
  CHECK_THAT(first, ContainsText("\"value\":\"2\""));
  CHECK(kvs.Out({"batch", "--atomic", "--request-id", "b"}) == first);
  CHECK(kvs.Out({"get", "int", "k"}) == "2\n");
}

}  // namespace
}  // namespace kvs::cli
