#include "txn_server/log/file/backup.h"

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "common/crc32c.h"
#include "common/errors.h"
#include "txn_server/log/file/backup_manifest.h"
#include "txn_server/log/file/file_bytes.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_inspector.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/file/pinned_files.h"

namespace kvs::txn {
namespace {

// How often a backup begins again because the compaction removed a file that is not kept open.
constexpr int kAttempts = 5;

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class Backup {
 public:
  explicit Backup(const BackupOptions& options) : options_(options), file_system_(*options.file_system) {}

  absl::StatusOr<BackupReport> Run() {
    if (absl::Status status = CheckSource(); !status.ok()) return status;
    if (absl::Status status = CheckOutside(options_.backup_directory, options_.data_directory); !status.ok()) {
      return status;
    }
    if (absl::Status status = PrepareTarget(); !status.ok()) return status;
    auto lock = file_system_.Lock(Target(kBackupLockName));
    if (Is(lock.status(), errors::kLogInUse)) {
      const std::string pid = MetadataOf(lock.status(), "pid");
      return Error(errors::kLogInUse,
                   absl::StrCat(HolderName(pid), " is making a backup in ", options_.backup_directory,
                                "; wait for that, or name another directory"),
                   {{"pid", pid}});
    }
    if (!lock.ok()) return lock.status();
    absl::Status status;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      report_ = BackupReport();
      status = Attempt();
      if (!absl::IsNotFound(status)) break;
    }
    if (absl::IsNotFound(status)) {
      return absl::AbortedError(absl::StrCat("the ledger removes its files faster than they can be copied (",
                                             status.message(), "); try again when less is written"));
    }
    if (!status.ok()) return status;
    RemoveOthers();
    return report_;
  }

 private:
  std::string Target(absl::string_view name) const { return absl::StrCat(options_.backup_directory, "/", name); }

  absl::Status CheckSource() {
    const std::string& directory = options_.data_directory;
    if (IsBackup(file_system_, directory))
      return UnusableDirectory(absl::StrCat(directory, " is a backup itself; copy it as it is"));
    return CheckLedgerDirectory(file_system_, directory);
  }

  absl::Status PrepareTarget() {
    const absl::Status made = file_system_.CreateDirectory(options_.backup_directory);
    if (absl::IsNotFound(made))
      return UnusableDirectory(absl::StrCat(made.message(), "; make the directory above it first"));
    if (!made.ok()) return made;
    if (IsBackup(file_system_, options_.backup_directory)) return absl::OkStatus();
    const auto names = file_system_.List(options_.backup_directory);
    if (!names.ok()) return names.status();
    const bool empty = std::all_of(names->begin(), names->end(), [](const std::string& name) {
      return absl::StartsWith(name, ".") || name == "lost+found";
    });
    if (empty) return absl::OkStatus();
    return UnusableDirectory(
        absl::StrCat(options_.backup_directory, " is not empty and holds no backup; name an empty directory"));
  }

  absl::Status Attempt() {
    auto pinned = PinnedFiles::Open(file_system_, options_.data_directory);
    if (!pinned.ok()) return pinned.status();
    source_ = *std::move(pinned);
    unchanged_.clear();
    LogScan scan;
    if (absl::Status status = Scan(scan); !status.ok()) return status;
    if (absl::Status status = CheckContinues(scan); !status.ok()) return status;
    report_.manifest = {scan.log_id, scan.tip.epoch, scan.tip.last_revision, absl::Now(), {}};
    for (const DamagedSnapshot& damaged : scan.damaged_snapshots) report_.damaged_snapshots.push_back(damaged.path);
    done_ = total_ = 0;
    for (const SnapshotSummary& snapshot : scan.snapshots) total_ += snapshot.header.file_bytes;
    for (const SegmentSummary& segment : scan.segments) total_ += segment.valid_bytes;
    for (const SnapshotSummary& snapshot : scan.snapshots) {
      if (absl::Status status = Provide(snapshot.path, snapshot.header.file_bytes); !status.ok()) return status;
    }
    for (const SegmentSummary& segment : scan.segments) {
      if (absl::Status status = Provide(segment.path, segment.valid_bytes); !status.ok()) return status;
    }
    if (absl::Status status = file_system_.SyncDirectory(options_.backup_directory); !status.ok()) return status;
    return WriteManifest(file_system_, options_.backup_directory, report_.manifest);
  }

