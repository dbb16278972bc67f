// Prepares segments in the background, so that appending never waits for a segment to be filled with zeros.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "common/sync.h"
#include "txn_server/log/file/file_system.h"

namespace kvs::txn {

// Makes spare segments, one at a time and without gaps in their ids, in a thread of its own.
//
// Thread-safety: Prefetch, Require and Take are called by one thread; bytes() from any.
class SegmentSupply {
 public:
  struct Settings {
    FileSystem& file_system;
    std::string directory;
    std::string log_id;
    uint64_t segment_bytes = 0;  // of a spare, unless more is required; whole sectors
  };

  // `spares` are those that exist, with their sizes, by id; the first of them, or of those to be made, is `first_id`.
  SegmentSupply(Settings settings, uint64_t first_id, std::map<uint64_t, uint64_t> spares);
  // Waits for the spare that is being made.
  ~SegmentSupply();
  SegmentSupply(const SegmentSupply&) = delete;
  SegmentSupply& operator=(const SegmentSupply&) = delete;

  // Starts to make the next spare, if there is none with this id yet; unless one is being made or that failed before.
  // Where there is no room for a whole one it is of the smallest size, so that the one before can be used.
  void Prefetch(uint64_t segment_id);

  // Returns when there is a durable spare with this id, of at least `min_bytes`, making it if need be: its size. It has
  // the size of other spares or more, unless there is no room for that and it `may_be_small`.
  // kNoSpace if there is no room for it, which may be tried again; after any other error nothing is made any more.
  absl::StatusOr<uint64_t> Require(uint64_t segment_id, uint64_t min_bytes, bool may_be_small);

  // Says that a segment is no spare any more.
  void Take(uint64_t segment_id);

  // What the spares take on the disk.
  uint64_t bytes() const;

 private:
  struct Order {
    uint64_t segment_id = 0;
    uint64_t bytes = 0;
    uint64_t least_bytes = 0;  // where there is no room for so many
  };

  void Run();
  // How many bytes it has.
  absl::StatusOr<uint64_t> Make(const Order& order);
  absl::Status Make(uint64_t segment_id, uint64_t bytes);
  void Place(const Order& order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Waits until it is made. REQUIRES: nothing is being made.
  absl::Status MakeNow(const Order& order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The size of the spare, 0 if there is none.
  uint64_t SizeOf(uint64_t segment_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Settings settings_;

  mutable Mutex mu_;
  CondVar changed_;
  std::map<uint64_t, uint64_t> spares_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_);            // of the first spare that does not exist
  std::optional<Order> order_ ABSL_GUARDED_BY(mu_);  // being made, or about to be
  uint64_t failed_id_ ABSL_GUARDED_BY(mu_) = 0;      // of the last order, if it failed
  absl::Status result_ ABSL_GUARDED_BY(mu_);         // of the last order
  absl::Status broken_ ABSL_GUARDED_BY(mu_);         // an error that is no want of space
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace kvs::txn
