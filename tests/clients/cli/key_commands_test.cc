#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("keys are listed by type and then in order") {
  PairCli kvs;
  CHECK(kvs.Out({"keys"}).empty());
  kvs.Out({"put", "string", "host:2", "x"});
  kvs.Out({"put", "int", "host:2", "1"});
  kvs.Out({"put", "int", "host:1", "1"});
  kvs.Out({"put", "int", "other\n", "1"});
  CHECK(kvs.Out({"keys"}) == "int host:1\nint host:2\nint other\\n\nstring host:2\n");
  CHECK(kvs.Out({"keys", "--prefix", "host:"}) == "int host:1\nint host:2\nstring host:2\n");
  CHECK(kvs.Out({"keys", "--prefix", "host:", "--type", "int"}) == "host:1\nhost:2\n");
  CHECK(kvs.Out({"keys", "--type", "string,uint"}) == "string host:2\n");
  CHECK_THAT(kvs.Out({"keys", "--type", "string", "--output", "json"}),
             ContainsText(R"({"type":"VALUE_TYPE_STRING","key":"host:2","revision":"1"})"));
  CHECK_THAT(kvs.Err(2, {"keys", "--type", "text"}), ContainsText("there is no type"));
}

TEST_CASE("exists tells the types, and ends with 1 where there is none") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "1"});
  kvs.Out({"put", "set", "a"});
  CHECK(kvs.Out({"exists", "a"}) == "int set\n");
  CHECK(kvs.Out({"exists", "a", "--type", "set"}) == "set\n");
  const CommandResult absent = kvs.Run({"exists", "a", "--type", "uint", "--type", "map"});
  CHECK(absent.status == 1);
  CHECK(absent.out == "absent\n");
  CHECK(absent.err.empty());
}

TEST_CASE("count") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "1"});
  kvs.Out({"put", "int", "b", "1"});
  kvs.Out({"put", "string", "a", "x"});
  CHECK(kvs.Out({"count"}) == "3\n");
  CHECK(kvs.Out({"count", "--type", "int"}) == "2\n");
  CHECK_THAT(kvs.Out({"count", "--output", "json"}), ContainsText(R"("type":"VALUE_TYPE_INT","count":"2")"));
}

}  // namespace
}  // namespace kvs::cli
