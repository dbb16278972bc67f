#include "clients/cli/command_line.h"

#include <absl/strings/match.h>
#include <absl/strings/str_split.h>

#include <utility>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "common/errors.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

using Words = std::vector<std::string>;

CommandLine Parsed(const Words& words) {
  auto line = ParseCommandLine(words);
  INFO(line.status());
  REQUIRE(line.ok());
  return *line;
}

std::string Refused(const Words& words) {
  const auto line = ParseCommandLine(words);
  REQUIRE(Is(line.status(), kUsageError));
  return std::string(line.status().message());
}

TEST_CASE("a command has its arguments") {
  const CommandLine line = Parsed({"put", "int", "visits", "41"});
  CHECK(line.command == FindCommand("put"));
  CHECK(line.arguments == Words{"int", "visits", "41"});
}

TEST_CASE("a command of two words") {
  const CommandLine line = Parsed({"set", "add", "colors", "red", "blue"});
  CHECK(line.command == FindCommand("set add"));
  CHECK(line.arguments == Words{"colors", "red", "blue"});
}

TEST_CASE("flags may stand anywhere, with a space or an equals sign") {
  for (const Words& words : {Words{"--output", "json", "get", "int", "a"}, Words{"get", "--output=json", "int", "a"},
                             Words{"get", "int", "a", "--output", "json"}}) {
    const CommandLine line = Parsed(words);
    CHECK(line.arguments == Words{"int", "a"});
    CHECK(line.flags.at("output") == Words{"json"});
  }
}

TEST_CASE("a flag's value may begin with a dash") {
  CHECK(Parsed({"keys", "--prefix", "-x"}).flags.at("prefix") == Words{"-x"});
}

TEST_CASE("a flag that may be given several times keeps all values") {
  CHECK(Parsed({"keys", "--type", "int", "--type", "set"}).flags.at("type") == Words{"int", "set"});
}

TEST_CASE("values may begin with a dash, with and without the two dashes") {
  CHECK(Parsed({"put", "int", "t", "-5"}).arguments == Words{"int", "t", "-5"});
  CHECK(Parsed({"put", "int", "t", "--", "-5"}).arguments == Words{"int", "t", "-5"});
  CHECK(Parsed({"incr", "int", "t", "-3"}).arguments == Words{"int", "t", "-3"});
  CHECK(Parsed({"put", "string", "s", "-x"}).arguments == Words{"string", "s", "-x"});
  CHECK(Parsed({"put", "string", "s", "-"}).arguments == Words{"string", "s", "-"});
  CHECK(Parsed({"put", "string", "s", "--whatever"}).arguments == Words{"string", "s", "--whatever"});
  CHECK(Parsed({"set", "add", "s", "-a", "-b", "--output", "json"}).arguments == Words{"s", "-a", "-b"});
  CHECK(Parsed({"get", "int", "-key"}).arguments == Words{"int", "-key"});
  CHECK(Parsed({"echo", "-n"}).arguments == Words{"-n"});
}

TEST_CASE("after the two dashes everything is an argument") {
  CHECK(Parsed({"put", "string", "s", "--", "--output"}).arguments == Words{"string", "s", "--output"});
  CHECK(Parsed({"put", "string", "s", "--", "--"}).arguments == Words{"string", "s", "--"});
  CHECK(Parsed({"put", "string", "s", "--", "-h"}).arguments == Words{"string", "s", "-h"});
}

TEST_CASE("values are never interpreted") {
  for (const std::string value : {"[a,b]", "{}", "", "%%", "a,b", "@file", "'x'", "\"x\"", "a=b"}) {
    CHECK(Parsed({"put", "string", "s", value}).arguments.back() == value);
  }
}

TEST_CASE("help and version") {
  CHECK(Parsed({"--help"}).help);
  CHECK(Parsed({"-h"}).help);
  CHECK(Parsed({"help"}).help);
  CHECK(Parsed({"--version"}).version);
  CHECK(Parsed({"put", "--help"}).command == FindCommand("put"));
  CHECK(Parsed({"put", "--help"}).help);
  CHECK(Parsed({"help", "set", "add"}).command == FindCommand("set add"));
  CHECK(Parsed({"set", "--help"}).group == "set");
}

TEST_CASE("a misspelt command suggests the nearest, with the arguments") {
  CHECK_THAT(Refused({"gte", "int", "a"}), ContainsText("did you mean `kvs get int a`?"));
  CHECK_THAT(Refused({"set", "ad", "colors", "red"}), ContainsText("did you mean `kvs set add colors red`?"));
  CHECK_THAT(Refused({"sadd", "colors", "red"}), ContainsText("did you mean `kvs set add colors red`?"));
  CHECK_THAT(Refused({"delete", "int", "a"}), ContainsText("did you mean `kvs del int a`?"));
  CHECK_THAT(Refused({"frobnicate"}), ContainsText("`kvs --help` lists what there is"));
}

