// Makes snapshots in the background, and removes what they make superfluous.
//
// Every snapshot is made of the one before and of what was logged since, through the Fold of common/model. It has its
// name only when all of it is durable, and nothing is removed before that: a crash at any point leaves what was there.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "common/sync.h"
#include "txn_server/log/compaction/compaction_options.h"
#include "txn_server/log/file/ballast.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/log_files.h"

namespace kvs::txn {

// A snapshot that was made.
struct CompactionReport {
  SnapshotSummary snapshot;
  uint64_t folded_transactions = 0;
  uint64_t removed_files = 0;
  absl::Duration duration;
};

// Thread-safety: any method from any thread.
class Compactor {
 public:
  struct Settings {
    CompactionOptions options;
    FileSystem& file_system;
    std::string directory;
    std::string log_id;
    // Told what went wrong, in a sentence for people, and what was made. Called by the compactor's thread.
    std::function<void(const std::string&)> notice;
    std::function<void(const CompactionReport&)> compacted;
  };

  // `files` outlives the compactor. `next_snapshot_id` is above that of every snapshot in the directory.
  Compactor(Settings settings, LogFiles* files, uint64_t next_snapshot_id);
  // Gives up the snapshot that is being made.
  ~Compactor();
  Compactor(const Compactor&) = delete;
  Compactor& operator=(const Compactor&) = delete;

  // Something was appended. Cheap.
  void Appended();
  // Nothing has been appended for a while.
  void Idle();
  // There was no space for what was to be appended.
  void OutOfSpace();

  // Waits until no snapshot is due or being made, and returns the error of the last one, if it failed.
  absl::Status WaitUntilDone();

  // What the ballast takes on the disk.
  uint64_t ballast_bytes() const { return ballast_.bytes(); }

 private:
  enum class Pace { kBusy, kIdle, kOutOfSpace };

  void Run();
  // Waits until a snapshot is due, which is true; or until the ballast may be filled again, or this is stopping.
  bool AwaitWork();
  bool IsDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetPace(Pace pace);
  bool IsOutOfSpace() const;
  void EndWantOfSpace();

  // Makes a snapshot, or whatever has to be done before one can help.
  absl::Status Work();
  absl::Status Compact();
  absl::Status WriteSnapshot(const std::string& path, LogFiles::ToFold& source, CompactionReport& report);
  void RemoveObsolete(CompactionReport& report);

  const Settings settings_;
  LogFiles* const files_;

  // Of the thread alone.
  uint64_t next_id_;
  Ballast ballast_;

  std::atomic<bool> stopping_ = false;
  mutable Mutex mu_;
  CondVar changed_;
  Pace pace_ ABSL_GUARDED_BY(mu_) = Pace::kBusy;
  bool working_ ABSL_GUARDED_BY(mu_) = true;
  absl::Status result_ ABSL_GUARDED_BY(mu_);
  // After a failure nothing is tried before this time, unless this much more was logged.
  absl::Time not_before_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  uint64_t not_before_bytes_ ABSL_GUARDED_BY(mu_) = 0;

  std::thread thread_;
};

}  // namespace kvs::txn
