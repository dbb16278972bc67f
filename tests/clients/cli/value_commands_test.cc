#include <absl/strings/str_cat.h>

#include <fstream>

#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("put, get and del for every type") {
  PairCli kvs;
  struct Case {
    std::string type;
    std::vector<std::string> value;
    std::string shown;
  };
  const Case cases[] = {
      {"int", {"-9223372036854775808"}, "-9223372036854775808\n"},
      {"uint", {"18446744073709551615"}, "18446744073709551615\n"},
      {"float", {"-3.5e-7"}, "-3.5e-07\n"},
      {"string", {"hello, world"}, "hello, world\n"},
      {"set", {"red", "blue", "red"}, "blue\nred\n"},
      {"map", {"rack=7", "city=Oslo"}, "city=Oslo\nrack=7\n"},
  };
  for (const Case& c : cases) {
    INFO(c.type);
    std::vector<std::string> put = {"put", c.type, "a"};
    put.insert(put.end(), c.value.begin(), c.value.end());
    CHECK_THAT(kvs.Out(put), ContainsText("stored, revision "));
    CHECK_THAT(kvs.Out(put), ContainsText("replaced, revision "));
    CHECK(kvs.Out({"get", c.type, "a"}) == c.shown);
    CHECK_THAT(kvs.Out({"del", c.type, "a"}), ContainsText("deleted, revision "));
    CHECK(kvs.Out({"del", c.type, "a"}) == "was not there\n");
    CHECK_THAT(kvs.Err(1, {"get", c.type, "a"}), ContainsText("kvs: "));
  }
}

TEST_CASE("an address that is that of txn_server is told as such") {
  PairCli kvs;
  const std::string address = absl::StrCat("127.0.0.1:", kvs.pair().ledger().port());
  const std::string error = kvs.Err(1, {"get", "int", "a", "--address", address});
  CHECK_THAT(error, ContainsText(absl::StrCat("what answers at ", address, " does not know this call")));
  CHECK_THAT(error, ContainsText("(--address)"));
  CHECK_THAT(error, ContainsText("next: give the address of kvs_server, which is not that of txn_server"));
}

TEST_CASE("control characters of keys and values stay out of the terminal in errors") {
  PairCli kvs;
  const std::string clear = "\x1b[2J";
  kvs.Out({"put", "string", clear, "x"});
  const std::vector<std::vector<std::string>> wrong = {{"get", "int", clear},           {"put", "int", "a", clear},
                                                       {"put", "int", clear, "1", "2"}, {"get", clear, "a"},
                                                       {"put", "map", "m", clear},      {clear},
                                                       {"get", "int", "a", clear},      {"keys", "-" + clear}};
  for (const auto& words : wrong) {
    const CommandResult result = kvs.Run(words);
    INFO(result.err);
    CHECK(result.status != 0);
    CHECK_THAT(result.err, ContainsText("\\x1b[2J"));
    CHECK(result.err.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("values that begin with a dash") {
  PairCli kvs;
  kvs.Out({"put", "int", "t", "-5"});
  CHECK(kvs.Out({"get", "int", "t"}) == "-5\n");
  kvs.Out({"put", "int", "t", "--", "-6"});
  CHECK(kvs.Out({"get", "int", "t"}) == "-6\n");
  CHECK(kvs.Out({"incr", "int", "t", "-3"}) == "-9\n");
  kvs.Out({"put", "string", "s", "-x"});
  CHECK(kvs.Out({"get", "string", "s"}) == "-x\n");
}

TEST_CASE("an empty set and an empty map are values") {
  PairCli kvs;
  kvs.Out({"put", "set", "s"});
  CHECK(kvs.Out({"get", "set", "s"}).empty());
  kvs.Out({"put", "map", "m"});
  CHECK(kvs.Out({"get", "map", "m"}).empty());
}

TEST_CASE("a string may come from a file or from the standard input") {
  PairCli kvs;
  const std::string path = kvs.cli().dir() / "page";
  const std::string large(1 << 20, 'x');
  std::ofstream(path) << large;
  kvs.Out({"put", "string", "page", "--file", path});
  CHECK(kvs.Out({"get", "string", "page"}) == large + "\n");
  kvs.cli().SetInput("from the pipe\n");
  kvs.Out({"put", "string", "page", "--file", "-"});
  CHECK(kvs.Out({"append", "string", "page", "--file", "-"}) == "28\n");
  CHECK_THAT(kvs.Err(2, {"put", "string", "page", "--file", path + ".absent"}), ContainsText("cannot read the file"));
  std::ofstream(path) << large << "x";
  CHECK_THAT(kvs.Err(2, {"put", "string", "page", "--file", path}), ContainsText("more than 1 MiB"));
  CHECK_THAT(kvs.Err(2, {"put", "string", "page", "--file", "/dev/zero"}), ContainsText("more than 1 MiB"));
  CHECK_THAT(kvs.Err(2, {"put", "string", "page", "value", "--file", path}), ContainsText("one VALUE"));
  CHECK_THAT(kvs.Err(2, {"put", "int", "page", "1", "--file", path}), ContainsText("--file is for strings"));
}

TEST_CASE("incr and decr print the result") {
  PairCli kvs;
  CHECK(kvs.Out({"incr", "int", "a"}) == "1\n");
  CHECK(kvs.Out({"incr", "int", "a", "9"}) == "10\n");
  CHECK(kvs.Out({"decr", "int", "a", "15"}) == "-5\n");
  CHECK(kvs.Out({"decr", "int", "a", "-5"}) == "0\n");
  CHECK(kvs.Out({"incr", "uint", "a", "5"}) == "5\n");
  CHECK(kvs.Out({"decr", "uint", "a"}) == "4\n");
  CHECK(kvs.Out({"incr", "uint", "a", "-3"}) == "1\n");
  CHECK(kvs.Out({"decr", "uint", "a", "-3"}) == "4\n");
  CHECK(kvs.Out({"incr", "float", "a", "0.5"}) == "0.5\n");
  CHECK(kvs.Out({"decr", "float", "a", "2"}) == "-1.5\n");
}

TEST_CASE("an overflow is refused and changes nothing") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "9223372036854775807"});
  CHECK_THAT(kvs.Err(1, {"incr", "int", "a"}), ContainsText("kvs: "));
  CHECK(kvs.Out({"get", "int", "a"}) == "9223372036854775807\n");
  CHECK(kvs.Err(1, {"decr", "uint", "a"}).size() > 5);
  CHECK(kvs.Err(2, {"decr", "int", "a", "-9223372036854775808"}).size() > 5);
}

