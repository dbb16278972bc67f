#include "txn_server/log/file/backup.h"

#include <atomic>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/fault_injection.h"
#include "tests/support/file_ledger.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_state.h"
#include "txn_server/log/file/restore.h"

namespace kvs::txn {
namespace {

using FileOperation = MemoryFileSystem::Operation;

absl::StatusOr<BackupReport> BackUp(FileLedger& ledger, const std::string& target = "/backup") {
  return BackUpLog({"/log", target, nullptr, &ledger.files()});
}

// What a ledger restored from the backup has to give back; the status of the restore.
absl::StatusOr<SampleFrame> RestoreAndRead(FileSystem& files, const std::string& backup, const std::string& target) {
  const auto restored = RestoreLog({backup, target, nullptr, &files});
  if (!restored.ok()) return restored.status();
  FileTxnLogOptions options;
  options.directory = target;
  options.segment_bytes = FileLedger::kSmallSegment;
  options.compaction.ballast_bytes = 0;
  options.file_system = &files;
  const auto log = OpenFileTxnLog(options);
  if (!log.ok()) return log.status();
  return ReadAll(**log);
}

TEST_CASE("a backup of a ledger in use has all that was acknowledged") {
  FileLedger ledger;
  ledger.Start();
  for (int i = 0; i < 60; ++i) ledger.Write(1, std::string(300, 'x'));
  const auto before = ledger.Snapshot();
  const auto report = BackUp(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(ledger.Snapshot() == before);
  CHECK(report->manifest.revision == 60);
  CHECK(report->manifest.epoch == 1);
  CHECK(report->manifest.files.size() > 2);
  CHECK(report->files_copied == report->manifest.files.size());
  ledger.Write(5);
  const std::string written = ledger.written();
  const auto restored = RestoreAndRead(ledger.files(), "/backup", "/restored");
  REQUIRE(restored.status() == absl::OkStatus());
  CHECK(restored->last_revision() == 60);
  CHECK(restored->bytes == written.substr(0, restored->bytes.size()));
}

TEST_CASE("a second backup copies what is new alone") {
  FileLedger ledger;
  ledger.Start();
  for (int i = 0; i < 60; ++i) ledger.Write(1, std::string(300, 'x'));
  const auto first = BackUp(ledger);
  REQUIRE(first.ok());
  for (int i = 0; i < 3; ++i) ledger.Write(1, std::string(300, 'x'));
  const auto second = BackUp(ledger);
  REQUIRE(second.status() == absl::OkStatus());
  CHECK(second->manifest.revision == 63);
  CHECK(second->files_reused >= first->files_copied - 1);
  CHECK(second->files_copied <= 2);
  const auto third = BackUp(ledger);
  REQUIRE(third.ok());
  CHECK(third->files_copied == 0);
  CHECK(third->bytes_reused == second->bytes_reused + second->bytes_copied);
  const auto restored = RestoreAndRead(ledger.files(), "/backup", "/restored");
  REQUIRE(restored.status() == absl::OkStatus());
  CHECK(restored->bytes == ledger.written());
}

TEST_CASE("what the backup has is compared, and copied again where it changed") {
  FileLedger ledger;
  ledger.Start();
  for (int i = 0; i < 60; ++i) ledger.Write(1, std::string(300, 'x'));
  REQUIRE(BackUp(ledger).ok());
  std::string bytes = ledger.files().Contents("/backup/0000000001.log");
  bytes[1000] = '?';
  ledger.files().SetContents("/backup/0000000001.log", bytes);
  const auto again = BackUp(ledger);
  REQUIRE(again.status() == absl::OkStatus());
  CHECK(again->files_copied == 1);
  CHECK(RestoreAndRead(ledger.files(), "/backup", "/restored")->bytes == ledger.written());
}

TEST_CASE("a backup is not replaced by one of a ledger that was put back to an older state") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(10);
  ledger.Stop();
  const auto older = ledger.Snapshot();
  ledger.Start();
  ledger.Write(10);
  REQUIRE(BackUp(ledger).ok());
  const auto backup = ledger.files().AllContents("/backup");
  ledger.Stop();
  ledger.Restore(older);
  SECTION("and has less") {
    const absl::Status status = BackUp(ledger).status();
    CHECK(Is(status, errors::kUnusableDirectory));
    CHECK_THAT(std::string(status.message()), ContainsText("the backup is of revision 20"));
  }
  SECTION("and has other changes since, more of them") {
    for (int i = 0; i < 5; ++i) {
      ledger.Start();
      ledger.Write(10, "other");
      ledger.Stop();
    }
    const absl::Status status = BackUp(ledger).status();
    CHECK(Is(status, errors::kUnusableDirectory));
    CHECK_THAT(std::string(status.message()), ContainsText("the backup has another /log/"));
  }
  CHECK(ledger.files().AllContents("/backup") == backup);
}

TEST_CASE("a ledger that was closed and lost its end is not backed up, and the backup before stays") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(10);
  REQUIRE(BackUp(ledger).ok());
  const auto backup = ledger.files().AllContents("/backup");
  ledger.Write(1);
  const size_t end = ledger.files().Contents(FileLedger::Path(1)).find_last_not_of('\0') + 1;
  ledger.Write(1);
  ledger.Stop();
  ledger.Zero(1, end, FileLedger::kSmallSegment);
  CHECK(Is(BackUp(ledger).status(), errors::kDamagedLog));
  CHECK(ledger.files().AllContents("/backup") == backup);
}

TEST_CASE("files that are removed while they are copied are in the backup all the same") {
  FileLedger ledger;
  ledger.Start();
  for (int i = 0; i < 60; ++i) ledger.Write(1, std::string(300, 'x'));
  bool removed = false;
  BackupOptions options{"/log", "/backup", nullptr, &ledger.files()};
  options.progress = [&](absl::string_view, uint64_t, uint64_t) {
    if (std::exchange(removed, true)) return;
    for (uint64_t id = 1; id < 5; ++id) ledger.files().Delete(FileLedger::Path(id));
  };
  const auto report = BackUpLog(options);
  REQUIRE(report.status() == absl::OkStatus());
  REQUIRE(removed);
  CHECK(RestoreAndRead(ledger.files(), "/backup", "/restored")->bytes == ledger.written());
}

// The key-(r % 10) of revision r has the text r.
SampleFrame TenKeys(uint64_t revision) {
  ::txn::v1::TransactionList list;
  *list.add_transactions() = SampleTransaction(revision, absl::StrCat(revision) + std::string(400, '.'));
  list.mutable_transactions(0)->set_key(absl::StrCat("key-", revision % 10));
  if (revision > 10) list.mutable_transactions(0)->set_previous_revision(revision - 10);
  return {revision, 1, list.SerializeAsString()};
}

TEST_CASE("backups beside a writer whose segments are compacted away are of one revision each") {
  const TempDir directory;
  FileTxnLogOptions options;
  options.directory = directory / "log";
  options.segment_bytes = 16 * kKiB;
  options.compaction.min_bytes = 64 * kKiB;
  options.compaction.percent = 10;
  options.compaction.ballast_bytes = 0;
  std::atomic<uint64_t> removed{0};
  std::atomic<uint64_t> snapshot_revision{0};
  options.compacted = [&](const CompactionReport& report) {
    removed += report.removed_files;
    snapshot_revision = report.snapshot.header.point.revision;
  };
  auto log = OpenFileTxnLog(options);
  REQUIRE(log.ok());
  const auto epoch = (*log)->BeginEpoch("writer");
  REQUIRE(epoch.ok());
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t revision = 1; !stop; ++revision) {
      // No further ahead than some segments, or a log that grows faster than it is read never lets a backup end.
      while (!stop && revision > snapshot_revision + 5000) std::this_thread::yield();
      const SampleFrame frame = TenKeys(revision);
      if (!(*log)->Append(*epoch, {frame.frame()}).ok()) return;
    }
  });
  uint64_t backups = 0;
  while (backups < 8 || removed < 50) {
    const auto report = BackUpLog({options.directory, directory / "backup", nullptr});
    if (!report.ok()) stop = true;
    if (stop) writer.join();
    REQUIRE(report.status() == absl::OkStatus());
    const uint64_t revision = report->manifest.revision;
    if (backups++ % 4 != 0 || revision < 10) continue;
    const std::string target = directory / absl::StrCat("restored-", backups);
    const auto restored = RestoreLog({directory / "backup", target, nullptr});
    if (!restored.ok()) {
      stop = true;
      writer.join();
    }
    REQUIRE(restored.status() == absl::OkStatus());
    FileTxnLogOptions reopened;
    reopened.directory = target;
    const auto copy = OpenFileTxnLog(reopened);
    const TextState state = StateOf(**copy);
    CHECK(state.size() == 10);
    for (uint64_t r = revision - 9; r <= revision; ++r) {
      CHECK(state.at(absl::StrCat("key-", r % 10)).first == r);
    }
  }
  stop = true;
  writer.join();
}

