// What an import does around lines that are bad, a ledger that is away, and collections that are large.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <absl/time/clock.h>

#include <future>
#include <string>
#include <vector>

#include "common/limits.h"
#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

std::string IntLine(const std::string& key) {
  return absl::StrCat(R"({"type":"VALUE_TYPE_INT","key":")", key, R"(","value":{"intValue":"1"}})", "\n");
}

// Lines of a set of this many members of 1,000 bytes, 200 in each line.
std::vector<std::string> SetLines(const std::string& key, int members) {
  std::vector<std::string> lines;
  for (int i = 0; i < members;) {
    std::vector<std::string> some;
    for (int j = 0; j < 200 && i < members; ++j, ++i) {
      some.push_back(absl::StrCat("\"", 100'000 + i, std::string(994, 'm'), "\""));
    }
    lines.push_back(absl::StrCat(R"({"type":"VALUE_TYPE_SET","key":")", key, R"(","value":{"setValue":{"members":[)",
                                 absl::StrJoin(some, ","), "]}}", i < members ? R"(,"more":true})" : "}", "\n"));
  }
  return lines;
}

std::string Joined(const std::vector<std::string>& lines, size_t count) {
  return absl::StrJoin(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(count), "");
}

CommandResult Import(PairCli& kvs, const std::string& input, std::vector<std::string> flags = {}) {
  kvs.cli().SetInput(input);
  flags.insert(flags.begin(), "import");
  return kvs.Run(flags);
}

TEST_CASE("all lines before a bad one are imported, and none after it") {
  PairCli kvs;
  const std::string before = IntLine("a") + IntLine("b");
  const struct {
    std::string line;
    int status;
    std::string error;
  } kCases[] = {
      {"{\n", 2, "line 3 is no key as JSON"},
      {R"({"key":"k","value":{"intValue":"1"}})"
       "\n",
       2, "line 3 has no type; write one as {"},
      {R"({"type":"VALUE_TYPE_INT","key":"k"})"
       "\n",
       2, "line 3 has no value; write one as {"},
      {IntLine(""), 1, "line 3: the key is empty"},
      {R"({"type":"VALUE_TYPE_INT","key":"k","value":{"intValue":"1"},"expiresAt":"9999-01-01T00:00:00Z"})"
       "\n",
       2, "line 3 expires more than 36500 days from now: leave out its expiresAt"},
      {R"({"type":"VALUE_TYPE_SET","key":"k","value":{"setValue":{"members":["x"]}},"more":true})"
       "\n",
       2, "line 4 is about another key"},
      {R"({"type":"VALUE_TYPE_INT","key":"k","value":{"intValue":"1"},"more":true})"
       "\n",
       2, "line 3 has \"more\", but only a set or a map comes in several lines"},
  };
  for (const auto& test : kCases) {
    for (const std::vector<std::string>& flags : {std::vector<std::string>{}, {"--if-absent"}}) {
      INFO(test.line);
      const CommandResult result = Import(kvs, before + test.line + IntLine("after"), flags);
      CHECK(result.status == test.status);
      CHECK_THAT(result.err, ContainsText(test.error));
      CHECK_THAT(result.err, ContainsText(flags.empty() ? "; 2 keys were imported before that, none from there on\n"
                                                        : "; 0 keys were imported before that, none from there on\n"));
      CHECK(kvs.Out({"keys"}) == "int a\nint b\n");
    }
  }
  CHECK_THAT(Import(kvs, IntLine("a") + "x").err, ContainsText("; 1 key was imported before that"));
}

TEST_CASE("an export may have been written anew, with blanks where JSON may have them") {
  PairCli kvs;
  const std::string lines =
      "{ \"export\" : {\"revision\": \"2\"} }\n" + IntLine("a") + " { \"end\" : {\"keys\": \"1\"}}\n";
  CHECK(Import(kvs, lines).out == "imported 1 key\n");
  CHECK_THAT(Import(kvs, lines + IntLine("b")).err, ContainsText("line 4 is behind the end of the export"));
}

// A text, and then what cannot be read.
class BrokenInput final : public Input {
 public:
  explicit BrokenInput(std::string text) : text_(std::move(text)) {}

  absl::StatusOr<size_t> Read(char* to, size_t size) override {
    if (text_.empty()) return absl::FailedPreconditionError("cannot read the standard input: Is a directory");
    const size_t read = text_.copy(to, size);
    text_.erase(0, read);
    return read;
  }
  bool IsReady() override { return true; }

 private:
  std::string text_;
};

TEST_CASE("input that cannot be read is no end of it") {
  const PairCli kvs;
  BrokenInput in(IntLine("a"));
  const CommandResult result = kvs.cli().Run({"import"}, in);
  CHECK(result.status == 1);
  CHECK(result.err ==
        "kvs: cannot read the standard input: Is a directory; 1 key was imported before that, none from there on\n");
  CHECK(kvs.Out({"keys"}) == "int a\n");
}

TEST_CASE("while the ledger is away an import is repeated, and ends with 3 when the time is over") {
  PairCli kvs;
  kvs.pair().StopLedger();
  kvs.pair().AwaitNotWritable();
  for (const std::vector<std::string>& flags : {std::vector<std::string>{}, {"--if-absent"}}) {
    std::vector<std::string> all = flags;
    all.insert(all.end(), {"--timeout", "300ms"});
    const CommandResult result = Import(kvs, IntLine("a") + IntLine("b"), all);
    CHECK(result.status == 3);
    CHECK_THAT(result.err, ContainsText("kvs: lines 1 to 2: nothing was changed: the ledger cannot persist it"));
    CHECK_THAT(result.err, ContainsText("; 0 keys were imported before that, none from there on\n"));
  }
  auto import =
      std::async(std::launch::async, [&] { return Import(kvs, IntLine("a") + IntLine("b"), {"--timeout", "60s"}); });
  kvs.pair().StartLedger();
  CHECK(import.get().out == "imported 2 keys\n");
}

TEST_CASE("where there is no room for all keys, those before the first that has none are imported") {
  PairCli kvs([](server::Config& config) { config.max_keys = 5; });
  std::string input;
  for (int i = 0; i < 9; ++i) input += IntLine(absl::StrCat("k", i));
  const CommandResult result = Import(kvs, input);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsText("kvs: line 6: nothing was changed: there are 5 keys"));
  CHECK_THAT(result.err, ContainsText("; 5 keys were imported before that, none from there on\n"));
  CHECK(kvs.Out({"keys", "--type", "int"}) == "k0\nk1\nk2\nk3\nk4\n");
}

TEST_CASE("an import that is cut within a set leaves nothing of it") {
  PairCli kvs;
  const std::vector<std::string> lines = SetLines("s", 1000);
  REQUIRE(lines.size() == 5);
  for (size_t count = 1; count < lines.size(); ++count) {
    const CommandResult cut = Import(kvs, IntLine("a") + Joined(lines, count));
    CHECK(cut.status == 2);
    CHECK_THAT(cut.err, ContainsText(absl::StrCat("the input ends after line ", count + 1)));
    CHECK_THAT(cut.err, ContainsText("; 1 key was imported before that, none from there on\n"));
    CHECK(kvs.Out({"keys"}) == "int a\n");
  }
  CHECK(Import(kvs, IntLine("a") + Joined(lines, lines.size()), {"--if-absent"}).out ==
        "imported 1 key, left out 1 that is there\n");
  CHECK(kvs.Out({"set", "size", "s"}) == "1000\n");
}

TEST_CASE("of a set that is too large for one batch, what a cut import has left is completed by the next one") {
  PairCli kvs;
  const std::vector<std::string> lines = SetLines("large", 8000);
  const std::string all = Joined(lines, lines.size());
  const CommandResult cut = Import(kvs, IntLine("a") + Joined(lines, lines.size() - 1) + "x");
  CHECK(cut.status == 2);
  CHECK_THAT(cut.err, ContainsText("; 1 key was imported before that, none from there on; only a part of set large is "
                                   "there: run the import again, with --if-absent too, to complete it\n"));
  const int part = std::stoi(kvs.Out({"set", "size", "large"}));
  CHECK(part > 2000);
  CHECK(part < 8000);
  CHECK(kvs.Out({"keys", "--prefix", "kvs:import:"}) == "string kvs:import:set:large\n");
  const std::string marker = "kvs:import:set:large";
  CHECK_THAT(kvs.Out({"get", "string", marker}), ContainsText("only a part of set large"));

  SECTION("with --if-absent too") {
    CHECK(Import(kvs, all + IntLine("b"), {"--if-absent"}).out == "imported 2 keys\n");
    CHECK(kvs.Out({"set", "size", "large"}) == "8000\n");
    CHECK(Import(kvs, all, {"--if-absent"}).out == "imported 0 keys, left out 1 that is there\n");
  }
  SECTION("or replaced") {
    CHECK(Import(kvs, all).out == "imported 1 key\n");
    CHECK(kvs.Out({"set", "size", "large"}) == "8000\n");
  }
  SECTION("but one that was changed since is somebody's") {
    kvs.Out({"set", "add", "large", "mine"});
    CHECK(Import(kvs, all, {"--if-absent"}).out == "imported 0 keys, left out 1 that is there\n");
    CHECK(kvs.Out({"set", "size", "large"}) == absl::StrCat(part + 1, "\n"));
    return;
  }
  CHECK(kvs.Out({"keys", "--prefix", "kvs:import:"}).empty());
}

TEST_CASE("a large set does not expire before it is whole") {
  PairCli kvs;
  std::vector<std::string> lines = SetLines("large", 8000);
  const std::string expires_at =
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now() + absl::Hours(1), absl::UTCTimeZone());
  for (std::string& line : lines) {
    line.insert(line.find("\"value\""), absl::StrCat(R"("expiresAt":")", expires_at, R"(",)"));
  }
  CHECK(Import(kvs, Joined(lines, lines.size() - 1)).status == 2);
  CHECK(kvs.Out({"ttl", "set", "large"}) == "for ever\n");
  CHECK(Import(kvs, Joined(lines, lines.size())).out == "imported 1 key\n");
  CHECK(kvs.Out({"set", "size", "large"}) == "8000\n");
  CHECK_THAT(kvs.Out({"ttl", "set", "large"}), ContainsText("59m"));
}

TEST_CASE("a large set that is there is left alone with --if-absent, whoever put it") {
  PairCli kvs;
  kvs.Out({"put", "set", "large", "mine"});
  const std::vector<std::string> lines = SetLines("large", 8000);
  CHECK(Import(kvs, Joined(lines, lines.size()) + IntLine("a"), {"--if-absent"}).out ==
        "imported 1 key, left out 1 that is there\n");
  CHECK(kvs.Out({"get", "set", "large"}) == "mine\n");
}

}  // namespace
}  // namespace kvs::cli