TEST_CASE("a value where a verb of set belongs") {
  CHECK_THAT(Refused({"set", "visits", "41"}), ContainsText("did you mean `kvs put int visits 41`?"));
  CHECK_THAT(Refused({"set", "visits", "-4.5"}), ContainsText("did you mean `kvs put float visits -4.5`?"));
  CHECK_THAT(Refused({"set", "motd", "hello, world"}),
             ContainsText("did you mean `kvs put string motd 'hello, world'`?"));
  CHECK_THAT(Refused({"set", "uint", "visits", "41"}), ContainsText("did you mean `kvs put uint visits 41`?"));
  CHECK_THAT(Refused({"set", "colors", "red", "blue"}), ContainsText("did you mean `kvs set add colors red blue`?"));
  CHECK_THAT(Refused({"map", "host:1", "city=Oslo"}), ContainsText("did you mean `kvs map put host:1 city=Oslo`?"));
  CHECK_THAT(Refused({"map", "host:1"}), ContainsText("did you mean `kvs map get host:1`?"));
}

TEST_CASE("a missing type is guessed") {
  CHECK_THAT(Refused({"get", "visits"}), ContainsText("did you mean `kvs get int visits`?"));
  CHECK_THAT(Refused({"incr", "visits"}), ContainsText("did you mean `kvs incr int visits`?"));
  CHECK_THAT(Refused({"del", "visits"}), ContainsText("did you mean `kvs del int visits`?"));
}

TEST_CASE("missing and surplus arguments show the command with an example") {
  CHECK_THAT(Refused({"get", "int"}),
             ContainsText("KEY is missing; it is `kvs get TYPE KEY`, as in `kvs get int visits`"));
  CHECK_THAT(Refused({"set", "size", "a", "b"}), ContainsText("an argument too many: b"));
  CHECK_THAT(Refused({"get", "int", "a", "--", "--b"}), ContainsText("an argument too many: --b"));
  CHECK_THAT(Refused({"set"}), ContainsText("needs one more word: set add, set remove"));
  CHECK_THAT(Refused({}), ContainsText("`kvs --help`"));
}

TEST_CASE("unknown flags are refused, misspelt ones with a suggestion") {
  CHECK_THAT(Refused({"keys", "--perfix", "x"}), ContainsText("did you mean --prefix?"));
  CHECK_THAT(Refused({"keys", "-x"}), ContainsText("has no flag -x"));
  CHECK_THAT(Refused({"--frobnicate", "keys"}), ContainsText("has no flag --frobnicate"));
  CHECK_THAT(Refused({"set", "add", "colors", "red", "--outptu", "json"}), ContainsText("did you mean --output?"));
  CHECK_THAT(Refused({"set", "add", "colors", "red", "--outptu=json"}), ContainsText("did you mean --output?"));
  CHECK_THAT(Refused({"incr", "int", "counter", "--by", "-7"}),
             ContainsText("`kvs incr` has no flag --by; did you mean `kvs incr int counter -7`?"));
  CHECK_THAT(Refused({"get", "int", "a", "--frobnicate"}),
             ContainsText("has no flag --frobnicate; did you mean `kvs get int a`?"));
  CHECK_THAT(Refused({"get", "int", "a", "--frob", "--nicate"}),
             ContainsText("has no flag --frob; it is `kvs get TYPE KEY`"));
  CHECK_THAT(Refused({"get", "int", "a", "--output"}), ContainsText("--output needs a value"));
  CHECK_THAT(Refused({"get", "int", "a", "--plaintext=yes"}), ContainsText("--plaintext takes no value"));
}

TEST_CASE("the output flag is found where the rest is wrong") {
  CHECK(OutputFlag(Words{"frobnicate", "--output", "json"}) == "json");
  CHECK(OutputFlag(Words{"frobnicate", "--output=json"}) == "json");
  CHECK(OutputFlag(Words{"put", "--", "--output", "json"}).empty());
  CHECK(OutputFlag(Words{"get", "--output"}).empty());
}

TEST_CASE("the table of commands is complete in itself") {
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      INFO(command.name);
      CHECK(FindCommand(command.name) == &command);
      CHECK(command.run != nullptr);
      CHECK_FALSE(command.summary.empty());
      CHECK(command.min_arguments <= command.max_arguments);
      CHECK(command.arguments.empty() == (command.max_arguments == 0));
      if (command.name != "completion bash") {
        CHECK(absl::StartsWith(command.example, absl::StrCat("kvs ", command.name)));
      }
    }
  }
}

// The words of a line as a shell divides it, as far as the examples need it: spaces and single quotes.
Words ShellWords(absl::string_view line) {
  Words words;
  std::string word;
  bool quoted = false;
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      words.push_back(std::exchange(word, ""));
    } else {
      word += c;
    }
  }
  words.push_back(word);
  return words;
}

TEST_CASE("every example is a command line that is understood") {
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      if (command.name == "completion bash") continue;
      for (const absl::string_view line : absl::StrSplit(command.example, '\n')) {
        INFO(line);
        Words words = ShellWords(line);
        CHECK(words[0] == "kvs");
        words.erase(words.begin());
        const auto is_redirection = [](const std::string& word) { return word == "<" || word == ">"; };
        words.erase(std::find_if(words.begin(), words.end(), is_redirection), words.end());
        CHECK(Parsed(words).command == &command);
      }
    }
  }
}

}  // namespace
}  // namespace kvs::cli