TEST_CASE("after a backup that failed anywhere there is the one before, or none that could be mistaken for one") {
  for (int fails_at = 0;; ++fails_at) {
    INFO("operation " << fails_at);
    FileLedger ledger;
    ledger.files().SetContents("/backup/BACKUP.lock", "");
    ledger.Start();
    for (int i = 0; i < 20; ++i) ledger.Write(1, std::string(300, 'x'));
    const bool has_one_before = fails_at % 2 == 0;
    if (has_one_before) REQUIRE(BackUp(ledger).ok());
    const uint64_t revision_before = has_one_before ? 20 : 0;
    for (int i = 0; i < 20; ++i) ledger.Write(1, std::string(300, 'x'));
    const auto source = ledger.Snapshot();  // the ledger goes on preparing segments meanwhile
    FaultInjection faults(ledger.files(), fails_at / 2, FaultInjection::Extent::kOne, FullDisk(7),
                          [](FileOperation operation, const std::string& path) {
                            return operation != FileOperation::kRead && path.rfind("/backup", 0) == 0;
                          });
    const auto report = BackUp(ledger);
    const bool failed = faults.End();
    for (const auto& [path, bytes] : source) {
      if (path.find(".tmp") == std::string::npos) CHECK(ledger.files().Contents(path) == bytes);
    }
    if (!failed) {
      CHECK(fails_at > 10);
      break;
    }
    const auto restored = RestoreAndRead(ledger.files(), "/backup", "/restored");
    if (restored.ok()) {
      CHECK((restored->last_revision() == revision_before || restored->last_revision() == 40));
    } else {
      CHECK(Is(report.status(), errors::kNoSpace));
      CHECK_FALSE(has_one_before);
      CHECK(Is(restored.status(), errors::kDamagedLog));
      CHECK_THAT(std::string(restored.status().message()), ContainsText("cut short"));
    }
    REQUIRE(BackUp(ledger).status() == absl::OkStatus());
    CHECK(RestoreAndRead(ledger.files(), "/backup", "/restored-later")->last_revision() == 40);
  }
}

