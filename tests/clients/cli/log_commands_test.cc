#include <fstream>

#include "tests/clients/support/cli.h"
#include "tests/support/catch.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/file/file_txn_log.h"

namespace kvs::cli {
namespace {

// A ledger on the disk: two writers, three transactions in two frames.
class Ledger {
 public:
  Ledger() {
    Open();
    Append(txn::MakeFrame(1, 2, "first\n"));
    log_.reset();
    Open();
    Append(txn::MakeFrame(3, 1, "second"));
  }

  void Close() {
    REQUIRE(log_->Close().ok());
    log_.reset();
  }
  // As after kill -9.
  void Abandon() { log_.reset(); }

  // As after a power cut while a frame of several sectors was being written.
  void Tear() {
    Append(txn::MakeFrame(4, 1, std::string(2000, 'x')));
    Abandon();
    std::fstream file(path() + "/0000000002.log", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2048);
    for (int i = 0; i < 512; ++i) file.put('\0');
    REQUIRE(file.good());
  }

  // Changes one byte of the first file.
  void FlipByte(int64_t offset) const {
    std::fstream file(path() + "/0000000001.log", std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get());
    file.seekp(offset);
    file.put(static_cast<char>(byte ^ 1));
    REQUIRE(file.good());
  }

  std::string path() const { return kvs.dir() / "data"; }

  TestCli kvs;

 private:
  void Open() {
    auto log = txn::OpenFileTxnLog({.directory = path(), .segment_bytes = 64 * kKiB});
    INFO(log.status());
    REQUIRE(log.ok());
    log_ = *std::move(log);
    const auto epoch = log_->BeginEpoch("writer");
    REQUIRE(epoch.ok());
    epoch_ = *epoch;
  }
  void Append(const txn::SampleFrame& frame) {
    const txn::Frame frames[] = {frame.frame()};
    REQUIRE(log_->Append(epoch_, frames).ok());
  }

  std::unique_ptr<txn::TxnLog> log_;
  uint64_t epoch_ = 0;
};

TEST_CASE("dump prints frames and transactions") {
  Ledger ledger;
  ledger.Close();
  const CommandResult text = ledger.kvs({"log", "dump", ledger.path()});
  INFO(text.out << text.err);
  CHECK(text.status == 0);
  CHECK(text.err.empty());
  CHECK_THAT(text.out, ContainsText("# epoch in " + ledger.path() + "/0000000001.log at 512, epoch 1\n"));
  CHECK_THAT(text.out, ContainsText("epoch 1, revisions 1 to 2\n"
                                    "1 2023-11-14T22:13:20.000001Z string \"key-1\" put \"first\\n\", by "
                                    "spiffe://kvs/client/test\n"
                                    "2 2023-11-14T22:13:20.000002Z string \"key-2\" put "));
  CHECK_THAT(text.out, ContainsText("epoch 2, revisions 3 to 3\n3 "));

  const std::string json = ledger.kvs({"log", "dump", ledger.path(), "--output", "json"}).out;
  CHECK_THAT(json, ContainsText("{\"frame\":\"transactions\",\"file\":\"" + ledger.path() + "/0000000001.log\","));
  CHECK_THAT(json, ContainsText(
                       R"("type":"string","key":"key-3","previousRevision":"0","operation":"put","value":"second"})"));
}

TEST_CASE("verify tells what there is and how it ends") {
  Ledger ledger;
  const auto verify = [&] {
    const CommandResult result = ledger.kvs({"log", "verify", ledger.path()});
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    return result.out;
  };
  CHECK_THAT(verify(), ContainsText("end        moving: a server is using the ledger"));
  ledger.Abandon();
  CHECK_THAT(verify(), ContainsText("not sealed"));
  CHECK_THAT(verify(), ContainsText("revisions  1 to 3, in 2 frames"));
  CHECK_THAT(verify(), ContainsText("epoch 2\n"));
  CHECK_THAT(verify(), ContainsText("verdict    good"));
}

TEST_CASE("verify of a ledger that was closed") {
  Ledger ledger;
  ledger.Close();
  CHECK_THAT(ledger.kvs({"log", "verify", ledger.path()}).out, ContainsText("end        sealed"));
  const std::string json = ledger.kvs({"log", "verify", ledger.path(), "--output", "json"}).out;
  CHECK_THAT(json, ContainsText("{\"good\":true,\"logId\":\""));
  CHECK_THAT(json, ContainsText("\"lastRevision\":\"3\",\"compactedRevision\":\"0\",\"snapshots\":\"0\","));
  CHECK_THAT(json, ContainsText("\"transactionFrames\":\"2\",\"live\":false,\"sealed\":true"));
}

TEST_CASE("a torn frame is told and is no damage") {
  Ledger ledger;
  ledger.Tear();
  const CommandResult verify = ledger.kvs({"log", "verify", ledger.path()});
  INFO(verify.out << verify.err);
  CHECK(verify.status == 0);
  CHECK_THAT(verify.out, ContainsText("was not written to its end"));
  CHECK_THAT(verify.out, ContainsText("revisions  1 to 3, "));
  const CommandResult dump = ledger.kvs({"log", "dump", ledger.path()});
  CHECK(dump.status == 0);
  CHECK_THAT(dump.err, ContainsText("was not written to its end"));
  CHECK_THAT(ledger.kvs({"log", "verify", ledger.path(), "--output", "json"}).out, ContainsText("\"torn\":true"));
}

TEST_CASE("damage ends with 1 and says where it is") {
  Ledger ledger;
  ledger.Close();
  ledger.FlipByte(1024 + 100);  // in the first frame of transactions
  const CommandResult verify = ledger.kvs({"log", "verify", ledger.path()});
  INFO(verify.out << verify.err);
  CHECK(verify.status == 1);
  CHECK_THAT(verify.out, ContainsText("verdict    NOT GOOD"));
  CHECK_THAT(verify.err, ContainsText("0000000001.log"));
  CHECK_THAT(verify.err, ContainsText("1024"));
  const CommandResult json = ledger.kvs({"log", "verify", ledger.path(), "--output", "json"});
  CHECK_THAT(json.out, ContainsText("\"damage\":{\"file\":\""));
  CHECK_THAT(json.err, ContainsText("DAMAGED_LOG"));

  const CommandResult dump = ledger.kvs({"log", "dump", ledger.path()});
  CHECK(dump.status == 1);
  CHECK_THAT(dump.out, ContainsText("# epoch in "));
  CHECK(dump.out.find("key-1") == std::string::npos);
  CHECK_THAT(dump.err, ContainsText("0000000001.log"));
}

TEST_CASE("a folder without a ledger") {
  const TestCli kvs;
  for (const char* verb : {"dump", "verify"}) {
    CHECK(kvs({"log", verb, kvs.dir().path()}).status == 1);
    const CommandResult absent = kvs({"log", verb, kvs.dir() / "absent"});
    CHECK(absent.status == 1);
    CHECK_THAT(absent.err, ContainsText("does not exist"));
  }
}

}  // namespace
}  // namespace kvs::cli
