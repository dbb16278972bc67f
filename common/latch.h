// Latch: waiting until other threads have done something, on the mutex that ThreadSanitizer understands (see sync.h).
#pragma once

#include <absl/time/clock.h>
#include <absl/time/time.h>

#include "common/sync.h"

namespace kvs {

// Opens when it has been counted down, by default once, and stays open.
//
// Thread-safety: everything may be called from any thread. It may be destroyed as soon as the last Wait has returned,
// even if CountDown has not yet.
class Latch {
 public:
  explicit Latch(int count = 1) : count_(count) {}
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  void CountDown() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (--count_ <= 0) open_.SignalAll();
  }

  void Wait() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (count_ > 0) open_.Wait(&mutex_);
  }

  // Whether it opened in time.
  bool WaitFor(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Time deadline = absl::Now() + timeout;
    MutexLock lock(&mutex_);
    while (count_ > 0 && absl::Now() < deadline) open_.WaitWithTimeout(&mutex_, deadline - absl::Now());
    return count_ <= 0;
  }

  bool IsOpen() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return count_ <= 0;
  }

 private:
  Mutex mutex_;
  CondVar open_;
  int count_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs
