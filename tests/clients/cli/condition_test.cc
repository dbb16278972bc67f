#include "clients/cli/condition.h"

#include <algorithm>
#include <string>
#include <vector>

#include "clients/cli/commands.h"
#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

// Every command that changes data, with arguments that it takes.
const std::vector<std::vector<std::string>> kChanges = {
    {"put", "int", "k", "1"},
    {"put", "uint", "k", "1"},
    {"put", "float", "k", "1"},
    {"put", "string", "k", "text"},
    {"put", "set", "k", "member"},
    {"put", "map", "k", "name=value"},
    {"del", "int", "k"},
    {"del", "uint", "k"},
    {"del", "float", "k"},
    {"del", "string", "k"},
    {"del", "set", "k"},
    {"del", "map", "k"},
    {"incr", "int", "k"},
    {"incr", "uint", "k"},
    {"incr", "float", "k"},
    {"decr", "int", "k"},
    {"decr", "uint", "k"},
    {"decr", "float", "k"},
    {"append", "string", "k", "text"},
    {"set", "add", "k", "member"},
    {"set", "remove", "k", "member"},
    {"set", "put", "k", "member"},
    {"map", "put", "k", "a=b"},
    {"map", "remove", "k", "a"},
    {"expire", "int", "k", "1h"},
    {"persist", "int", "k"},
};

std::vector<std::string> With(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_CASE("every command that changes data has the flags of conditions, and is tried below") {
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      INFO(command.name);
      // Its one condition is about each of the keys that it reads.
      if (command.name == "import") continue;
      size_t found = 0;
      for (const Flag& flag : command.flags) {
        for (const Flag& condition : ConditionFlags()) found += flag.name == condition.name;
      }
      const bool has_flags = command.changes && !command.has_own_conditions;
      CHECK(found == (has_flags ? ConditionFlags().size() : 0));
      const bool is_tried = std::any_of(kChanges.begin(), kChanges.end(), [&](const auto& words) {
        return words[0] == command.name || words[0] + " " + words[1] == command.name;
      });
      CHECK(is_tried == has_flags);
    }
  }
}

TEST_CASE("a condition that does not hold refuses every change, and says what to do next") {
  PairCli kvs;
  for (const std::vector<std::string>& words : kChanges) {
    INFO(words[0] << " " << words[1]);
    CHECK(kvs.Err(1, With(words, {"--if-present"})) ==
          "kvs: nothing was changed: the key is absent\nnext: put the key first, or leave out --if-present\n");
    CHECK(kvs.Err(1, With(words, {"--if-revision", "7"})) ==
          "kvs: nothing was changed: the key is absent, not at revision 7\n"
          "next: if the change still fits, repeat it with --if-absent\n");
  }
  CHECK(kvs.Out({"count"}) == "0\n");
}

TEST_CASE("a condition that holds changes nothing about a command") {
  PairCli kvs;
  CHECK(kvs.Out({"put", "int", "k", "41", "--if-absent"}) == "stored, revision 1\n");
  CHECK(kvs.Out({"incr", "int", "k", "--if-revision", "1"}) == "42\n");
  CHECK(kvs.Out({"del", "int", "k", "--if-present"}) == "deleted, revision 3\n");
  CHECK(kvs.Out({"put", "int", "k", "1", "--if-revision=0"}) == "stored, revision 4\n");
  CHECK(kvs.Out({"put", "string", "k", "--", "--if-absent"}) == "stored, revision 5\n");
}

TEST_CASE("who fails is told the revision and the value, of every type") {
  PairCli kvs;
  struct Case {
    std::vector<std::string> put;
    std::string shown;
  };
  const Case cases[] = {
      {{"put", "int", "k", "-41"}, "its value is -41"},
      {{"put", "uint", "k", "41"}, "its value is 41"},
      {{"put", "float", "k", "0.5"}, "its value is 0.5"},
      {{"put", "string", "k", "it's\nlong"}, "its value is \"it's\\nlong\""},
      {{"put", "string", "k", ""}, "its value is \"\""},
      {{"put", "string", "k", std::string(3000, 'x')}, "its value is too large to be shown here"},
      {{"put", "set", "k", "red", "light blue"}, "its members are 'light blue' red"},
      {{"put", "set", "k"}, "it is an empty set"},
      {{"put", "map", "k", "rack=7", "city=Oslo"}, "its fields are city=Oslo rack=7"},
      {{"put", "map", "k"}, "it is an empty map"},
  };
  int revision = 0;
  for (const Case& c : cases) {
    kvs.Out(c.put);
    const std::string now = std::to_string(++revision);
    CHECK(kvs.Err(1, With(c.put, {"--if-absent"})) ==
          "kvs: nothing was changed: the key exists, at revision " + now + "; " + c.shown +
              "\nnext: leave out --if-absent to change what is there, or give --if-revision " + now + "\n");
    CHECK(kvs.Err(1, With(c.put, {"--if-revision", "99"})) ==
          "kvs: nothing was changed: the key exists, at revision " + now + ", not at revision 99; " + c.shown +
              "\nnext: if the change still fits, repeat it with --if-revision " + now + "\n");
  }
}

