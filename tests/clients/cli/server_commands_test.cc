#include "tests/clients/support/free_port.h"
#include "tests/clients/support/pair_cli.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("echo") {
  PairCli kvs;
  CHECK(kvs.Out({"echo", "hello"}) == "hello\n");
  CHECK(kvs.Out({"echo", "hello,", "world", "-n"}) == "hello, world -n\n");
  CHECK(kvs.Out({"echo", "hello", "--output", "json"}) == "{\"message\":\"hello\",\"actor\":\"anonymous\"}\n");
}

TEST_CASE("status") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "1"});
  const std::string status = kvs.Out({"status"});
  CHECK_THAT(status, ContainsText("server    serving, version "));
  CHECK_THAT(status, ContainsText("ledger    connected, at 127.0.0.1:"));
  CHECK_THAT(status, ContainsText("revision  newest 1, durable 1"));
  CHECK_THAT(status, ContainsText("keys      int 1, uint 0, float 0, string 0, set 0, map 0"));
  CHECK_THAT(status, ContainsText("in all    keys 1, bytes "));
  CHECK_THAT(kvs.Out({"status", "--output", "json"}), ContainsText("\"state\":\"SERVER_STATE_SERVING\""));
}

TEST_CASE("health of both servers and of single services") {
  PairCli kvs;
  CHECK(kvs.Out({"health"}) == "SERVING\n");
  CHECK(kvs.Out({"health", "--service", "kvs.write"}) == "SERVING\n");
  CHECK(kvs.Out({"health", "--service", "kvs.v1.IntStore", "--output", "json"}) == "{\"status\":\"SERVING\"}\n");
  CHECK_THAT(kvs.Err(1, {"health", "--service", "nobody"}), ContainsText("no service nobody"));
  CHECK(kvs.Out({"health", "--address", "127.0.0.1:" + std::to_string(kvs.pair().ledger().port())}) == "SERVING\n");
}

TEST_CASE("without its ledger the server is healthy and takes no mutations") {
  PairCli kvs;
  kvs.Out({"put", "int", "a", "1"});
  kvs.pair().StopLedger();
  kvs.pair().AwaitNotWritable();
  const CommandResult write = kvs.Run({"health", "--service", "kvs.write"});
  CHECK(write.status == 1);
  CHECK(write.out == "NOT_SERVING\n");
  CHECK(kvs.Out({"health"}) == "SERVING\n");
  CHECK(kvs.Out({"get", "int", "a"}) == "1\n");
  CHECK_THAT(kvs.Err(3, {"put", "int", "a", "2", "--timeout", "1s"}), ContainsText("`kvs status` shows"));
}

TEST_CASE("a server that is not there") {
  TestCli kvs;
  kvs.SetVariable("KVS_PLAINTEXT", "true");
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"get", "int", "a"}, {"put", "int", "a", "1"}, {"keys"}, {"status"}, {"health"}}) {
    std::vector<std::string> with_address = words;
    with_address.insert(with_address.end(), {"--address", address});
    const CommandResult result = kvs(with_address);
    INFO(words[0]);
    CHECK(result.status == 3);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, ContainsText("Connection refused"));
    CHECK_THAT(result.err, ContainsText(address + "  (--address)"));
    CHECK_THAT(result.err, ContainsText("looked at:\n  flags: --address"));
    CHECK_THAT(result.err, ContainsText("`kvs doctor`"));
  }
}

}  // namespace
}  // namespace kvs::cli
