// Gate: holds up a MemoryTxnLog until it is opened.
#pragma once

#include <functional>

#include "common/sync.h"

namespace kvs {

class Gate {
 public:
  // What to give to MemoryTxnLog::Storage::SetBeforeAppend and the like. The gate outlives the log.
  std::function<absl::Status()> Hook() {
    return [this] {
      MutexLock lock(&mutex_);
      ++arrived_;
      changed_.SignalAll();
      while (!open_) changed_.Wait(&mutex_);
      return result_;
    };
  }

  // Blocks until something is held up, or was.
  void AwaitAppend() {
    MutexLock lock(&mutex_);
    while (arrived_ == 0) changed_.Wait(&mutex_);
  }

  // Lets everything through, what is held up included, with this result.
  void Open(absl::Status result = absl::OkStatus()) {
    MutexLock lock(&mutex_);
    open_ = true;
    result_ = std::move(result);
    changed_.SignalAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs
