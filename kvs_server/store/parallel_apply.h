// ParallelApply: applies the transactions of a replay with several threads.
//
// Keys do not depend on each other, and a shard has all changes of its keys. So the transactions of a shard are applied
// in their order, by one thread at a time, and those of other shards at the same time. A lane has those of some shards.
// Some batches are under way together, so that nobody waits at the end of one, nor while the next is received.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "common/model/transaction.h"
#include "common/sync.h"
#include "kvs_server/store/store.h"

namespace kvs::server {

// Thread-safety: Apply and Finish are called by one thread at a time. Others may use the store meanwhile.
class ParallelApply {
 public:
  // With so many threads, from 1, that of the caller included. `store` is borrowed.
  ParallelApply(Store* store, size_t threads);
  ~ParallelApply();
  ParallelApply(const ParallelApply&) = delete;
  ParallelApply& operator=(const ParallelApply&) = delete;

  // Puts the next transactions into a vector that is empty, none at the end. A few thousand at a time make it worth
  // while to share them, and fit into the cache of a processor.
  using Read = absl::FunctionRef<absl::Status(std::vector<Transaction>& transactions)>;

  // Applies what `read` gives, and reads on meanwhile. Returns when all is read; the last of it is applied beside what
  // the caller does next, or in its next call. `borrowed` is what the transactions borrow from, and is kept as long as
  // they are. DataLoss for the first transaction that does not follow from the state, which is undefined then, and may
  // be of a call before; otherwise the error of `read`. After an error nothing is under way.
  absl::Status Apply(const std::shared_ptr<const void>& borrowed, Read read) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until all is applied. DataLoss as above.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);

  // How many batches may be under way where there are several threads.
  static constexpr size_t kBatches = 4;

 private:
  struct Batch {
    std::vector<Transaction> transactions;
    std::vector<std::vector<HashedTransaction>> lanes;
    std::shared_ptr<const void> borrowed;
    // Of the lanes, those from begin to end that nobody has taken, and how many are not applied.
    size_t begin = 0, end = 0, left = 0;
  };
  // The first transaction that did not follow, by the number of its batch and its place there.
  struct Hole {
    uint64_t batch;
    const Transaction* transaction;
    absl::Status status;
  };

  Batch& batch(uint64_t number) { return batches_[number % batches_.size()]; }
  // Helps until there is room for another batch; null if there is a hole, after which none is read.
  Batch* AwaitRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives each transaction to its lane.
  void Share(Batch& batch) const;
  // Lets the threads have the batch that was read.
  void Start(Batch& batch) ABSL_LOCKS_EXCLUDED(mutex_);
  // Applies a lane that nobody has taken, or waits until somebody has applied one.
  void Help() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Applies a lane of the batch that is being taken, when what the lane had before is applied.
  void ApplyLane(size_t lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteHole(Hole hole) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  Store* const store_;
  // By their numbers, modulo how many there are. One that is not under way is the caller's, a lane belongs to whoever
  // took it.
  std::vector<Batch> batches_;

  Mutex mutex_;
  CondVar work_;      // there is another batch
  CondVar progress_;  // a lane was applied
  // Numbers of batches: the next one that is read, the first of which something is not taken, and not applied.
  uint64_t read_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t taking_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t applying_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<uint64_t> applied_ ABSL_GUARDED_BY(mutex_);  // of each lane, in how many batches
  std::optional<Hole> hole_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace kvs::server
