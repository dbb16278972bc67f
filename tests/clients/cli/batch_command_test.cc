#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <functional>
#include <future>
#include <sstream>
#include <utility>

#include "clients/cli/input.h"
#include "common/limits.h"
#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

using Words = std::vector<std::string>;

std::string Increment(const std::string& key) { return R"({"intIncrement":{"key":")" + key + "\"}}\n"; }

TEST_CASE("every line is an operation, and every result a line") {
  PairCli kvs;
  kvs.cli().SetInput(R"({"intPut":{"key":"a","value":"41"}}

  {"int_increment":{"key":"a"}}
{"intGet":{"key":"a"}})");
  CHECK(kvs.Out({"batch"}) ==
        R"({"intPut":{"replaced":false,"revision":"1"}}
{"intIncrement":{"previous":"41","value":"42","revision":"2"}}
{"intGet":{"value":"42","revision":"2"}}
)");
  CHECK(kvs.Out({"get", "int", "a"}) == "42\n");
}

TEST_CASE("what fails is told in its place, and by the exit status") {
  PairCli kvs;
  kvs.cli().SetInput(R"({"intGet":{"key":"a"}})"
                     "\n" +
                     Increment("a"));
  const CommandResult result = kvs.Run({"batch"});
  CHECK(result.status == 1);
  CHECK(result.err.empty());
  CHECK_THAT(result.out, ContainsText(R"({"error":{"code":5,)"));
  CHECK_THAT(result.out, ContainsText(R"("reason":"KEY_NOT_FOUND")"));
  CHECK_THAT(result.out, ContainsText("}\n{\"intIncrement\":{\"previous\":\"0\",\"value\":\"1\""));
}

TEST_CASE("an operation on many keys fails if one of them does") {
  PairCli kvs;
  kvs.cli().SetInput(R"({"intMultiPut":{"keys":["a","","b"],"values":["1","2","3"]}})");
  const CommandResult result = kvs.Run({"batch"});
  CHECK(result.status == 1);
  CHECK_THAT(result.out, ContainsText(R"("reason":"INVALID_KEY")"));
  kvs.cli().SetInput(R"({"intMultiPut":{"keys":["a","b"],"values":["1","3"]}})");
  CHECK(kvs.Run({"batch"}).status == 0);
}

TEST_CASE("with --atomic all lines are done, or none of them, and the one that failed is named") {
  PairCli kvs;
  kvs.cli().SetInput(Increment("a") + "\n" + Increment("a"));
  CHECK_THAT(kvs.Out({"batch", "--atomic"}), ContainsText(R"("value":"2","revision":"2")"));
  kvs.cli().SetInput(Increment("a") + "\n\n" + R"({"intGet":{"key":"missing"}})");
  const CommandResult failed = kvs.Run({"batch", "--atomic"});
  CHECK(failed.status == 1);
  CHECK(failed.out.empty());
  CHECK_THAT(failed.err, ContainsText("kvs: line 4: there is no key \"missing\""));
  CHECK_THAT(kvs.Err(1, {"batch", "--atomic", "--output", "json"}), ContainsText(R"("reason":"KEY_NOT_FOUND")"));
  CHECK(kvs.Out({"get", "int", "a"}) == "2\n");
}

