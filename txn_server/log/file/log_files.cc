#include "txn_server/log/file/log_files.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"

namespace kvs::txn {

std::string GoingOnWithout(const absl::Status& damage, const std::vector<SnapshotSummary>& others) {
  return absl::StrCat(damage.message(), "; going on without it, from ",
                      others.empty() ? "the beginning of the log" : others.back().path, ". Look at the disk");
}

LogFiles::LogFiles(FileSystem& file_system, const LogScan& scan)
    : file_system_(file_system), log_id_(scan.log_id), end_(scan.end()), snapshots_(scan.snapshots) {
  // A snapshot that cannot be relied on goes when the next one is there.
  for (const DamagedSnapshot& damaged : scan.damaged_snapshots) obsolete_.push_back(damaged.path);
  for (const SegmentSummary& segment : scan.segments) {
    const SegmentExtent extent{segment.path, segment.header.segment_id, segment.first_revision(), segment.valid_bytes,
                               std::make_shared<char>()};
    segments_.push_back({extent, segment.file_bytes});
  }
}

LogPosition LogFiles::position() const {
  MutexLock lock(&mu_);
  return {log_id_,       end_.epoch,           end_.writer_id,
          end_.revision, compacted_revision(), snapshots_.empty() ? 0 : snapshots_.back().header.point.revision};
}

uint64_t LogFiles::compacted_revision() const { return segments_.front().extent.first_revision - 1; }

uint64_t LogFiles::size_bytes() const {
  MutexLock lock(&mu_);
  uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.file_bytes;
  for (const SnapshotSummary& snapshot : snapshots_) sum += snapshot.header.file_bytes;
  return sum;
}

absl::Status LogFiles::failure() const {
  MutexLock lock(&mu_);
  return failure_;
}

void LogFiles::Fail(const absl::Status& status) {
  MutexLock lock(&mu_);
  failure_ = status;
}

void LogFiles::BeginSegment(const std::string& path, const LogPoint& point, uint64_t file_bytes) {
  MutexLock lock(&mu_);
  segments_.push_back(
      {{path, point.segment_id, point.revision + 1, point.offset, std::make_shared<char>()}, file_bytes});
  end_ = point;
}

void LogFiles::Extend(const LogPoint& point) {
  MutexLock lock(&mu_);
  end_ = point;
  segments_.back().extent.end = point.offset;
}

SegmentSummary LogFiles::newest() const {
  MutexLock lock(&mu_);
  SegmentSummary summary;
  summary.path = segments_.back().extent.path;
  summary.header.segment_id = segments_.back().extent.segment_id;
  summary.valid_bytes = segments_.back().extent.end;
  summary.file_bytes = segments_.back().file_bytes;
  return summary;
}

void LogFiles::BeginAt(const LogPoint& point, const std::optional<SnapshotSummary>& snapshot) {
  MutexLock lock(&mu_);
  if (snapshot) snapshots_.push_back(*snapshot);
  segments_.back().extent.first_revision = point.revision + 1;
  end_ = point;
}

void LogFiles::SetNewestFileBytes(uint64_t file_bytes) {
  MutexLock lock(&mu_);
  segments_.back().file_bytes = file_bytes;
}

absl::StatusOr<std::unique_ptr<LogCursor>> LogFiles::CursorFrom(uint64_t revision) const {
  // The last segment that begins at the revision or before holds it.
  const auto after =
      std::upper_bound(segments_.begin(), segments_.end(), revision,
                       [](uint64_t wanted, const Segment& segment) { return wanted < segment.extent.first_revision; });
  std::vector<SegmentExtent> extents;
  for (auto it = std::prev(after); it != segments_.end(); ++it) extents.push_back(it->extent);
  return MakeFileCursor(file_system_, log_id_, std::move(extents), revision);
}

absl::StatusOr<std::unique_ptr<LogCursor>> LogFiles::Replay(uint64_t from_revision) const {
  MutexLock lock(&mu_);
  if (!failure_.ok()) return failure_;
  if (from_revision == 0 || from_revision > end_.revision + 1) {
    return absl::OutOfRangeError(
        absl::StrCat("there is no revision ", from_revision, ": the log has 1 to ", end_.revision));
  }
  if (from_revision <= compacted_revision()) {
    return Error(errors::kCompacted,
                 absl::StrCat("revision ", from_revision, " was compacted away: the log begins behind revision ",
                              compacted_revision()),
                 {{"compacted_revision", absl::StrCat(compacted_revision())}});
  }
  return CursorFrom(from_revision);
}

absl::StatusOr<StateReplay> LogFiles::ReplayState() const {
  MutexLock lock(&mu_);
  if (!failure_.ok()) return failure_;
  return ReplayFrom(snapshots_.empty() ? nullptr : &snapshots_.back());
}

absl::StatusOr<StateReplay> LogFiles::ReplayHistory() const {
  std::vector<SnapshotSummary> snapshots;
  {
    MutexLock lock(&mu_);
    if (!failure_.ok()) return failure_;
    if (compacted_revision() == 0) return ReplayFrom(nullptr);
    snapshots = snapshots_;
  }
  // The one that the next snapshots are made of was read as a whole, the older ones were not.
  for (const SnapshotSummary& snapshot : snapshots) {
    if (&snapshot != &snapshots.back() && !VerifySnapshot(file_system_, snapshot).ok()) continue;
    MutexLock lock(&mu_);
    const auto kept = std::find_if(snapshots_.begin(), snapshots_.end(),
                                   [&](const SnapshotSummary& other) { return other.path == snapshot.path; });
    if (kept != snapshots_.end()) return ReplayFrom(&*kept);
  }
  return ReplayState();
}

absl::StatusOr<StateReplay> LogFiles::ReplayFrom(const SnapshotSummary* snapshot) const {
  StateReplay state;
  if (snapshot != nullptr) {
    auto begun = ReplayOfSnapshot(file_system_, *snapshot);
    if (!begun.ok()) return begun.status();
    state = *std::move(begun);
  }
  auto tail = CursorFrom(state.snapshot_revision + 1);
  if (!tail.ok()) return tail.status();
  state.tail = *std::move(tail);
  return state;
}

absl::StatusOr<LogFiles::ToFold> LogFiles::BeginFold() const {
  MutexLock lock(&mu_);
  if (!failure_.ok()) return failure_;
  ToFold result;
  uint64_t from = 1;
  if (!snapshots_.empty()) {
    result.snapshot = snapshots_.back();
    from = snapshots_.back().header.point.revision + 1;
  }
  auto log = CursorFrom(from);
  if (!log.ok()) return log.status();
  result.log = *std::move(log);
  result.end = end_;
  return result;
}

void LogFiles::AddSnapshot(const SnapshotSummary& snapshot) {
  MutexLock lock(&mu_);
  snapshots_.push_back(snapshot);
  KeepSnapshots(kKeptSnapshots);
}

void LogFiles::DropSegments() {
  MutexLock lock(&mu_);
  if (snapshots_.size() == kKeptSnapshots) DropSegmentsBefore(snapshots_.front().header.point);
}

bool LogFiles::DropAllBefore(const SnapshotSummary& newest) {
  MutexLock lock(&mu_);
  if (snapshots_.empty() || snapshots_.back().path != newest.path) return false;
  KeepSnapshots(1);
  DropSegmentsBefore(snapshots_.back().header.point);
  return true;
}

void LogFiles::KeepSnapshots(size_t count) {
  while (snapshots_.size() > count) {
    obsolete_.push_back(snapshots_.front().path);
    snapshots_.erase(snapshots_.begin());
  }
}

void LogFiles::DropSegmentsBefore(const LogPoint& point) {
  while (segments_.front().extent.segment_id < point.segment_id && segments_.front().extent.pin.use_count() == 1) {
    obsolete_.push_back(segments_.front().extent.path);
    segments_.erase(segments_.begin());
  }
}

bool LogFiles::PassOver(const std::string& path, const absl::Status& damage,
                        absl::FunctionRef<void(const std::string&)> notice) {
  std::string news;
  {
    MutexLock lock(&mu_);
    const auto damaged = std::find_if(snapshots_.begin(), snapshots_.end(),
                                      [&path](const SnapshotSummary& snapshot) { return snapshot.path == path; });
    const size_t others = snapshots_.size() - (damaged == snapshots_.end() ? 0 : 1);
    if (others == 0 && compacted_revision() > 0) return false;
    if (damaged == snapshots_.end()) return true;
    // Before the segments that may be obsolete: after a crash in between it must not stand there without them.
    obsolete_.insert(obsolete_.begin(), path);
    snapshots_.erase(damaged);
    news = GoingOnWithout(damage, snapshots_);
  }
  notice(news);
  return true;
}

std::optional<SnapshotSummary> LogFiles::newest_snapshot() const {
  MutexLock lock(&mu_);
  return snapshots_.empty() ? std::nullopt : std::make_optional(snapshots_.back());
}

std::optional<SnapshotSummary> LogFiles::newest_with_fallback() const {
  MutexLock lock(&mu_);
  if (snapshots_.empty()) return std::nullopt;
  const SnapshotSummary& newest = snapshots_.back();
  const bool has_fallback =
      snapshots_.size() > 1 || segments_.front().extent.segment_id < newest.header.point.segment_id;
  return has_fallback ? std::make_optional(newest) : std::nullopt;
}

std::vector<std::string> LogFiles::obsolete() const {
  MutexLock lock(&mu_);
  return obsolete_;
}

void LogFiles::Removed(const std::string& path) {
  MutexLock lock(&mu_);
  obsolete_.erase(std::find(obsolete_.begin(), obsolete_.end(), path));
}

uint64_t LogFiles::BytesSince(const LogPoint& point) const {
  uint64_t sum = 0;
  for (const Segment& segment : segments_) {
    if (segment.extent.segment_id < point.segment_id) continue;
    const uint64_t begin = segment.extent.segment_id == point.segment_id ? point.offset : kSegmentHeaderBytes;
    sum += segment.extent.end - begin;
  }
  return sum;
}

LogFiles::Growth LogFiles::growth() const {
  MutexLock lock(&mu_);
  Growth growth;
  if (!snapshots_.empty()) growth.state_bytes = snapshots_.back().header.raw_bytes;
  growth.since_newest_bytes = BytesSince(snapshots_.empty() ? LogPoint() : snapshots_.back().header.point);
  growth.since_oldest_bytes =
      BytesSince(snapshots_.size() < kKeptSnapshots ? LogPoint() : snapshots_.front().header.point);
  for (auto segment = segments_.begin(); segment + 1 != segments_.end(); ++segment) {
    growth.finished_bytes += segment->file_bytes;
  }
  return growth;
}

}  // namespace kvs::txn
