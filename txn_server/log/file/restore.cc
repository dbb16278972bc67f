#include "txn_server/log/file/restore.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "txn_server/log/file/backup_check.h"
#include "txn_server/log/file/backup_view.h"
#include "txn_server/log/file/new_ledger.h"
#include "txn_server/log/file/read_only_log.h"

namespace kvs::txn {
namespace {

class Restore {
 public:
  explicit Restore(const RestoreOptions& options) : options_(options), file_system_(*options.file_system) {}

  absl::StatusOr<RestoreReport> Run() {
    absl::Status status = CheckNewLedgerDirectory(file_system_, options_.data_directory, options_.backup_directory);
    if (!status.ok()) return status;
    auto backup = CheckBackup(options_.backup_directory, options_.progress, file_system_);
    if (Is(backup.status(), errors::kDamagedLog)) {
      return Error(errors::kDamagedLog, absl::StrCat(backup.status().message(), ", and nothing was restored"),
                   {{"file", MetadataOf(backup.status(), "file")}});
    }
    if (!backup.ok()) return backup.status();
    report_.manifest = backup->manifest;
    BackupView view(file_system_, report_.manifest);
    const auto position = Copy(view, backup->scan);
    if (!position.ok()) return position.status();
    report_.log_id = position->log_id;
    return report_;
  }

 private:
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
