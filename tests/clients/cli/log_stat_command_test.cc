#include "tests/clients/support/cli.h"
#include "tests/support/catch.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/file/file_txn_log.h"

namespace kvs::cli {
namespace {

TEST_CASE("stat tells what a ledger holds, as text and as JSON") {
  const TestCli kvs;
  const std::string path = kvs.dir() / "data";
  {
    auto log = txn::OpenFileTxnLog({.directory = path, .segment_bytes = 64 * kKiB});
    REQUIRE(log.ok());
    const auto epoch = (*log)->BeginEpoch("writer");
    REQUIRE(epoch.ok());
    REQUIRE((*log)->Append(*epoch, {txn::MakeFrame(1, 3).frame()}).ok());
    const CommandResult live = kvs({"log", "stat", path});
    CHECK_THAT(live.out, ContainsText(", epoch 1, in use\n"));
    REQUIRE((*log)->Close().ok());
  }
  const CommandResult text = kvs({"log", "stat", path});
  INFO(text.out << text.err);
  CHECK(text.status == 0);
  CHECK_THAT(text.out, ContainsText(", epoch 1\n"));
  CHECK_THAT(text.out, ContainsText("segments   1 in 65536 bytes, "));
  CHECK_THAT(text.out, ContainsText("snapshots  none, "));
  CHECK_THAT(text.out, ContainsText("revisions  newest 3 of 2023-11-14T22:13:20.000003Z, history from 1\n"));
  CHECK_THAT(text.out, ContainsText("keys       3: int 0, uint 0, float 0, string 3, set 0, map 0\n"));
  const CommandResult json = kvs({"log", "stat", path, "--output=json"});
  CHECK_THAT(json.out, ContainsText("\"lastRevision\":\"3\",\"compactedRevision\":\"0\""));
  CHECK_THAT(json.out, ContainsText("\"string\":\"3\""));
}

TEST_CASE("an unknown output is a mistake in the command") {
  const TestCli kvs;
  for (const char* command : {"stat", "verify", "dump"}) {
    const CommandResult result = kvs({"log", command, kvs.dir().path(), "--output", "yaml"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsText("must be text or json, not \"yaml\""));
  }
}

TEST_CASE("stat of what is no ledger is refused") {
  const TestCli kvs;
  const CommandResult result = kvs({"log", "stat", kvs.dir().path()});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsText("holds no ledger"));
}

}  // namespace
}  // namespace kvs::cli
