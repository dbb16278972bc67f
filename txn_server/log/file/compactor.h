// Makes snapshots in the background, and removes what they make superfluous.
//
// Every snapshot is made of the one before and of what was logged since, through the Fold of common/model. It has its
// name only when all of it is durable, and nothing is removed before that: a crash at any point leaves what was there.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "common/sync.h"
#include "txn_server/log/compaction/compaction_attempts.h"
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
  uint64_t failed_attempts = 0;  // since the snapshot before
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
    // Told what went wrong, in a sentence for people, and of each attempt at a snapshot what was made, or why none was
    // and whether that is news. Called by the compactor's thread.
    std::function<void(const std::string&)> notice;
    std::function<void(const CompactionReport&)> compacted;
    CompactionFailed failed;
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
  // There was no space for what was to be appended: for the beginning of an epoch, without which nobody can even read
  // the state, or for transactions.
  void OutOfSpace(bool begins_epoch);

  // Whether the last attempt at a snapshot found no space. Not while there is another one, which needs what room there
  // is, the ballast's above all.
  bool lacks_space() const;

  // What the ballast takes on the disk.
  uint64_t ballast_bytes() const { return ballast_.bytes(); }

 private:
  enum class Pace { kBusy, kIdle, kOutOfSpace };

  enum class Task { kFillBallast, kShareBallast, kMakeSnapshot };

  void Run();
  // Waits until there is something to do, or this is stopping.
  Task AwaitTask();
  bool IsDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool SharesBallast(const LogFiles::Growth& growth) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool SnapshotFrees(const LogFiles::Growth& growth) const;
  void SetPace(Pace pace);
  void HastenForSpace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void FillBallast();
  void ShareBallast();
  void GiveShareOfBallast();
  void MakeSnapshot();
  // Notes what came of an attempt, and tells it.
  void Succeeded(CompactionReport report);
  void Failed(const absl::Status& status);
  absl::StatusOr<CompactionReport> CompactInLittleSpace();
  absl::StatusOr<CompactionReport> Compact();
  // Goes on without the newest snapshot if that is damaged and there is another way to the state. Whether it does.
  bool PassOverNewestSnapshot();
  // Removes what is kept in case that the newest snapshot is damaged, as nothing else makes room; where it is damaged,
  // the snapshot itself. Whether something was removed.
  bool RelyOnNewestSnapshot();
  // Removes what is obsolete before there is another snapshot, as nothing else makes room. Whether something was.
  bool RemoveObsoleteEarly();
  absl::Status Verify(const SnapshotSummary& snapshot);
  absl::Status WriteSnapshot(const std::string& path, LogFiles::ToFold& source, CompactionReport& report);
  // How many files were removed.
  uint64_t RemoveObsolete();
  bool IsOutOfSpace() const;

  const Settings settings_;
  LogFiles* const files_;

  // Of the thread alone.
  uint64_t next_id_;
  std::string base_path_;  // of the snapshot that the last one was to be made of, empty if of none
  Ballast ballast_;

  std::atomic<bool> stopping_ = false;
  mutable Mutex mu_;
  CondVar changed_;
  Pace pace_ ABSL_GUARDED_BY(mu_) = Pace::kBusy;
  bool working_ ABSL_GUARDED_BY(mu_) = true;
  bool starves_ ABSL_GUARDED_BY(mu_) = false;  // there was no space for what was to be appended last
  bool epoch_starves_ ABSL_GUARDED_BY(mu_) = false;
  CompactionAttempts attempts_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace kvs::txn
