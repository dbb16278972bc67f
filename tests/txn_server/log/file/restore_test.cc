#include "txn_server/log/file/restore.h"

#include "tests/support/catch.h"
#include "tests/support/fault_injection.h"
#include "tests/support/file_ledger.h"
#include "tests/support/text_state.h"
#include "txn_server/log/file/backup.h"
#include "txn_server/log/file/new_ledger.h"
#include "txn_server/log/file/read_only_log.h"

namespace kvs::txn {
namespace {

using FileOperation = MemoryFileSystem::Operation;

// A ledger that begins with a snapshot of another one, and its backup in /backup.
class Restorable {
 public:
  Restorable() {
    ledger_.Start();
    for (int i = 0; i < 40; ++i) ledger_.Write(1, std::string(300, 'x'));
    ledger_.Stop();
    MakeWithSnapshot("/other", 40);
    MakeWithSnapshot("/source", 30);
    REQUIRE(BackUpLog({"/source", "/backup", nullptr, &files()}).status() == absl::OkStatus());
  }

  MemoryFileSystem& files() { return ledger_.files(); }

  absl::StatusOr<RestoreReport> Restore() { return RestoreLog({"/backup", "/new", nullptr, &files()}); }

  // A restore must be refused as damage, and nothing may be left of it.
  void CheckRefused(const std::string& because) {
    const auto report = Restore();
    INFO(report.status());
    CHECK(Is(report.status(), errors::kDamagedLog));
    CHECK_THAT(std::string(report.status().message()), ContainsText(because));
    CheckNothingMade();
  }
  void CheckNothingMade() {
    CHECK(files().List("/new")->empty());
    CHECK(files().List("/new.partial")->empty());
  }

  std::map<std::string, std::string> Backup() {
    std::map<std::string, std::string> all;
    const auto names = files().List("/backup");
    for (const std::string& name : *names) all[name] = files().Contents("/backup/" + name);
    return all;
  }
  void Put(const std::string& name, const std::string& bytes) { files().SetContents("/backup/" + name, bytes); }

 private:
  class Puts : public SnapshotCursor {
   public:
    explicit Puts(std::string bytes) : bytes_(std::move(bytes)) {}
    absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
      if (std::exchange(done_, true)) return std::nullopt;
      return SnapshotChunk{bytes_};
    }

   private:
    const std::string bytes_;
    bool done_ = false;
  };

  // A snapshot of revision `revision`, and ten transactions.
  void MakeWithSnapshot(const std::string& directory, uint64_t revision) {
    const auto made = CreateLedger({directory, FileLedger::kSmallSegment, &files()}, [&](TxnLog& log) {
      auto puts = std::make_unique<Puts>(MakeFrame(1, 5, "old").bytes);
      absl::Status status = log.Import({revision, 7, "writer", 1'700'000'000'000'000}, std::move(puts));
      for (uint64_t i = 1; status.ok() && i <= 10; ++i) {
        status = log.Append(7, {MakeFrame(revision + i, 1, std::string(1000, 'y')).frame()});
      }
      return status;
    });
    REQUIRE(made.status() == absl::OkStatus());
  }

  FileLedger ledger_;
};

TEST_CASE("a restored ledger has the revisions, the epoch and a new log id") {
  Restorable backed_up;
  const auto report = backed_up.Restore();
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->copy.revision == 40);
  CHECK(report->copy.snapshot_revision == 30);
  CHECK(report->copy.transactions == 10);
  CHECK(report->log_id != report->manifest.log_id);
  const auto source = OpenReadOnlyLog("/source", backed_up.files());
  const auto restored = OpenReadOnlyLog("/new", backed_up.files());
  REQUIRE(restored.status() == absl::OkStatus());
  CHECK((*restored)->position().epoch == 7);
  CHECK((*restored)->position().writer_id == "writer");
  CHECK((*restored)->position().log_id == report->log_id);
  CHECK(StateOf(**restored) == StateOf(**source));
}

TEST_CASE("a restore refuses a directory that is not empty") {
  Restorable backed_up;
  backed_up.files().SetContents("/new/letter.txt", "dear");
  const auto report = backed_up.Restore();
  CHECK(Is(report.status(), errors::kUnusableDirectory));
  CHECK_THAT(std::string(report.status().message()), ContainsText("not empty"));
  CHECK(*backed_up.files().List("/new") == std::vector<std::string>{"letter.txt"});
  CHECK(backed_up.files().Contents("/new/letter.txt") == "dear");
}

TEST_CASE("a restore refuses a backup of which a file is missing, cut or changed") {
  Restorable backed_up;
  const auto backup = backed_up.Backup();
  REQUIRE(backup.size() >= 4);
  for (const auto& [name, bytes] : backup) {
    INFO(name);
    backed_up.files().Delete("/backup/" + name);
    backed_up.files().SetContents("/backup/BACKUP.lock", "");
    backed_up.CheckRefused("missing");
    for (const size_t size : {size_t{0}, size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
      backed_up.Put(name, bytes.substr(0, size));
      backed_up.CheckRefused("");
    }
    for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 50) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ 4);
      backed_up.Put(name, changed);
      backed_up.CheckRefused("");
    }
    backed_up.Put(name, bytes);
  }
  CHECK(backed_up.Restore().status() == absl::OkStatus());
}

TEST_CASE("a restore says when there was never a backup") {
  Restorable backed_up;
  backed_up.files().Delete("/backup/BACKUP");
  CHECK(Is(backed_up.Restore().status(), errors::kUnusableDirectory));
  backed_up.CheckNothingMade();
}

TEST_CASE("a restore refuses a snapshot of another ledger") {
  Restorable backed_up;
  backed_up.Put("0000000001.snap", backed_up.files().Contents("/other/0000000001.snap"));
  backed_up.CheckRefused("it is a snapshot of ledger");
}

TEST_CASE("a server refuses a snapshot of another ledger in its directory") {
  Restorable backed_up;
  FileTxnLogOptions options;
  options.directory = "/source";
  options.segment_bytes = FileLedger::kSmallSegment;
  options.file_system = &backed_up.files();
  const std::string own = backed_up.files().Contents("/source/0000000001.snap");
  backed_up.files().SetContents("/source/0000000001.snap", backed_up.files().Contents("/other/0000000001.snap"));
  const auto log = OpenFileTxnLog(options);
  INFO(log.status());
  CHECK(Is(log.status(), errors::kDamagedLog));
  CHECK_THAT(std::string(log.status().message()), ContainsText("it is of another ledger: a snapshot of log "));
  backed_up.files().SetContents("/source/0000000001.snap", own);
  CHECK(OpenFileTxnLog(options).status() == absl::OkStatus());
}

TEST_CASE("a restore that finds no space leaves nothing, and the backup as it was") {
  for (int fails_at = 0;; ++fails_at) {
    INFO("operation " << fails_at);
    Restorable backed_up;
    const auto backup = backed_up.Backup();
    FaultInjection faults(backed_up.files(), fails_at, FaultInjection::Extent::kAllFromThere, FullDisk(100),
                          [](FileOperation operation, const std::string&) { return TakesSpace(operation); });
    const auto report = backed_up.Restore();
    const bool failed = faults.End();
    CHECK(backed_up.Backup() == backup);
    if (!failed) {
      CHECK(report.status() == absl::OkStatus());
      CHECK(fails_at > 10);
      break;
    }
    if (report.ok()) continue;  // it was the segment after the last one, which was not needed any more
    backed_up.CheckNothingMade();
    REQUIRE(backed_up.Restore().status() == absl::OkStatus());
  }
}

}  // namespace
}  // namespace kvs::txn
