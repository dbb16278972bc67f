// Committer: the one thread that writes to the log. Whatever queued while the last group was on its way to the disk is
// the next group, which is made ready meanwhile by the threads that queue; no timers are involved. Jobs other than
// frames, such as opening the log for a writer, run between two groups, so that they find none in flight.
//
// Thread-safety: everything may be called from any thread.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "common/sync.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A frame that owns its bytes and has passed CheckFrame.
struct QueuedFrame {
  uint64_t first_revision = 0;
  uint32_t count = 0;
  std::string transactions;
};

class Committer {
 public:
  using Job = absl::AnyInvocable<void(TxnLog&)>;
  // How a group of `bytes` ended: OK when everything up to the log's durable revision is durable. Also kLogFailed
  // without any bytes, where the log failed while idle. Called on the committer's thread.
  using Committed = absl::AnyInvocable<void(const absl::Status&, size_t bytes)>;

  // `log` outlives the committer.
  Committer(TxnLog* log, Committed committed);
  // Finishes what is queued.
  ~Committer();

  // Adds a frame of the writer of `epoch` to the group that comes last.
  void Append(uint64_t epoch, QueuedFrame frame) ABSL_LOCKS_EXCLUDED(mutex_);

  // Forgets the frames that are not being written yet, and returns their bytes.
  size_t DropQueued() ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs a job between two groups, after the frames that were queued before it unless they are dropped.
  void Run(Job job) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A group, or a job.
  struct Entry {
    uint64_t epoch = 0;
    std::deque<QueuedFrame> frames;  // whose bytes the group refers to
    size_t bytes = 0;
    std::unique_ptr<LogGroup> group;
    Job job;
  };

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for work; an idle log is told after a while. False at the end.
  bool WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing if all was dropped.
  std::optional<Entry> TakeNext() ABSL_LOCKS_EXCLUDED(mutex_);

  TxnLog* const log_;
  Committed committed_;

  // Of the thread alone.
  bool idle_told_ = true;

  Mutex mutex_;
  CondVar work_;
  std::deque<Entry> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace kvs::txn
