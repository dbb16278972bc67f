#include "txn_server/log/file/restore.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "txn_server/log/file/backup_view.h"
#include "txn_server/log/file/file_bytes.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/file/new_ledger.h"
#include "txn_server/log/file/read_only_log.h"
#include "txn_server/log/file/snapshot_reader.h"

namespace kvs::txn {
namespace {

absl::Status Unusable(absl::string_view what) { return Error(errors::kUnusableDirectory, what); }

absl::Status BadBackup(absl::string_view path, absl::string_view what) {
  return Error(errors::kDamagedLog,
               absl::StrCat(path, ": ", what, ". The backup cannot be relied on, and nothing was restored"),
               {{"file", std::string(path)}});
}

class Restore {
 public:
  explicit Restore(const RestoreOptions& options) : options_(options), file_system_(*options.file_system) {}

  absl::StatusOr<RestoreReport> Run() {
    absl::Status status = CheckNewLedgerDirectory(file_system_, options_.data_directory, options_.backup_directory);
    if (!status.ok()) return status;
    auto manifest = FindManifest();
    if (!manifest.ok()) return manifest.status();
    report_.manifest = *std::move(manifest);
    if (status = CheckFiles(); !status.ok()) return status;
    BackupView view(file_system_, report_.manifest);
    LogScan scan;
    if (status = Scan(view, scan); !status.ok()) return status;
    const auto position = Copy(view, scan);
    if (!position.ok()) return position.status();
    report_.log_id = position->log_id;
    return report_;
  }

 private:
  absl::StatusOr<BackupManifest> FindManifest() {
    auto manifest = ReadManifest(file_system_, options_.backup_directory);
    if (!absl::IsNotFound(manifest.status())) return manifest;
    const std::string& directory = options_.backup_directory;
    const auto names = file_system_.List(directory);
    if (absl::IsNotFound(names.status())) return Unusable(absl::StrCat(directory, " does not exist"));
    if (!names.ok()) return names.status();
    if (std::find(names->begin(), names->end(), kBackupLockName) == names->end()) {
      return Unusable(absl::StrCat(directory, " holds no backup: the file ", kBackupManifestName, " is missing"));
    }
    return BadBackup(directory, absl::StrCat("the backup was cut short: the file ", kBackupManifestName,
                                             ", which is written last, is missing"));
  }

  absl::Status CheckFiles() {
    uint64_t total = 0;
    for (const BackupFile& file : report_.manifest.files) total += file.bytes;
    uint64_t done = 0;
    for (const BackupFile& file : report_.manifest.files) {
      const auto read = [&](uint64_t bytes) {
        done += bytes;
        if (options_.progress) options_.progress("checking the backup", done, total);
      };
      if (absl::Status status = CheckFile(file, read); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status CheckFile(const BackupFile& listed, absl::FunctionRef<void(uint64_t)> read) {
    const std::string path = absl::StrCat(options_.backup_directory, "/", listed.name);
    const auto file = file_system_.OpenForReading(path);
    if (absl::IsNotFound(file.status())) return BadBackup(path, "the file is missing: the backup was cut short");
    if (!file.ok()) return file.status();
    // Told first: a header that carries its own checksum does not show in that of the file.
    const auto snapshot = ReadSnapshotHeader(file_system_, path);
    if (snapshot.ok() && snapshot->header.log_id != report_.manifest.log_id) {
      return BadBackup(path,
                       absl::StrCat("it is a snapshot of ledger ", absl::BytesToHexString(snapshot->header.log_id),
                                    " and not of ", absl::BytesToHexString(report_.manifest.log_id)));
    }
    const auto crc = PrefixCrc32c(**file, listed.bytes, read);
    if (crc.ok() && *crc == listed.crc32c) return absl::OkStatus();
    if (absl::IsOutOfRange(crc.status())) {
      return BadBackup(path, absl::StrCat("the file was cut short: ", crc.status().message()));
    }
    if (!crc.ok()) return BadBackup(path, crc.status().message());
    return BadBackup(path, "it is not as it was when the backup was made");
  }

  // The newest segment ends without what a ledger has behind it, like one that is being written to.
  absl::Status Scan(BackupView& view, LogScan& scan) {
    ScanOptions options;
    options.live = true;
    options.check_transactions = true;
    options.check_all_snapshots = true;
    if (absl::Status status = ScanLog(view, options_.backup_directory, options, &scan); !status.ok()) return status;
    for (const DamagedSnapshot& damaged : scan.damaged_snapshots) {
      return BadBackup(damaged.path, damaged.status.message());
    }
    for (const SnapshotSummary& snapshot : scan.snapshots) {
      if (snapshot.header.log_id != scan.log_id) return BadBackup(snapshot.path, "it is a snapshot of another ledger");
    }
    if (scan.log_id != report_.manifest.log_id || scan.tip.last_revision != report_.manifest.revision) {
      return BadBackup(options_.backup_directory, absl::StrCat("the files end with revision ", scan.tip.last_revision,
                                                               " and should end with ", report_.manifest.revision));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<LogPosition> Copy(BackupView& view, const LogScan& scan) {
    const auto source = MakeReadOnlyLog(view, scan, nullptr);
    uint64_t segment_bytes = 0;  // some may be small, made on a full disk
    for (const SegmentSummary& segment : scan.segments) {
      segment_bytes = std::max(segment_bytes, segment.header.segment_bytes);
    }
    const NewLedgerOptions target{options_.data_directory, segment_bytes, &file_system_};
    return CreateLedger(target, [&](TxnLog& log) {
      auto copied = CopyLog(*source, log, options_.progress);
      if (copied.ok()) report_.copy = *copied;
      return copied.status();
    });
  }

  const RestoreOptions& options_;
  FileSystem& file_system_;
  RestoreReport report_;
};

}  // namespace

absl::StatusOr<RestoreReport> RestoreLog(const RestoreOptions& options) { return Restore(options).Run(); }

}  // namespace kvs::txn
