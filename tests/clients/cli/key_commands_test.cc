#include <absl/strings/str_split.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

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

TEST_CASE("scan prints what put takes") {
  PairCli kvs;
  CHECK(kvs.Out({"scan"}).empty());
  kvs.Out({"put", "string", "motd", "it's\ta tab"});
  kvs.Out({"put", "float", "f", "0.1"});
  kvs.Out({"put", "uint", "u", "18446744073709551615"});
  kvs.Out({"put", "set", "s", "b c", "a"});
  kvs.Out({"put", "set", "none"});
  kvs.Out({"put", "map", "m", "b=2", "a=1 2"});
  kvs.Out({"put", "int", "i", "-5"});
  CHECK(kvs.Out({"scan"}) ==
        "int i -5\nuint u 18446744073709551615\nfloat f 0.1\nstring motd $'it\\'s\\x09a tab'\nset none\n"
        "set s a 'b c'\nmap m 'a=1 2' b=2\n");
  CHECK(kvs.Out({"scan", "--prefix", "m", "--type", "map"}) == "map m 'a=1 2' b=2\n");
  CHECK(kvs.Out({"scan", "--type", "int", "--output", "json"}) ==
        R"({"type":"VALUE_TYPE_INT","key":"i","value":{"intValue":"-5"},"revision":"7"})"
        "\n");
}

// The words that a shell makes of a line.
std::vector<std::string> WordsOf(const std::string& line) {
  const TempDir dir;
  std::ofstream(dir / "script") << "printf '%s\\0' " << line;
  FILE* const shell = popen(("bash " + (dir / "script")).c_str(), "r");
  REQUIRE(shell != nullptr);
  std::string text;
  for (int c = fgetc(shell); c != EOF; c = fgetc(shell)) text += static_cast<char>(c);
  REQUIRE(pclose(shell) == 0);
  REQUIRE_FALSE(text.empty());
  return absl::StrSplit(text.substr(0, text.size() - 1), '\0');
}

TEST_CASE("what scan prints can be pasted behind `kvs put`, whatever the texts are") {
  const PairCli from;
  const std::vector<std::vector<std::string>> puts = {
      {"int", "--", "-5", "-5"},
      {"int", "--", "--help", "1"},
      {"float", "--", "--", "-0.5"},
      {"string", "--", "--output", "--"},
      {"string", "empty", ""},
      {"string", "odd", "'\"$(date)`\n\\ !*~#"},
      {"string", "h", "--", "-h"},
      {"set", "--", "s", "-1", "--ttl=1h", "--"},
      {"set", "none"},
      {"map", "--escaped", "--", "m", R"(a\x3db=c=d)", R"(--x=\\n)", R"(tab\t=\x01)"},
      {"map", "plain", "a=b=c", R"(back\slash=\n)"},
      {"map", "--", "-m", "--a=1"},
  };
  for (std::vector<std::string> words : puts) {
    words.insert(words.begin(), "put");
    from.Out(words);
  }
  const std::string scanned = from.Out({"scan"});
  const PairCli to;
  for (const absl::string_view line : absl::StrSplit(scanned, '\n', absl::SkipEmpty())) {
    INFO(line);
    std::vector<std::string> words = WordsOf(std::string(line));
    words.insert(words.begin(), "put");
    to.Out(words);
  }
  CHECK(to.Out({"scan"}) == scanned);
  const auto values = [](const PairCli& kvs) {
    std::vector<std::string> entries;
    for (const absl::string_view line :
         absl::StrSplit(kvs.Out({"scan", "--output", "json"}), '\n', absl::SkipEmpty())) {
      entries.emplace_back(line.substr(0, line.rfind(",\"revision\":")));
    }
    return entries;
  };
  CHECK(values(to) == values(from));
  CHECK(values(from).size() == puts.size());
}

TEST_CASE("the flag --escaped is for maps") {
  CHECK_THAT(TestCli()({"put", "set", "s", "a", "--escaped"}).err, ContainsText("--escaped is for maps"));
  CHECK_THAT(TestCli()({"put", "map", "--escaped", "m", R"(a=\q)"}).err, ContainsText("has a backslash"));
  const PairCli kvs;
  kvs.Out({"map", "put", "--escaped", "m", R"(a\x3db=1)"});
  CHECK(kvs.Out({"map", "get", "m", "a=b"}) == "1\n");
}

TEST_CASE("scan prints a large set on one line") {
  PairCli kvs;
  std::string line = "set s";
  for (int i = 0; i < 30; ++i) {
    std::vector<std::string> add = {"set", "add", "s"};
    for (int j = 0; j < 1000; ++j) {
      add.push_back(std::to_string(100000 + i * 1000 + j) + std::string(20, 'x'));
      line += " " + add.back();
    }
    kvs.Out(add);
  }
  CHECK((kvs.Out({"scan"}) == line + "\n"));
}

TEST_CASE("keys and scan begin at a key, and end at a limit") {
  PairCli kvs;
  for (const char* key : {"a", "b", "c"}) {
    kvs.Out({"put", "int", key, "1"});
    kvs.Out({"put", "uint", key, "1"});
  }
  CHECK(kvs.Out({"keys", "--type", "int", "--start", "b"}) == "b\nc\n");
  CHECK(kvs.Out({"keys", "--type", "int", "--after", "b"}) == "c\n");
  CHECK(kvs.Out({"keys", "--after", "b"}) == "int c\nuint a\nuint b\nuint c\n");
  CHECK(kvs.Out({"scan", "--start", "c", "--limit", "2"}) == "int c 1\nuint a 1\n");
  CHECK_THAT(kvs.Err(2, {"keys", "--start", "a", "--after", "a"}), ContainsText("exclude each other"));
  for (const char* limit : {"0", "-1", "many"}) {
    CHECK_THAT(kvs.Err(2, {"scan", "--limit", limit}), ContainsText("is no number from 1"));
  }
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
