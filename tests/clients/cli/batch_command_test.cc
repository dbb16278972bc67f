#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>

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

TEST_CASE("a line that is no operation is named, and nothing of its part is done") {
  PairCli kvs;
  for (const char* line : {"{\"intPut\":", "intPut", "{\"intShrink\":{}}", "{\"intPut\":{\"key\":5}}x"}) {
    INFO(line);
    kvs.cli().SetInput(Increment("a") + line);
    CHECK_THAT(kvs.Err(2, {"batch"}), ContainsText("line 2 is no operation as JSON"));
    CHECK_THAT(kvs.Err(2, {"batch", "--atomic"}), ContainsText("line 2 is no operation as JSON"));
  }
  CHECK(kvs.Out({"count"}) == "0\n");
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