TEST_CASE("a delete from several types knows no single value") {
  PairCli kvs;
  kvs.Out({"put", "int", "k", "1"});
  CHECK(kvs.Err(1, {"del", "all", "k", "--if-absent"}) ==
        "kvs: nothing was changed: the key exists, at revision 1\n"
        "next: leave out --if-absent to change what is there\n");
  CHECK_THAT(kvs.Err(2, {"del", "all", "k", "--if-revision", "1"}), ContainsText("name that type alone"));
  CHECK(kvs.Out({"del", "all", "k", "--if-present"}) == "deleted int, revision 2\n");
}

TEST_CASE("as JSON a failure is an object of its own") {
  PairCli kvs;
  kvs.Out({"put", "int", "k", "41"});
  CHECK(kvs.Err(1, {"put", "int", "k", "42", "--if-absent", "--output", "json"}) ==
        "{\"code\":\"ALREADY_EXISTS\",\"reason\":\"KEY_EXISTS\",\"message\":\"nothing was changed: the key exists, at "
        "revision 1; its value is 41\",\"metadata\":{\"current_revision\":\"1\"},\"preconditionFailure\":"
        "{\"currentValue\":{\"intValue\":\"41\"},\"valueOmitted\":false,\"currentRevision\":\"1\"}}\n");
}

TEST_CASE("conditions that cannot be used are wrong usage, and no server is asked") {
  const TestCli kvs;
  const auto error_of = [&](const std::vector<std::string>& flags) {
    const CommandResult result = kvs(With({"put", "int", "k", "1"}, flags));
    CHECK(result.status == 2);
    return result.err;
  };
  const std::string exclude = "kvs: --if-absent, --if-present and --if-revision exclude each other; give one of them\n";
  CHECK(error_of({"--if-absent", "--if-present"}) == exclude);
  CHECK(error_of({"--if-absent", "--if-revision", "1"}) == exclude);
  CHECK(error_of({"--if-present", "--if-revision", "1"}) == exclude);
  CHECK_THAT(error_of({"--if-revision", "many"}), ContainsText("kvs: --if-revision: \"many\" is not"));
  CHECK_THAT(error_of({"--if-revision", "-1"}), ContainsText("kvs: --if-revision: "));
  CHECK_THAT(error_of({"--if-revision"}), ContainsText("--if-revision needs a value"));
  CHECK_THAT(error_of({"--if-absent=yes"}), ContainsText("--if-absent takes no value"));
  CHECK(kvs({"get", "int", "k", "--if-present"}).status == 2);
}

TEST_CASE("where conditions are in lines of JSON, so is the advice") {
  PairCli kvs;
  kvs.Out({"put", "int", "k", "7"});
  const auto advice_for = [&](const std::string& precondition) {
    kvs.cli().SetInput(R"({"intPut":{"key":"k","value":"8","precondition":{)" + precondition + "}}}");
    return kvs.Err(1, {"batch", "--atomic"});
  };
  CHECK_THAT(advice_for(R"("mustNotExist":true)"),
             ContainsText("its value is 7\nnext: leave out its precondition to change what is there, or give it "
                          R"("precondition":{"revisionEquals":"1"})"));
  CHECK_THAT(advice_for(R"("revisionEquals":"9")"),
             ContainsText(R"(next: if the change still fits, repeat it with "precondition":{"revisionEquals":"1"})"));
  kvs.Out({"del", "int", "k"});
  CHECK_THAT(advice_for(R"("mustExist":true)"), ContainsText("next: put the key first, or leave out its precondition"));
}

}  // namespace
}  // namespace kvs::cli
