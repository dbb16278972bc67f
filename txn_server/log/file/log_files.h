// LogFiles: of which files an open log consists, and where it ends. What the appending thread, readers and the
// compaction share.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/sync.h"
#include "txn_server/log/file/file_cursor.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/file/snapshot_reader.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Says for people that the state is had without a damaged snapshot, of the newest of the others or the whole log.
std::string GoingOnWithout(const absl::Status& damage, const std::vector<SnapshotSummary>& others);

// Snapshots that are kept: when the newest turns out to be damaged, there is the one before.
inline constexpr size_t kKeptSnapshots = 2;

// Thread-safety: everything may be called from any thread; the parts below say who calls them.
class LogFiles {
 public:
  // `file_system` is borrowed. `scan` has at least one segment in use.
  LogFiles(FileSystem& file_system, const LogScan& scan);

  LogPosition position() const;
  uint64_t size_bytes() const;

  // Why the log has failed; OK as long as it has not.
  absl::Status failure() const;
  void Fail(const absl::Status& status);

  // ---- for the appending thread ----

  // A segment came into use, and the log goes on behind its header.
  void BeginSegment(const std::string& path, const LogPoint& point, uint64_t file_bytes);
  // What was logged up to here is durable. In the segment that came into use last.
  void Extend(const LogPoint& point);
  // The newest segment in use, as far as the appending thread needs to know it.
  SegmentSummary newest() const;
  // The log, which is empty, begins at this point, with this snapshot if there is one.
  void BeginAt(const LogPoint& point, const std::optional<SnapshotSummary>& snapshot);
  // The newest segment was cut to this size.
  void SetNewestFileBytes(uint64_t file_bytes);

  // ---- for readers; see TxnLog ----

  absl::StatusOr<std::unique_ptr<LogCursor>> Replay(uint64_t from_revision) const;
  absl::StatusOr<StateReplay> ReplayState() const;
  absl::StatusOr<StateReplay> ReplayHistory() const;

  // ---- for the compaction ----

  // What the next snapshot is made of: the newest one, what was logged since, and where that ends.
  struct ToFold {
    std::optional<SnapshotSummary> snapshot;
    std::unique_ptr<LogCursor> log;
    LogPoint end;
  };
  absl::StatusOr<ToFold> BeginFold() const;

  // Adds a snapshot that is durable.
  void AddSnapshot(const SnapshotSummary& snapshot);

  // Forgets the segments that are not needed any more, unless a reader still uses them: those that lie before all kept
  // snapshots.
  void DropSegments();

  // Forgets what this snapshot stands for alone, if it is still the newest: older ones, and the segments before it that
  // no reader uses. Whether it is.
  bool DropAllBefore(const SnapshotSummary& newest);

  // A snapshot turned out to be damaged. The state is taken from the one before from now on, or from the beginning of
  // the log; `notice` is told so for people, unless it had been passed over before. False if neither is there.
  bool PassOver(const std::string& path, const absl::Status& damage,
                absl::FunctionRef<void(const std::string&)> notice);

  // The newest snapshot, if there is one.
  std::optional<SnapshotSummary> newest_snapshot() const;
  // The newest snapshot, if there are files before it, which are kept in case that it is damaged.
  std::optional<SnapshotSummary> newest_with_fallback() const;

  // The files that are still there and not needed any more, in the order in which they have to be removed.
  std::vector<std::string> obsolete() const;
  // One of them was removed.
  void Removed(const std::string& path);

  struct Growth {
    uint64_t state_bytes = 0;         // of the newest snapshot, before it is compressed
    uint64_t since_newest_bytes = 0;  // logged since
    uint64_t since_oldest_bytes = 0;  // logged since the oldest one that is kept, or ever where not enough are there
    uint64_t finished_bytes = 0;      // in segments that nothing is written to any more
  };
  Growth growth() const;

 private:
  struct Segment {
    SegmentExtent extent;
    uint64_t file_bytes = 0;
  };

  // From this snapshot, or from the first revision if it is null.
  absl::StatusOr<StateReplay> ReplayFrom(const SnapshotSummary* snapshot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::unique_ptr<LogCursor>> CursorFrom(uint64_t revision) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KeepSnapshots(size_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropSegmentsBefore(const LogPoint& point) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t compacted_revision() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t BytesSince(const LogPoint& point) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  FileSystem& file_system_;
  const std::string log_id_;

  mutable Mutex mu_;
  LogPoint end_ ABSL_GUARDED_BY(mu_);                            // of what is durable
  std::vector<Segment> segments_ ABSL_GUARDED_BY(mu_);           // in use, ascending; never empty
  std::vector<SnapshotSummary> snapshots_ ABSL_GUARDED_BY(mu_);  // intact ones, ascending
  std::vector<std::string> obsolete_ ABSL_GUARDED_BY(mu_);       // files that nothing needs, the first to go first
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kvs::txn
