#include "txn_server/log/file/read_only_log.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_files.h"
#include "txn_server/log/file/log_inspector.h"

namespace kvs::txn {
namespace {

class ReadOnlyLog : public TxnLog {
 public:
  ReadOnlyLog(FileSystem& file_system, const LogScan& scan, std::unique_ptr<FileLock> lock)
      : lock_(std::move(lock)), files_(file_system, scan) {}

  absl::string_view backend() const override { return "file"; }
  LogPosition position() const override { return files_.position(); }
  uint64_t size_bytes() const override { return files_.size_bytes(); }
  absl::StatusOr<std::unique_ptr<LogCursor>> Replay(uint64_t from_revision) override {
    return files_.Replay(from_revision);
  }
  absl::StatusOr<StateReplay> ReplayState() override { return files_.ReplayState(); }
  absl::StatusOr<StateReplay> ReplayHistory() override { return files_.ReplayHistory(); }

  absl::StatusOr<uint64_t> BeginEpoch(absl::string_view) override { return Refuse(); }
  absl::Status Append(uint64_t, absl::Span<const Frame>) override { return Refuse(); }
  absl::Status Import(const LogSeed&, std::unique_ptr<SnapshotCursor>) override { return Refuse(); }
  absl::Status CheckReachable() override { return absl::OkStatus(); }
  absl::Status Idle() override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  static absl::Status Refuse() { return absl::FailedPreconditionError("this log is only read"); }

  const std::unique_ptr<FileLock> lock_;
  LogFiles files_;
};

}  // namespace

std::unique_ptr<TxnLog> MakeReadOnlyLog(FileSystem& file_system, const LogScan& scan, std::unique_ptr<FileLock> lock) {
  return std::make_unique<ReadOnlyLog>(file_system, scan, std::move(lock));
}

absl::StatusOr<std::unique_ptr<TxnLog>> OpenReadOnlyLog(const std::string& directory, FileSystem& file_system) {
  if (absl::Status status = CheckLedgerDirectory(file_system, directory); !status.ok()) return status;
  auto lock = file_system.Lock(LockPath(directory));
  if (!lock.ok()) return lock.status();
  LogScan scan;
  ScanOptions options;
  options.check_transactions = true;
  options.check_all_snapshots = true;
  if (absl::Status status = ScanLog(file_system, directory, options, &scan); !status.ok()) return status;
  return MakeReadOnlyLog(file_system, scan, *std::move(lock));
}

}  // namespace kvs::txn
