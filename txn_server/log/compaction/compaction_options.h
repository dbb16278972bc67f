// When snapshots are made, and what becomes of the history that they stand for.
#pragma once

#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>

#include "common/limits.h"

namespace kvs::txn {

// What becomes of history that snapshots stand for.
enum class Retention {
  kOnDelete,  // it is removed; in PostgreSQL that of deleted keys
  kFull,      // it is kept for ever
};

struct CompactionOptions {
  Retention retention = Retention::kOnDelete;
  // A snapshot is due when this much was logged since the last one, and at least this share of its size before it was
  // compressed, as the log is not. Where nothing is being written, a quarter of the share is enough.
  uint64_t min_bytes = kDefaultCompactionMinBytes;
  uint64_t percent = kDefaultCompactionPercent;
  // Kept free for snapshots of a file ledger, so that a full disk can be made less full; 0 for none.
  uint64_t ballast_bytes = kDefaultBallastBytes;
  // The memory in which changes are gathered before they are spilled.
  size_t table_bytes = 32 * kMiB;
  // How long after the first failure a snapshot is tried again; the time doubles with each that follows.
  absl::Duration shortest_retry = absl::Seconds(1);
  absl::Duration longest_retry = absl::Minutes(1);
  // How often a file ledger tries to fill a ballast that lacks something.
  absl::Duration ballast_retry = absl::Seconds(10);
};

}  // namespace kvs::txn