TEST_CASE("a line that is no operation is named: those before it are done, and none after it") {
  PairCli kvs;
  int done = 0;
  for (const char* line : {"{\"intPut\":", "intPut", "{\"intShrink\":{}}", "{\"intPut\":{\"key\":5}}x"}) {
    INFO(line);
    kvs.cli().SetInput(Increment("a") + Increment("a") + line + "\n" + Increment("a"));
    const CommandResult result = kvs.Run({"batch"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsText("line 3 is no operation as JSON"));
    CHECK_THAT(result.err,
               ContainsText("; the 2 operations before it have their results, nothing after that was done\n"));
    CHECK(std::count(result.out.begin(), result.out.end(), '\n') == 2);
    done += 2;
    CHECK(kvs.Out({"get", "int", "a"}) == std::to_string(done) + "\n");
    CHECK_THAT(kvs.Err(2, {"batch", "--atomic"}), ContainsText("; nothing was done\n"));
    CHECK(kvs.Out({"get", "int", "a"}) == std::to_string(done) + "\n");
  }
  kvs.cli().SetInput("x");
  CHECK_THAT(kvs.Err(2, {"batch"}), ContainsText("; nothing was done\n"));
  kvs.cli().SetInput(Increment("a") + "x");
  CHECK_THAT(kvs.Err(2, {"batch"}), ContainsText("; the 1 operation before it has its result, nothing"));
}

// What comes at once, before it pauses. Calls `on_pause` when somebody waits for more.
class PausingInput final : public Input {
 public:
  PausingInput(std::vector<std::string> pieces, std::function<void(size_t)> on_pause)
      : pieces_(std::move(pieces)), on_pause_(std::move(on_pause)) {}

  absl::StatusOr<size_t> Read(char* to, size_t size) override {
    if (next_ > 0) on_pause_(next_);
    if (next_ == pieces_.size()) return absl::FailedPreconditionError("cannot read the standard input: worn out");
    return pieces_[next_++].copy(to, size);
  }
  bool IsReady() override { return next_ == 0; }

 private:
  const std::vector<std::string> pieces_;
  const std::function<void(size_t)> on_pause_;
  size_t next_ = 0;
};

TEST_CASE("results come when the input pauses, also in the middle of a line, and a read error is not the end") {
  const PairCli kvs;
  std::ostringstream out;
  std::ostringstream err;
  std::vector<int64_t> lines;
  const auto count = [&](size_t) {
    const std::string text = out.str();
    lines.push_back(std::count(text.begin(), text.end(), '\n'));
  };
  PausingInput in({Increment("a") + Increment("a") + R"({"intGet":)", R"({"key":"a"}})", "\n" + Increment("a")}, count);
  CHECK(Run({"batch"}, kvs.cli().MakeEnvironment(in, out, err)) == 1);
  CHECK(lines == std::vector<int64_t>{2, 2, 4});
  CHECK(err.str() ==
        "kvs: cannot read the standard input: worn out; the 4 operations before it have their results, nothing after "
        "that was done\n");
  PausingInput atomic({Increment("a")}, [](size_t) {});
  const CommandResult result = kvs.cli().Run({"batch", "--atomic"}, atomic);
  CHECK(result.status == 1);
  CHECK(result.err == "kvs: cannot read the standard input: worn out; nothing was done\n");
  CHECK(kvs.Out({"get", "int", "a"}) == "3\n");
}

TEST_CASE("while the ledger is away a batch is repeated, and ends with 3 when the time is over") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "1"});
  kvs.pair().StopLedger();
  kvs.pair().AwaitNotWritable();
  kvs.cli().SetInput(R"({"intGet":{"key":"a"}})"
                     "\n" +
                     Increment("a"));
  const CommandResult result = kvs.Run({"batch", "--timeout", "300ms"});
  CHECK(result.status == 3);
  CHECK_THAT(result.out, ContainsText(R"({"intGet":{"value":"1")"));
  CHECK_THAT(result.out, ContainsText("NOT_APPLIED"));
  CHECK_THAT(result.err, ContainsText("kvs: line 2: nothing was changed: the ledger cannot persist it"));
  CHECK_THAT(result.err,
             ContainsText("; the 2 operations up to line 2 have their results, nothing after that was done"));
  CHECK_THAT(kvs.Err(3, {"batch", "--atomic", "--timeout", "300ms"}), ContainsText("nothing was changed"));
  auto batch = std::async(std::launch::async, [&] { return kvs.Run({"batch", "--timeout", "60s"}); });
  kvs.pair().StartLedger();
  CHECK(batch.get().status == 0);
  CHECK(kvs.Out({"get", "int", "a"}) == "2\n");
}