TEST_CASE("append prints the length in bytes") {
  PairCli kvs;
  CHECK(kvs.Out({"append", "string", "a", "pö"}) == "3\n");
  CHECK(kvs.Out({"append", "string", "a", "-x"}) == "5\n");
  CHECK(kvs.Out({"get", "string", "a"}) == "pö-x\n");
  CHECK_THAT(kvs.Err(2, {"append", "set", "a", "b"}), ContainsText("only a string"));
}

TEST_CASE("del of several types is one change") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "1"});
  kvs.Out({"put", "uint", "a", "1"});
  kvs.Out({"put", "string", "a", "x"});
  CHECK(kvs.Out({"del", "int,string", "a"}) == "deleted int, string, revision 5\n");
  CHECK(kvs.Out({"exists", "a"}) == "uint\n");
  CHECK(kvs.Out({"del", "all", "a"}) == "deleted uint, revision 6\n");
  CHECK(kvs.Out({"del", "all", "a"}) == "was not there\n");
  CHECK_THAT(kvs.Err(2, {"del", "everything", "a"}), ContainsText("there is no type"));
}

TEST_CASE("mistakes say what to write instead") {
  PairCli kvs;
  CHECK_THAT(kvs.Err(2, {"put", "visits", "41"}), ContainsText("did you mean `kvs put int visits 41`?"));
  CHECK_THAT(kvs.Err(2, {"put", "host:1", "city=Oslo", "rack=7"}),
             ContainsText("did you mean `kvs put map host:1 city=Oslo rack=7`?"));
  CHECK_THAT(kvs.Err(2, {"put", "colors", "red", "blue"}), ContainsText("did you mean `kvs put set colors red blue`?"));
  CHECK_THAT(kvs.Err(2, {"put", "int", "visits"}), ContainsText("VALUE is missing"));
  CHECK_THAT(kvs.Err(2, {"put", "int", "visits", "1", "2"}), ContainsText("more than one value"));
  CHECK_THAT(kvs.Err(2, {"put", "int", "visits", "many"}), ContainsText("\"many\" is not a whole number"));
  CHECK_THAT(kvs.Err(2, {"put", "map", "m", "city"}), ContainsText("NAME=VALUE"));
  CHECK_THAT(kvs.Err(2, {"get", "strin", "a"}), ContainsText("did you mean string?"));
  CHECK_THAT(kvs.Err(2, {"put", "strng", "a", "1"}), ContainsText("did you mean string?"));
  CHECK_THAT(kvs.Err(2, {"put", "flot", "a", "1.5"}), ContainsText("did you mean float?"));
  CHECK_THAT(kvs.Err(2, {"put", "strng", "a"}), ContainsText("did you mean string?"));
  CHECK_THAT(kvs.Err(2, {"put", "pint", "41"}), ContainsText("did you mean `kvs put int pint 41`?"));
  CHECK_THAT(kvs.Err(2, {"incr", "string", "a"}), ContainsText("numbers are int, uint and float"));
  CHECK_THAT(kvs.Err(2, {"append", "log", "line"}), ContainsText("did you mean `kvs append string log line`?"));
}

TEST_CASE("a key of another type is told") {
  PairCli kvs;
  kvs.Out({"put", "uint", "a b", "1"});
  CHECK_THAT(kvs.Err(1, {"get", "int", "a b"}), ContainsText("there is one of type uint: `kvs get uint 'a b'`"));
  CHECK_THAT(kvs.Err(1, {"get", "int", "a b", "--output", "json"}), ContainsText("\"reason\":\"KEY_NOT_FOUND\""));
  CHECK(kvs.Err(1, {"get", "int", "c"}).find("there is one") == std::string::npos);
}

TEST_CASE("what the server refuses ends with 1") {
  PairCli kvs;
  CHECK(kvs.Err(1, {"put", "string", "", "x"}).size() > 5);
  CHECK(kvs.Err(1, {"get", "int", std::string(1025, 'k')}).size() > 5);
}

TEST_CASE("values as JSON") {
  PairCli kvs;
  CHECK(kvs.Out({"put", "int", "a", "0", "--output", "json"}) ==
        "{\"replaced\":false,\"revision\":\"1\",\"latestRevision\":\"1\"}\n");
  CHECK(kvs.Out({"get", "int", "a", "--output", "json"}) ==
        "{\"value\":\"0\",\"revision\":\"1\",\"latestRevision\":\"1\"}\n");
  CHECK_THAT(kvs.Err(1, {"get", "int", "b", "--output", "json"}),
             ContainsText("{\"code\":\"NOT_FOUND\",\"reason\":\"KEY_NOT_FOUND\",\"message\":"));
  CHECK_THAT(kvs.Err(2, {"get", "b", "--output", "json"}), ContainsText("\"reason\":\"USAGE\""));
}

}  // namespace
}  // namespace kvs::cli
