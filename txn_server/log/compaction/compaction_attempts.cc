#include "txn_server/log/compaction/compaction_attempts.h"

#include <algorithm>

#include "common/errors.h"

namespace kvs::txn {
namespace {

// What is said of the same trouble differs by where it was met, such as how far a file could be written.
bool IsSameTrouble(const absl::Status& a, const absl::Status& b) {
  if (a.code() != b.code() || ReasonOf(a) != ReasonOf(b)) return false;
  return !ReasonOf(a).empty() || a.message() == b.message();
}

}  // namespace

bool CompactionAttempts::MayTry(uint64_t growth_bytes, absl::Time now) const {
  return now >= not_before_ || growth_bytes >= not_before_bytes_;
}

bool CompactionAttempts::Failed(const absl::Status& status, uint64_t growth_bytes, absl::Time now) {
  const bool is_news = !IsSameTrouble(status, failure_);
  failure_ = status;
  absl::Duration wait = options_.shortest_retry;
  for (uint64_t i = 0; i < failures_ && wait < options_.longest_retry; ++i) wait *= 2;
  ++failures_;
  failed_at_ = now;
  not_before_ = now + std::min(wait, options_.longest_retry);
  not_before_bytes_ = growth_bytes + std::max(growth_bytes, options_.min_bytes);
  return is_news;
}

void CompactionAttempts::Succeeded() { *this = CompactionAttempts(options_); }

void CompactionAttempts::Hasten() { not_before_ = std::min(not_before_, failed_at_ + options_.shortest_retry); }

}  // namespace kvs::txn