TEST_CASE("what was done is told when the results cannot be written") {
  const PairCli kvs;
  TextInput in(Increment("a"));
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  CHECK(Run({"batch"}, kvs.cli().MakeEnvironment(in, out, err)) == 1);
  CHECK_THAT(err.str(),
             ContainsText("cannot write to the standard output; the 1 operation up to line 1 has its result"));
  CHECK(kvs.Out({"get", "int", "a"}) == "1\n");
}

TEST_CASE("what does not fit into a request is told with what to do") {
  PairCli kvs;
  const std::string text(kMiB, 'x');
  std::string puts;
  for (int i = 0; i < 5; ++i) puts += absl::StrCat(R"({"stringPut":{"key":"k)", i, R"(","value":")", text, "\"}}\n");
  kvs.cli().SetInput(puts);
  CHECK_THAT(kvs.Err(2, {"batch", "--atomic"}), ContainsText("an atomic batch has room for 4 MiB: divide it"));
  std::string keys;
  for (int i = 0; i < 4500; ++i) absl::StrAppend(&keys, i == 0 ? "" : ",", "\"", std::string(1000, 'k'), "\"");
  const std::string get = R"({"intMultiGet":{"keys":[)" + keys + "]}}\n";
  kvs.cli().SetInput(Increment("a") + get);
  CHECK_THAT(kvs.Err(2, {"batch"}), ContainsText("line 2 is an operation of 4"));
  CHECK_THAT(kvs.Err(2, {"batch"}), ContainsText("divide it into several; the 1 operation before it has its result"));
  CHECK(kvs.Out({"get", "int", "a"}) == "2\n");
  // One that just fits alone, behind others that do with less.
  kvs.cli().SetInput(R"({"stringPut":{"key":"k","value":")" + text.substr(0, 900'000) + "\"}}\n" +
                     R"({"intMultiGet":{"keys":[)" + keys.substr(0, 4000 * 1003 - 1) + "]}}\n" + Increment("a"));
  CHECK_THAT(kvs.Out({"batch"}), ContainsText(R"({"intIncrement":{"previous":"2")"));
}

TEST_CASE("no input is no operations") {
  PairCli kvs;
  CHECK(kvs.Out({"batch"}).empty());
  CHECK(kvs.Out({"batch", "--atomic"}).empty());
}

TEST_CASE("any number of lines is done in parts, in order") {
  PairCli kvs;
  std::string input;
  for (int i = 0; i < 2500; ++i) input += Increment("a");
  kvs.cli().SetInput(input);
  const std::vector<std::string> lines = absl::StrSplit(kvs.Out({"batch"}), '\n', absl::SkipEmpty());
  REQUIRE(lines.size() == 2500);
  CHECK_THAT(lines.back(), ContainsText(R"("value":"2500")"));
  CHECK_THAT(kvs.Out({"batch", "--atomic"}), ContainsText(R"("value":"5000")"));
  for (int i = 0; i < 7501; ++i) input += Increment("a");
  kvs.cli().SetInput(input);
  CHECK_THAT(kvs.Err(1, {"batch", "--atomic"}), ContainsText("over the limit of 10000"));
}

TEST_CASE("results that do not fit into one reply come in several") {
  PairCli kvs;
  const std::string text(kMiB, 'x');
  std::string input;
  for (int i = 0; i < 5; ++i) input += absl::StrCat(R"({"stringPut":{"key":"k)", i, R"(","value":")", text, "\"}}\n");
  for (int i = 0; i < 5; ++i) input += absl::StrCat(R"({"stringGet":{"key":"k)", i, "\"}}\n", Increment("a"));
  kvs.cli().SetInput(input);
  const std::string out = kvs.Out({"batch"});
  CHECK(std::count(out.begin(), out.end(), '\n') == 15);
  CHECK(out.find("error") == std::string::npos);
  CHECK(kvs.Out({"get", "int", "a"}) == "5\n");
}

}  // namespace
}  // namespace kvs::cli
