// The log lines that a test causes.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "common/logging/logging.h"
#include "common/sync.h"

namespace kvs {

// Collects every line from its construction to its destruction. One at a time.
class LogCapture {
 public:
  LogCapture() {
    RedirectLog([this](absl::string_view line) {
      MutexLock lock(&mutex_);
      lines_.emplace_back(line);
      written_.SignalAll();
    });
  }
  ~LogCapture() { RedirectLog(nullptr); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::vector<std::string> Lines() const {
    MutexLock lock(&mutex_);
    return lines_;
  }

  // How many of the lines hold `text`.
  size_t Count(absl::string_view text) const {
    MutexLock lock(&mutex_);
    return CountLocked(text);
  }

  // Returns when a line holds `text`; false after a generous time.
  bool Await(absl::string_view text) {
    MutexLock lock(&mutex_);
    while (CountLocked(text) == 0) {
      if (written_.WaitWithTimeout(&mutex_, absl::Seconds(30))) return CountLocked(text) > 0;
    }
    return true;
  }

 private:
  size_t CountLocked(absl::string_view text) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::count_if(lines_.begin(), lines_.end(),
                         [&](const std::string& line) { return line.find(std::string(text)) != std::string::npos; });
  }

  mutable Mutex mutex_;
  CondVar written_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs
