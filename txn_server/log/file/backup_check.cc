#include "txn_server/log/file/backup_check.h"

#include <absl/functional/function_ref.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "common/errors.h"
#include "txn_server/log/file/backup_view.h"
#include "txn_server/log/file/file_bytes.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/snapshot_reader.h"

namespace kvs::txn {
namespace {

absl::Status BadBackup(absl::string_view path, absl::string_view what) {
  return Error(errors::kDamagedLog, absl::StrCat(path, ": ", what, ". The backup cannot be relied on"),
               {{"file", std::string(path)}});
}

class Check {
 public:
  Check(const std::string& directory, const ProgressFunction& progress, FileSystem& file_system)
      : directory_(directory), progress_(progress), file_system_(file_system) {}

  absl::StatusOr<CheckedBackup> Run() {
    auto manifest = FindManifest();
    if (!manifest.ok()) return manifest.status();
    checked_.manifest = *std::move(manifest);
    if (absl::Status status = CheckFiles(); !status.ok()) return status;
    if (absl::Status status = Scan(); !status.ok()) return status;
    return std::move(checked_);
  }

 private:
  absl::StatusOr<BackupManifest> FindManifest() {
    auto manifest = ReadManifest(file_system_, directory_);
    if (!absl::IsNotFound(manifest.status())) return manifest;
    const auto names = file_system_.List(directory_);
    if (absl::IsNotFound(names.status())) return UnusableDirectory(absl::StrCat(directory_, " does not exist"));
    if (!names.ok()) return names.status();
    if (!IsBackup(file_system_, directory_)) {
      return UnusableDirectory(
          absl::StrCat(directory_, " holds no backup: the file ", kBackupManifestName, " is missing"));
    }
    return BadBackup(directory_, absl::StrCat("the backup was cut short: the file ", kBackupManifestName,
                                              ", which is written last, is missing"));
  }

  absl::Status CheckFiles() {
    uint64_t total = 0;
    for (const BackupFile& file : checked_.manifest.files) total += file.bytes;
    uint64_t done = 0;
    for (const BackupFile& file : checked_.manifest.files) {
      const auto read = [&](uint64_t bytes) {
        done += bytes;
        if (progress_) progress_("checking the backup", done, total);
      };
      if (absl::Status status = CheckFile(file, read); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status CheckFile(const BackupFile& listed, absl::FunctionRef<void(uint64_t)> read) {
    const std::string path = absl::StrCat(directory_, "/", listed.name);
    const auto file = file_system_.OpenForReading(path);
    if (absl::IsNotFound(file.status())) return BadBackup(path, "the file is missing: the backup was cut short");
    if (!file.ok()) return file.status();
    // Told first: a header that carries its own checksum does not show in that of the file.
    const auto snapshot = ReadSnapshotHeader(file_system_, path);
    if (snapshot.ok() && snapshot->header.log_id != checked_.manifest.log_id) {
      return BadBackup(path,
                       absl::StrCat("it is a snapshot of ledger ", absl::BytesToHexString(snapshot->header.log_id),
                                    " and not of ", absl::BytesToHexString(checked_.manifest.log_id)));
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
  absl::Status Scan() {
    BackupView view(file_system_, checked_.manifest);
    LogScan& scan = checked_.scan;
    ScanOptions options;
    options.live = true;
    options.check_transactions = true;
    options.check_all_snapshots = true;
    if (absl::Status status = ScanLog(view, directory_, options, &scan); !status.ok()) return status;
    for (const DamagedSnapshot& damaged : scan.damaged_snapshots) {
      return BadBackup(damaged.path, damaged.status.message());
    }
    for (const SnapshotSummary& snapshot : scan.snapshots) {
      if (snapshot.header.log_id != scan.log_id) return BadBackup(snapshot.path, "it is a snapshot of another ledger");
    }
    if (scan.log_id != checked_.manifest.log_id || scan.tip.last_revision != checked_.manifest.revision) {
      return BadBackup(directory_, absl::StrCat("the files end with revision ", scan.tip.last_revision,
                                                " and should end with ", checked_.manifest.revision));
    }
    return absl::OkStatus();
  }

  const std::string& directory_;
  const ProgressFunction& progress_;
  FileSystem& file_system_;
  CheckedBackup checked_;
};

}  // namespace

absl::StatusOr<CheckedBackup> CheckBackup(const std::string& directory, const ProgressFunction& progress,
                                          FileSystem& file_system) {
  return Check(directory, progress, file_system).Run();
}

}  // namespace kvs::txn
