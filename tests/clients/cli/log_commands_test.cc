#include <absl/strings/match.h>

#include <fstream>

#include "common/sync.h"
#include "tests/clients/support/cli.h"
#include "tests/support/catch.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/file/file_txn_log.h"

namespace kvs::cli {
namespace {

// A ledger on the disk: two writers, three transactions in two frames.
class LedgerFiles {
 public:
  LedgerFiles() {
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
  LedgerFiles ledger;
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
  LedgerFiles ledger;
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
  LedgerFiles ledger;
  ledger.Close();
  CHECK_THAT(ledger.kvs({"log", "verify", ledger.path()}).out,
             ContainsText("end        closed: the server was stopped"));
  const std::string json = ledger.kvs({"log", "verify", ledger.path(), "--output", "json"}).out;
  CHECK_THAT(json, ContainsText("{\"good\":true,\"logId\":\""));
  CHECK_THAT(json, ContainsText("\"lastRevision\":\"3\",\"compactedRevision\":\"0\",\"snapshots\":\"0\","));
  CHECK_THAT(json, ContainsText("\"transactionFrames\":\"2\",\"live\":false,\"sealed\":true,\"closed\":true"));
}

TEST_CASE("verify shows how far it is to a person, and to no program") {
  LedgerFiles ledger;
  ledger.Close();
  CHECK(ledger.kvs({"log", "verify", ledger.path(), "--output", "json"}).err.empty());
  ledger.kvs.SetInteractive();
  const CommandResult watched = ledger.kvs({"log", "verify", ledger.path()});
  CHECK(watched.status == 0);
  CHECK_THAT(watched.err, ContainsText("\r\x1b[Kreading the ledger "));
  CHECK(absl::EndsWith(watched.err, "\r\x1b[K"));
}

TEST_CASE("a torn frame is told and is no damage") {
  LedgerFiles ledger;
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
  LedgerFiles ledger;
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

// A closed ledger on the disk with two snapshots, and without its first segments.
class CompactedLedger {
 public:
  CompactedLedger() {
    txn::FileTxnLogOptions options;
    options.directory = path();
    options.segment_bytes = txn::kMinSegmentBytes;
    options.compaction.min_bytes = 16 * kKiB;
    options.compaction.percent = 10;
    options.compaction.ballast_bytes = 0;
    options.compacted = [this](const txn::CompactionReport& report) {
      MutexLock lock(&mutex_);
      snapshot_id_ = report.snapshot.header.snapshot_id;
      changed_.SignalAll();
    };
    auto log = txn::OpenFileTxnLog(options);
    REQUIRE(log.ok());
    REQUIRE((*log)->BeginEpoch("writer").ok());
    // 11 frames of three sectors make a snapshot due.
    uint64_t revision = 0;
    for (uint64_t id = 1; id <= 3; ++id) {
      for (int i = 0; i < 11; ++i) {
        const txn::SampleFrame frame = txn::MakeFrame(++revision, 1, std::string(1000, 'x'));
        REQUIRE((*log)->Append(1, {frame.frame()}).ok());
      }
      MutexLock lock(&mutex_);
      while (snapshot_id_ < id) {
        if (changed_.WaitWithTimeout(&mutex_, absl::Seconds(60)) && snapshot_id_ < id) FAIL("no snapshot was made");
      }
    }
    REQUIRE((*log)->Close().ok());
    position_ = (*log)->position();
  }

  std::string path() const { return kvs.dir() / "data"; }
  std::string SnapshotPath(int id) const { return absl::StrCat(path(), "/000000000", id, ".snap"); }
  const txn::LogPosition& position() const { return position_; }

  void Damage(int id) const {
    std::fstream file(SnapshotPath(id), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(600);
    file.put('?');
    REQUIRE(file.good());
  }

  TestCli kvs;

 private:
  Mutex mutex_;
  CondVar changed_;
  uint64_t snapshot_id_ ABSL_GUARDED_BY(mutex_) = 0;
  txn::LogPosition position_;
};

TEST_CASE("verify tells the snapshots, and of what they stand for nothing else is there") {
  const CompactedLedger ledger;
  const uint64_t first = ledger.position().compacted_revision + 1;
  const uint64_t snapshot = ledger.position().snapshot_revision;
  REQUIRE(first > 1);
  const CommandResult text = ledger.kvs({"log", "verify", ledger.path()});
  INFO(text.out << text.err);
  CHECK(text.status == 0);
  CHECK_THAT(text.out, ContainsText(absl::StrCat("snapshots  2, the newest of revision ", snapshot, " with ", snapshot,
                                                 " keys in ")));
  CHECK_THAT(text.out,
             ContainsText(absl::StrCat("revisions  ", first, " to ", ledger.position().durable_revision, ", in ")));
  CHECK_THAT(text.out, ContainsText("verdict    good"));
  const std::string json = ledger.kvs({"log", "verify", ledger.path(), "--output", "json"}).out;
  CHECK_THAT(json, ContainsText(absl::StrCat("\"compactedRevision\":\"", first - 1,
                                             "\",\"snapshots\":\"2\",\"damagedSnapshots\":\"0\","
                                             "\"snapshotRevision\":\"",
                                             snapshot, "\",")));
}

TEST_CASE("a damaged snapshot is not good, though the ledger can be opened without it") {
  const CompactedLedger ledger;
  const int id = GENERATE(2, 3);
  ledger.Damage(id);
  const CommandResult text = ledger.kvs({"log", "verify", ledger.path()});
  INFO(text.out << text.err);
  CHECK(text.status == 1);
  CHECK_THAT(text.out, ContainsText("snapshots  1, "));
  CHECK_THAT(text.out, ContainsText("damaged    " + ledger.SnapshotPath(id) + "\nverdict    NOT GOOD"));
  CHECK_THAT(text.err, ContainsText(ledger.SnapshotPath(id)));
  CHECK_THAT(text.err, ContainsText("the ledger can be opened without it"));
  const std::string json = ledger.kvs({"log", "verify", ledger.path(), "--output", "json"}).out;
  CHECK_THAT(json, ContainsText("\"good\":false"));
  CHECK_THAT(json, ContainsText("\"damagedSnapshots\":\"1\""));
}

TEST_CASE("dump names a damaged snapshot without which the log is whole") {
  const CompactedLedger ledger;
  ledger.Damage(3);
  const CommandResult dumped = ledger.kvs({"log", "dump", ledger.path()});
  CHECK(dumped.status == 0);
  CHECK_THAT(dumped.err, ContainsText(ledger.SnapshotPath(3)));
  CHECK_THAT(dumped.err, ContainsText("the log is whole without it"));
}

TEST_CASE("a ledger of which all snapshots are damaged is not good, and says so alone") {
  const CompactedLedger ledger;
  ledger.Damage(2);
  ledger.Damage(3);
  const CommandResult text = ledger.kvs({"log", "verify", ledger.path()});
  INFO(text.out << text.err);
  CHECK(text.status == 1);
  CHECK_THAT(text.out, ContainsText("snapshots  none"));
  CHECK_THAT(text.out, ContainsText("verdict    NOT GOOD"));
  CHECK_THAT(text.err, ContainsText("there is no other snapshot"));
  CHECK(text.err.find("can be opened") == std::string::npos);
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