TEST_CASE("a backup inside of its ledger is refused, and a restore inside of its backup") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  const auto before = ledger.files().List("/log");
  const absl::Status status = BackUp(ledger, "/log/backup").status();
  CHECK(Is(status, errors::kUnusableDirectory));
  CHECK_THAT(std::string(status.message()), ContainsText("inside of /log"));
  CHECK(ledger.files().List("/log/backup")->empty());
  REQUIRE(BackUp(ledger).ok());
  const auto restored = RestoreLog({"/backup", "/backup/in", nullptr, &ledger.files()});
  CHECK(Is(restored.status(), errors::kUnusableDirectory));
  CHECK(ledger.files().List("/backup/in")->empty());
}

TEST_CASE("a backup is not made over other files or the backup of another ledger") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.files().SetContents("/photos/cat.jpg", "miaow");
  CHECK(Is(BackUp(ledger, "/photos").status(), errors::kUnusableDirectory));
  REQUIRE(BackUp(ledger).ok());
  const std::string manifest = ledger.files().Contents("/backup/BACKUP");
  REQUIRE(RestoreLog({"/backup", "/other", nullptr, &ledger.files()}).ok());
  const auto other = BackUpLog({"/other", "/backup", nullptr, &ledger.files()});
  CHECK(Is(other.status(), errors::kUnusableDirectory));
  CHECK_THAT(std::string(other.status().message()), ContainsText("holds a backup of ledger"));
  CHECK(ledger.files().Contents("/backup/BACKUP") == manifest);
}

TEST_CASE("what is no ledger, or a damaged one, is not backed up") {
  FileLedger ledger;
  CHECK(Is(BackUp(ledger).status(), errors::kUnusableDirectory));
  ledger.Start();
  ledger.Write(3);
  ledger.Write(3);
  ledger.Stop();
  REQUIRE(BackUp(ledger).ok());
  const std::string manifest = ledger.files().Contents("/backup/BACKUP");
  CHECK(Is(BackUpLog({"/backup", "/twice", nullptr, &ledger.files()}).status(), errors::kUnusableDirectory));
  ledger.FlipByte(1, 1100);
  CHECK(RefusedAsDamaged(BackUp(ledger).status()));
  CHECK(ledger.files().Contents("/backup/BACKUP") == manifest);
  CHECK(RestoreAndRead(ledger.files(), "/backup", "/restored")->bytes == ledger.written());
}

TEST_CASE("a server does not start on a backup") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Stop();
  REQUIRE(BackUpLog({"/log", "/backup", nullptr, &ledger.files()}).ok());
  ledger.options().directory = "/backup";
  const absl::Status status = ledger.Open();
  CHECK(Is(status, errors::kUnusableDirectory));
  CHECK_THAT(std::string(status.message()), ContainsText("kvs log restore"));
}

TEST_CASE("two backups are not made in one directory at once, and it is not called a ledger") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Stop();
  const auto lock = ledger.files().Lock("/backup/BACKUP.lock");
  const absl::Status status = BackUpLog({"/log", "/backup", nullptr, &ledger.files()}).status();
  CHECK(Is(status, errors::kLogInUse));
  CHECK_THAT(std::string(status.message()), ContainsText("is making a backup in /backup; wait for that"));
}

}  // namespace
}  // namespace kvs::txn
