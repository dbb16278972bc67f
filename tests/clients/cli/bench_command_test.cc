// bench against a real pair, in runs of a moment.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <atomic>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/clients/support/free_port.h"
#include "tests/clients/support/pair_cli.h"
#include "tests/clients/support/scripted_server.h"
#include "tests/support/catch.h"
#include "tests/support/gate.h"

namespace kvs::cli {
namespace {

using Words = std::vector<std::string>;

// The last one of a flag counts.
Words Bench(const Words& words) {
  Words all = {"bench", "--keys", "100", "--duration", "50ms", "--warmup", "0", "--output", "json"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

// The numbers of a result.
std::map<std::string, double> Numbers(const std::string& json) {
  google::protobuf::Struct object;
  INFO(json);
  REQUIRE(google::protobuf::util::JsonStringToMessage(json, &object).ok());
  std::map<std::string, double> numbers;
  for (const auto& [name, value] : object.fields()) numbers[name] = value.number_value();
  return numbers;
}

TEST_CASE("bench measures every verb, however it travels") {
  const PairCli cli;
  cli.Out(Bench({"mixed", "--via", "batch", "--fill"}));
  const std::vector<Words> loads = {
      {"get"},
      {"put"},
      {"incr"},
      {"mixed", "--reads", "30"},
      {"get", "--type", "int"},
      {"put", "--type", "int"},
      {"get", "--batch", "10"},
      {"put", "--batch", "10"},
      {"incr", "--batch", "10"},
      {"get", "--batch", "10", "--type", "int"},
      {"put", "--batch", "10", "--type", "int"},
      {"mixed", "--batch", "10"},
      {"get", "--batch", "10", "--via", "batch"},
      {"put", "--batch", "10", "--via", "batch", "--type", "int"},
      {"put", "--batch", "10", "--via", "atomic"},
      {"incr", "--batch", "10", "--via", "batch"},
      {"mixed", "--batch", "10", "--via", "atomic"},
      {"get", "--batch", "10", "--via", "pipeline"},
      {"put", "--batch", "10", "--via", "pipeline"},
      {"get", "--batch", "10", "--via", "pipeline", "--type", "int"},
      {"put", "--batch", "10", "--via", "pipeline", "--type", "int"},
      {"incr", "--batch", "10", "--via", "pipeline"},
      {"mixed", "--batch", "10", "--via", "pipeline"},
      {"get", "--threads", "2"},
  };
  for (const Words& load : loads) {
    INFO(absl::StrJoin(load, " "));
    const auto numbers = Numbers(cli.Out(Bench(load)));
    const double batch = load.size() > 2 && load[1] == "--batch" ? 10 : 1;
    CHECK(numbers.at("errors") == 0);
    CHECK(numbers.at("operations") == numbers.at("calls") * batch);
    // On a busy machine nothing may be answered in so short a time, but it is later.
    CHECK(numbers.at("operations_in_all") > 0);
    CHECK(numbers.at("operations_in_all") >= numbers.at("operations"));
    CHECK((numbers.at("p50_us") > 0) == (numbers.at("calls") > 0));
    CHECK(numbers.at("p50_us") <= numbers.at("p99_us"));
    CHECK(numbers.at("p99_us") <= numbers.at("p999_us"));
    CHECK(numbers.at("p999_us") <= numbers.at("max_us"));
  }
}

TEST_CASE("bench --fill puts every key once, with the sizes asked for") {
  const PairCli cli;
  cli.Out(Bench({"get", "--fill", "--key-size", "20", "--value-size", "5"}));
  CHECK(cli.Out({"count", "--type", "string"}) == "100\n");
  CHECK(cli.Out({"get", "string", "bench:00000000000099"}) == "vvvvv\n");
}

TEST_CASE("bench changes what it says that it changes") {
  const PairCli cli;
  const auto numbers = Numbers(cli.Out(Bench({"incr", "--keys", "1"})));
  CHECK(cli.Out({"get", "int", "bench:0000000000"}) ==
        absl::StrCat(static_cast<uint64_t>(numbers.at("operations_in_all")), "\n"));
}

TEST_CASE("bench --rate sends no more than that, and no less") {
  const PairCli cli;
  cli.Out(Bench({"get", "--fill"}));
  const auto numbers = Numbers(cli.Out(Bench({"get", "--rate", "200", "--duration", "500ms"})));
  CHECK(numbers.at("operations_in_all") == numbers.at("calls"));
  // None is left out but where the machine is so busy that the time is up before.
  CHECK(numbers.at("calls") + numbers.at("unsent") == 100);
}

TEST_CASE("bench counts latencies from the time at which a message was due, and tells of those that it never sent") {
  const PairCli cli;
  cli.Out(Bench({"get", "--fill"}));
  // Far more than can be sent one after the other.
  const auto numbers =
      Numbers(cli.Out(Bench({"get", "--rate", "10000000", "--outstanding", "1", "--connections", "1"})));
  CHECK(numbers.at("unsent") > 100'000);
  CHECK(std::abs(numbers.at("calls") + numbers.at("unsent") - 500'000) <= 2);
  // The last one was due at once, and was answered when the time was up.
  CHECK(numbers.at("max_us") > 45'000);
}

TEST_CASE("bench at a rate that is too much tells what the server did meanwhile, and how late that was") {
  const PairCli cli;
  cli.Out(Bench({"get", "--fill"}));
  // What is sent after the warm-up was due in it.
  const auto numbers = Numbers(
      cli.Out(Bench({"get", "--rate", "10000000", "--outstanding", "1", "--connections", "1", "--warmup", "100ms"})));
  CHECK(numbers.at("operations_per_second") > 0);
  CHECK(numbers.at("calls_per_second") == numbers.at("operations_per_second"));
  CHECK(numbers.at("p50_us") > 90'000);
}

TEST_CASE("bench ends with 1 and the reason when operations fail") {
  const PairCli cli;
  for (const Words& load :
       {Words{"get"}, Words{"mixed"}, Words{"get", "--batch", "10"}, Words{"get", "--batch", "5", "--via", "batch"},
        Words{"get", "--batch", "5", "--via", "pipeline"}}) {
    Words words = {"bench", "--keys", "1000000", "--duration", "50ms", "--warmup", "0"};
    words.insert(words.end(), load.begin(), load.end());
    const CommandResult result = cli.Run(words);
    INFO(absl::StrJoin(load, " ") << "\n" << result.out << result.err);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, ContainsText("--fill puts every key first"));
  }
  // Most of them are not put.
  const CommandResult batch = cli.Run({"bench", "get", "--keys", "1000000", "--batch", "10", "--duration", "100ms"});
  CHECK_THAT(batch.out, ContainsText("there is no key"));
}

TEST_CASE("bench gives up when everything fails") {
  ScriptedServer server;
  TestCli cli;
  cli.SetVariable("KVS_ADDRESS", server.address()).SetVariable("KVS_PLAINTEXT", "true");
  const CommandResult result = cli({"bench", "get", "--type", "string", "--duration", "1h"});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsText("does not know this call"));
  const CommandResult stream = cli({"bench", "get", "--batch", "10", "--via", "pipeline", "--duration", "1h"});
  CHECK(stream.status == 1);
  CHECK_THAT(stream.err, ContainsText("does not know this call"));
}

TEST_CASE("bench gives up when nothing is answered within the timeout") {
  Gate gate;
  PairCli cli;
  cli.pair().storage().SetBeforeAppend(gate.Hook());
  for (const Words& how : {Words{}, Words{"--batch", "10", "--via", "pipeline"}}) {
    Words words = {"bench", "put", "--timeout", "300ms", "--duration", "1h"};
    words.insert(words.end(), how.begin(), how.end());
    CHECK_THAT(cli.Err(3, words), ContainsText("nothing was answered for 300ms"));
  }
  gate.Open();
  cli.pair().storage().SetBeforeAppend(nullptr);
}

TEST_CASE("bench tells what it measured until it gave up") {
  Gate gate;
  std::atomic<int> appends = 0;
  PairCli cli;
  cli.pair().storage().SetBeforeAppend([&, hook = gate.Hook()] { return ++appends > 5 ? hook() : absl::OkStatus(); });
  const CommandResult result =
      cli.Run({"bench", "put", "--timeout", "300ms", "--duration", "1h", "--warmup", "0", "--output", "json"});
  gate.Open();
  cli.pair().storage().SetBeforeAppend(nullptr);
  CHECK(result.status == 3);
  CHECK_THAT(result.err, ContainsText("nothing was answered for 300ms"));
  const auto numbers = Numbers(result.out);
  CHECK(numbers.at("operations") > 0);
  CHECK(numbers.at("operations") == numbers.at("calls"));
  // What was cancelled is no part of it.
  CHECK(numbers.at("errors") == 0);
  CHECK(numbers.at("max_us") < 300'000);
}

TEST_CASE("bench has no numbers if it gives up in the warm-up, and says so") {
  Gate gate;
  PairCli cli;
  cli.pair().storage().SetBeforeAppend(gate.Hook());
  const CommandResult result = cli.Run({"bench", "put", "--timeout", "300ms", "--duration", "1h", "--warmup", "200ms"});
  gate.Open();
  cli.pair().storage().SetBeforeAppend(nullptr);
  CHECK(result.status == 3);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, ContainsText("nothing was measured: it was over before the end of the warm-up"));
}

TEST_CASE("bench tells that nothing answers at the address") {
  TestCli cli;
  cli.SetVariable("KVS_PLAINTEXT", "true");
  const Listener listener;
  const CommandResult result =
      cli({"bench", "get", "--address", "localhost:" + std::to_string(listener.port()), "--timeout", "200ms"});
  CHECK(result.status == 3);
  CHECK_THAT(result.err, ContainsText("within the timeout; nothing was sent"));
}

TEST_CASE("bench tells at once that no server is there, and why") {
  TestCli cli;
  cli.SetVariable("KVS_PLAINTEXT", "true");
  const absl::Time begin = absl::Now();
  const CommandResult result = cli({"bench", "get", "--address", "localhost:1", "--timeout", "1h"});
  CHECK(result.status == 3);
  CHECK_THAT(result.err, ContainsText("Connection refused") && ContainsText("nothing was sent"));
  CHECK(absl::Now() - begin < absl::Minutes(1));
}

TEST_CASE("bench prints lines for people") {
  const PairCli cli;
  const CommandResult result =
      cli.Run({"bench", "put", "--fill", "--keys", "10", "--duration", "20ms", "--warmup", "0"});
  INFO(result.out);
  CHECK(result.status == 0);
  CHECK_THAT(result.out, ContainsText("calls  ") && ContainsText("operations  ") && ContainsText("p99.9 ") &&
                             ContainsText("errors      none\n"));
  CHECK_THAT(result.err, ContainsText("putting 10 keys first"));
}

TEST_CASE("bench refuses what it does not know") {
  const TestCli cli;
  const auto error = [&](const Words& words) {
    Words all = {"bench"};
    all.insert(all.end(), words.begin(), words.end());
    const CommandResult result = cli(all);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    return result.err;
  };
  CHECK_THAT(error({"mixed", "--via", "atomic", "--type", "int"}), ContainsText("leave --type out"));
  CHECK_THAT(error({"delete"}), ContainsText("what to do is one of get put incr mixed, not delete"));
  CHECK_THAT(error({"get", "--type", "set"}), ContainsText("--type is one of int string, not set"));
  CHECK_THAT(error({"get", "--via", "post"}), ContainsText("--via is one of unary multi batch atomic pipeline"));
  CHECK_THAT(error({"get", "--keys", "many"}), ContainsText("--keys=many: "));
  CHECK_THAT(error({"get", "--duration", "5"}), ContainsText("--duration=5: "));
  CHECK_THAT(error({"get", "--connections", "0"}), ContainsText("--connections must be 1 to 1000, not 0"));
  CHECK_THAT(error({"incr", "--type", "string"}), ContainsText("incr is for --type int"));
  CHECK_THAT(error({"put", "--reads", "30"}), ContainsText("--reads is for mixed"));
}

}  // namespace
}  // namespace kvs::cli