  absl::Status Scan(LogScan& scan) {
    const auto live = file_system_.IsLocked(LockPath(options_.data_directory));
    if (!live.ok()) return live.status();
    ScanOptions options;
    options.live = *live;
    options.check_transactions = true;
    options.check_all_snapshots = true;
    options.progress = options_.progress;
    return ScanLog(*source_, options_.data_directory, options, &scan);
  }

  // A backup is replaced by one that has everything that it has, as far as that can be told: it may be the only copy.
  absl::Status CheckContinues(const LogScan& scan) {
    const auto before = ReadManifest(file_system_, options_.backup_directory);
    // What a broken one says is replaced.
    if (!before.ok()) return absl::OkStatus();
    if (before->log_id != scan.log_id) {
      return UnusableDirectory(absl::StrCat(options_.backup_directory, " holds a backup of ledger ",
                                            absl::BytesToHexString(before->log_id), " and not of ",
                                            absl::BytesToHexString(scan.log_id), "; name another directory"));
    }
    if (before->revision > scan.tip.last_revision || before->epoch > scan.tip.epoch) {
      return DoesNotContinue(absl::StrCat("the backup is of revision ", before->revision, ", epoch ", before->epoch,
                                          ", and the ledger ends with revision ", scan.tip.last_revision, ", epoch ",
                                          scan.tip.epoch));
    }
    for (const SnapshotSummary& snapshot : scan.snapshots) {
      const absl::Status status = CheckContinues(snapshot.path, snapshot.header.file_bytes, before->files);
      if (!status.ok()) return status;
    }
    for (const SegmentSummary& segment : scan.segments) {
      const absl::Status status = CheckContinues(segment.path, segment.valid_bytes, before->files);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // A file that is in the backup begins as it does there.
  absl::Status CheckContinues(const std::string& path, uint64_t bytes, const std::vector<BackupFile>& files) {
    const auto saved = std::find_if(files.begin(), files.end(),
                                    [name = NameOf(path)](const BackupFile& file) { return file.name == name; });
    if (saved == files.end()) return absl::OkStatus();
    const auto differs = [&] { return DoesNotContinue(absl::StrCat("the backup has another ", path)); };
    if (saved->bytes > bytes) return differs();
    const auto source = source_->OpenForReading(path);
    if (!source.ok()) return source.status();
    const auto crc = PrefixCrc32c(**source, saved->bytes, [](uint64_t) {});
    if (!crc.ok()) return CannotRead(path, crc.status());
    if (*crc != saved->crc32c) return differs();
    if (saved->bytes == bytes) unchanged_[path] = *crc;
    return absl::OkStatus();
  }

  absl::Status DoesNotContinue(absl::string_view why) const {
    return UnusableDirectory(absl::StrCat(options_.backup_directory, " holds what the ledger does not: ", why,
                                          ". The ledger was put back to an older state, or lost its end; name another "
                                          "directory for its backup, and keep this one"));
  }

  absl::StatusOr<uint32_t> CrcOf(File& source, const std::string& path, uint64_t bytes) const {
    // It was read for the comparison.
    if (const auto it = unchanged_.find(path); it != unchanged_.end()) return it->second;
    const auto crc = PrefixCrc32c(source, bytes, [](uint64_t) {});
    return crc.ok() ? crc : CannotRead(path, crc.status());
  }

  // Makes the first `bytes` of a file part of the backup.
  absl::Status Provide(const std::string& path, uint64_t bytes) {
    const auto source = source_->OpenForReading(path);
    if (!source.ok()) return source.status();
    const auto crc = CrcOf(**source, path, bytes);
    if (!crc.ok()) return crc.status();
    const BackupFile file{NameOf(path), bytes, *crc};
    if (Has(file)) {
      ++report_.files_reused;
      report_.bytes_reused += bytes;
      Advance(bytes);
    } else {
      if (absl::Status status = Copy(**source, path, file); !status.ok()) return status;
      ++report_.files_copied;
      report_.bytes_copied += bytes;
    }
    report_.manifest.files.push_back(file);
    return absl::OkStatus();
  }

  bool Has(const BackupFile& wanted) {
    const auto file = file_system_.OpenForReading(Target(wanted.name));
    if (!file.ok()) return false;
    const auto size = (*file)->Size();
    if (!size.ok() || *size != wanted.bytes) return false;
    const auto crc = PrefixCrc32c(**file, wanted.bytes, [](uint64_t) {});
    return crc.ok() && *crc == wanted.crc32c;
  }

  absl::Status Copy(File& source, const std::string& path, const BackupFile& file) {
    const std::string target = Target(file.name);
    const std::string temporary = absl::StrCat(target, kTemporarySuffix);
    auto written = file_system_.Create(temporary);
    // A missing directory is no reason to begin again, as a missing file of the ledger is.
    if (absl::IsNotFound(written.status())) return UnusableDirectory(written.status().message());
    if (!written.ok()) return written.status();
    uint32_t crc = 0;
    absl::Status failed;
    const absl::Status read = ReadPrefix(source, file.bytes, [&](uint64_t offset, absl::string_view piece) {
      crc = ExtendCrc32c(crc, piece);
      failed = (*written)->WriteAt(offset, {piece});
      Advance(piece.size());
      return failed;
    });
    absl::Status status = failed.ok() && !read.ok() ? CannotRead(path, read) : failed;
    if (status.ok() && crc != file.crc32c) status = CannotRead(path, absl::DataLossError("it reads differently now"));
    if (status.ok()) status = (*written)->Sync();
    written->reset();
    if (status.ok()) status = file_system_.Rename(temporary, target);
    if (!status.ok()) file_system_.Remove(temporary).IgnoreError();  // the next backup does it
    return status;
  }

  static absl::Status CannotRead(const std::string& path, const absl::Status& status) {
    return Error(errors::kDamagedLog, absl::StrCat("cannot read ", path, ": ", status.message()), {{"file", path}});
  }

  void Advance(uint64_t bytes) {
    done_ += bytes;
    if (options_.progress) options_.progress("copying", done_, total_);
  }

  // What the backup does not consist of any more; nothing but space is lost if it stays.
  void RemoveOthers() {
    std::set<std::string> needed;
    for (const BackupFile& file : report_.manifest.files) needed.insert(file.name);
    const auto listing = ListDirectory(file_system_, options_.backup_directory);
    if (!listing.ok()) return;
    std::vector<std::string> names = listing->temporary_names;
    for (const uint64_t id : listing->segment_ids) names.push_back(NameOf(SegmentPath("", id)));
    for (const uint64_t id : listing->snapshot_ids) names.push_back(NameOf(SnapshotPath("", id)));
    for (const std::string& name : names) {
      if (needed.count(name) == 0) file_system_.Remove(Target(name)).IgnoreError();
    }
    file_system_.SyncDirectory(options_.backup_directory).IgnoreError();
  }

  const BackupOptions& options_;
  FileSystem& file_system_;
  std::unique_ptr<PinnedFiles> source_;
  std::map<std::string, uint32_t> unchanged_;  // the CRCs of files, by path, that the backup before has as they are
  BackupReport report_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

absl::StatusOr<BackupReport> BackUpLog(const BackupOptions& options) { return Backup(options).Run(); }

}  // namespace kvs::txn
