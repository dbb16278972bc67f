// CompactionAttempts: when a snapshot that could not be made is tried again, and what of that is news.
//
// Each attempt may write as much as a whole snapshot, so the time between two of them doubles, up to a limit. A log
// that doubled meanwhile does not wait that long.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>

#include "txn_server/log/compaction/compaction_options.h"

namespace kvs::txn {

// Told of every attempt that failed: why, and whether that is news.
using CompactionFailed = std::function<void(const absl::Status& status, bool is_news)>;

// Used under the lock of its owner.
class CompactionAttempts {
 public:
  explicit CompactionAttempts(const CompactionOptions& options) : options_(options) {}

  // Whether one may be made now; `growth_bytes` is what was logged since the last snapshot.
  bool MayTry(uint64_t growth_bytes, absl::Time now) const;

  // When one may be made at the latest; in the past unless the last one failed.
  absl::Time not_before() const { return not_before_; }

  // One failed. Whether that is news: the one before did not, or for another reason.
  bool Failed(const absl::Status& status, uint64_t growth_bytes, absl::Time now);

  void Succeeded();

  // How many have failed since the last one that succeeded, and why the last of them did.
  uint64_t failures() const { return failures_; }
  const absl::Status& failure() const { return failure_; }

  // That reason may be gone: the next one need not wait longer than after a first failure.
  void Hasten();

 private:
  CompactionOptions options_;
  absl::Status failure_;
  uint64_t failures_ = 0;
  absl::Time failed_at_ = absl::InfinitePast();
  absl::Time not_before_ = absl::InfinitePast();
  uint64_t not_before_bytes_ = 0;
};

}  // namespace kvs::txn
