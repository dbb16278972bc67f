// Makes snapshots in the background, and removes the history that deletes have hidden, and what is left of requests
// that no retry can ask for any more.
//
// A snapshot is made of the one before and of what was written since, through the Fold of common/model, and published
// in one database transaction that requires the epoch of its writer and the revisions that it stands for: what another
// txn_server has taken over it leaves alone, and what was put back to an older copy.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/sync.h"
#include "txn_server/log/compaction/compaction_attempts.h"
#include "txn_server/log/compaction/compaction_options.h"
#include "txn_server/log/postgres/connection.h"
#include "txn_server/log/postgres/postgres_snapshot.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A snapshot that was made.
struct PostgresCompactionReport {
  PostgresSnapshot snapshot;
  uint64_t compacted_revision = 0;
  uint64_t folded_transactions = 0;
  uint64_t oldest_request = 0;   // that it remembers, by its revision; 0 if it remembers none
  uint64_t failed_attempts = 0;  // since the snapshot before
  absl::Duration duration;
};

// Thread-safety: any method from any thread.
class PostgresCompactor {
 public:
  struct Settings {
    std::string connection_string;
    CompactionOptions options;
    // Where deletes have hidden something that no snapshot stands for yet, the next one is made this long after the
    // last one, however little was written.
    absl::Duration removal_interval;
    // Reads the state, and says in `end` up to which revision.
    std::function<absl::StatusOr<StateReplay>(uint64_t* end)> read_state;
    // Told of each attempt what was made, or what went wrong and whether that is news. Called by the compactor's
    // thread.
    std::function<void(const PostgresCompactionReport&)> compacted;
    CompactionFailed failed;
  };

  // `snapshot_bytes` and `growth_bytes` are those of the newest snapshot, and of what was written since; `hides` is
  // whether there is hidden history.
  PostgresCompactor(Settings settings, uint64_t snapshot_bytes, uint64_t growth_bytes, bool hides);
  // Gives up the snapshot that is being made.
  ~PostgresCompactor();
  PostgresCompactor(const PostgresCompactor&) = delete;
  PostgresCompactor& operator=(const PostgresCompactor&) = delete;

  // The process is the writer of this epoch from now on; before that nothing is done.
  void BeginEpoch(uint64_t epoch);
  // So much was appended by the writer of this epoch, which may have begun before this process did; `hides` if it hides
  // history. Cheap.
  void Appended(uint64_t epoch, uint64_t bytes, bool hides);
  // Nothing has been appended for a while.
  void Idle();

 private:
  void Run();
  bool IsDue(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void Compact(uint64_t epoch);
  absl::Status MakeSnapshot(uint64_t epoch, PostgresCompactionReport* report);
  absl::Status WriteSnapshot(const std::shared_ptr<Connection>& connection, PostgresCompactionReport* report);
  absl::StatusOr<std::unique_ptr<SnapshotCursor>> WriteRun(const std::shared_ptr<Connection>& connection,
                                                           SnapshotCursor& run);
  absl::Status Publish(Connection& connection, uint64_t epoch, PostgresCompactionReport* report);
  // Removes rows of requests, those of requests that are older than this revision.
  absl::Status RemoveRequests(Connection& connection, uint64_t before);
  absl::StatusOr<uint64_t> NewId(Connection& connection);

  const Settings settings_;
  std::atomic<bool> stopping_ = false;
  uint64_t last_id_ = 0;  // the thread's own: the newest id that it took

  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t snapshot_bytes_ ABSL_GUARDED_BY(mutex_);
  uint64_t growth_bytes_ ABSL_GUARDED_BY(mutex_);
  bool hides_ ABSL_GUARDED_BY(mutex_);
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;
  CompactionAttempts attempts_ ABSL_GUARDED_BY(mutex_);
  absl::Time remove_at_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace kvs::txn
