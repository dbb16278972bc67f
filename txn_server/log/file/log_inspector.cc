#include "txn_server/log/file/log_inspector.h"

#include <absl/strings/str_cat.h>

#include <memory>

#include "common/errors.h"
#include "txn_server/log/file/backup_manifest.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/torn_tail.h"

namespace kvs::txn {
namespace {

// What the bytes behind the damage seem to be; nothing if they cannot be read either.
std::optional<FrameHeader> NextAfter(FileSystem& file_system, const LogScan& scan) {
  if (!scan.damage || scan.segments.empty() || scan.segments.back().path != scan.damage->path) return std::nullopt;
  auto file = file_system.OpenForReading(scan.damage->path);
  if (!file.ok()) return std::nullopt;
  FileWindow window(**file);
  const uint64_t from = scan.damage->offset / kSectorBytes * kSectorBytes + kSectorBytes;
  const SegmentHeader& segment = scan.segments.back().header;
  const auto header = FindFrameHeader(window, segment.segment_id, from, segment.segment_bytes);
  return header.ok() ? *header : std::nullopt;
}

}  // namespace

absl::Status CheckLedgerDirectory(FileSystem& file_system, const std::string& directory) {
  const auto listing = ListDirectory(file_system, directory);
  if (absl::IsNotFound(listing.status())) {
    return UnusableDirectory(absl::StrCat(directory, " does not exist"));
  }
  if (!listing.ok()) return listing.status();
  if (absl::Status status = CheckFinished(*listing, directory); !status.ok()) return status;
  if (absl::Status status = CheckIsNoBackup(file_system, directory); !status.ok()) return status;
  if (absl::Status status = CheckHasSegments(*listing, directory); !status.ok()) return status;
  if (!listing->segment_ids.empty()) return absl::OkStatus();
  return UnusableDirectory(absl::StrCat(directory, " holds no ledger: name the --data-dir of a txn_server"));
}

absl::StatusOr<LogReport> InspectLog(const std::string& directory, const FrameVisitor& visit, FileSystem& file_system,
                                     const ProgressFunction& progress) {
  if (absl::Status status = CheckLedgerDirectory(file_system, directory); !status.ok()) return status;
  LogReport report;
  const auto locked = file_system.IsLocked(LockPath(directory));
  if (!locked.ok()) return locked.status();
  report.live = *locked;
  ScanOptions options;
  options.live = report.live;
  options.check_transactions = true;
  options.check_all_snapshots = true;
  options.visit = visit;
  options.progress = progress;
  report.verdict = ScanLog(file_system, directory, options, &report.scan);
  const bool judged = report.verdict.ok() || Is(report.verdict, errors::kDamagedLog) ||
                      Is(report.verdict, errors::kUnsupportedLogVersion);
  if (!judged) return report.verdict;
  report.next_after_damage = NextAfter(file_system, report.scan);
  return report;
}

}  // namespace kvs::txn
