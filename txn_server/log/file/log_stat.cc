#include "txn_server/log/file/log_stat.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <variant>

#include "common/errors.h"
#include "common/model/transaction_list.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_files.h"
#include "txn_server/log/file/log_inspector.h"

namespace kvs::txn {
namespace {

// Counts keys from the newest snapshot on, while the log is scanned.
class KeyCounter {
 public:
  explicit KeyCounter(LogStat& stat) : stat_(stat) {}

  void Visit(const FrameHeader& header, absl::string_view payload) {
    if (header.kind != FrameKind::kTransactions) return;
    const bool scanned_anew = header.first_revision <= last_revision_ || stat_.snapshot_revision() != base_revision_;
    if (!begun_ || scanned_anew) Begin();
    last_revision_ = header.first_revision + header.count - 1;
    if (header.first_revision > base_revision_) Count(payload);
  }

  // The keys of the snapshot count also if nothing follows it.
  absl::Status Finish() {
    if (!begun_ || stat_.snapshot_revision() != base_revision_) Begin();
    return status_;
  }

 private:
  void Begin() {
    begun_ = true;
    last_revision_ = 0;
    base_revision_ = stat_.snapshot_revision();
    stat_.keys = {};
    stat_.time_micros = 0;
    if (stat_.scan.snapshots.empty()) return;
    stat_.keys = stat_.scan.snapshots.back().header.keys;
    stat_.time_micros = stat_.scan.snapshots.back().header.time_micros;
  }

  void Count(absl::string_view payload) {
    list_.Reset(payload);
    while (true) {
      const auto item = list_.Next();
      if (!item.ok()) status_ = item.status();
      if (!item.ok() || !*item) return;
      const Transaction& transaction = (*item)->transaction;
      uint64_t& keys = stat_.keys[static_cast<size_t>(transaction.type)];
      if (std::holds_alternative<operation::Delete>(transaction.operation)) {
        --keys;
      } else if (transaction.previous_revision == 0) {
        ++keys;
      }
      stat_.time_micros = transaction.time_micros;
    }
  }

  LogStat& stat_;
  TransactionListReader list_;
  bool begun_ = false;
  uint64_t base_revision_ = 0;
  uint64_t last_revision_ = 0;
  absl::Status status_;
};

uint64_t SizeOf(FileSystem& file_system, const std::string& path) {
  const auto file = file_system.OpenForReading(path);
  if (!file.ok()) return 0;
  const auto size = (*file)->Size();
  return size.ok() ? *size : 0;
}

void AddSizes(FileSystem& file_system, const std::string& directory, LogStat& stat) {
  for (const SegmentSummary& segment : stat.scan.segments) {
    stat.segment_bytes += segment.file_bytes;
    stat.logged_bytes += segment.valid_bytes - kSegmentHeaderBytes;
  }
  for (const SegmentSummary& spare : stat.scan.spares) stat.spare_bytes += spare.file_bytes;
  for (const SnapshotSummary& snapshot : stat.scan.snapshots) stat.snapshot_bytes += snapshot.header.file_bytes;
  stat.ballast_bytes = SizeOf(file_system, BallastPath(directory));
  const LogFiles::Growth growth = LogFiles(file_system, stat.scan).growth();
  stat.since_snapshot_bytes = growth.since_newest_bytes;
  stat.state_bytes = growth.state_bytes;
}

}  // namespace

uint64_t LogStat::compacted_revision() const { return scan.segments.front().first_revision() - 1; }

uint64_t LogStat::snapshot_revision() const {
  return scan.snapshots.empty() ? 0 : scan.snapshots.back().header.point.revision;
}

absl::StatusOr<LogStat> StatLog(const std::string& directory, const ProgressFunction& progress,
                                FileSystem& file_system) {
  if (absl::Status status = CheckLedgerDirectory(file_system, directory); !status.ok()) return status;
  LogStat stat;
  const auto live = file_system.IsLocked(LockPath(directory));
  if (!live.ok()) return live.status();
  stat.live = *live;
  KeyCounter counter(stat);
  ScanOptions options;
  options.live = stat.live;
  options.check_all_snapshots = true;
  options.visit = [&](const SegmentSummary&, const StoredFrame& frame) { counter.Visit(frame.header, frame.payload); };
  options.progress = progress;
  if (absl::Status status = ScanLog(file_system, directory, options, &stat.scan); !status.ok()) return status;
  if (absl::Status status = counter.Finish(); !status.ok()) return status;
  AddSizes(file_system, directory, stat);
  return stat;
}

}  // namespace kvs::txn
