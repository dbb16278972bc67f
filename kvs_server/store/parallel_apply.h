// ParallelApply: applies the transactions of a replay with several threads.
//
// Keys do not depend on each other, and a shard has all changes of its keys. So the transactions of a shard are applied
// in their order, by one thread at a time, and those of other shards at the same time.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <thread>
#include <vector>

#include "common/model/transaction.h"
#include "common/sync.h"
#include "kvs_server/store/store.h"

namespace kvs::server {

// Thread-safety: Apply is called by one thread at a time. Others may use the store meanwhile.
class ParallelApply {
 public:
  // With so many threads, from 1, that of the caller included. `store` is borrowed.
  ParallelApply(Store* store, size_t threads);
  ~ParallelApply();
  ParallelApply(const ParallelApply&) = delete;
  ParallelApply& operator=(const ParallelApply&) = delete;

  // Puts the next transactions into a vector that is empty, none at the end. A few thousand at a time make it worth
  // while to share them, and fit into the cache of a processor. What they borrow stays until Apply returns.
  using Read = absl::FunctionRef<absl::Status(std::vector<Transaction>& transactions)>;

  // Applies what `read` gives, and reads on meanwhile; returns when all is applied. DataLoss for the first transaction
  // that does not follow from the state, which is undefined then; otherwise the error of `read`.
  absl::Status Apply(Read read);

 private:
  // The transactions of some shards, in their order.
  struct Lane {
    std::vector<HashedTransaction> transactions;
    absl::Span<const HashedTransaction> left;  // that were not applied
    absl::Status status;                       // of the first of these
  };

  // Lets the threads begin with transactions, which stay until Finish.
  void Start(const std::vector<Transaction>& transactions) ABSL_LOCKS_EXCLUDED(mutex_);
  // Applies what is left, and waits until all is.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);
  // Applies lanes as long as there is one that nobody has taken.
  void ApplyLanes() ABSL_LOCKS_EXCLUDED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  Store* const store_;
  // A lane belongs to the caller of Apply, and to whoever took it until that has applied it.
  std::vector<Lane> lanes_;

  Mutex mutex_;
  CondVar changed_;
  size_t next_lane_ ABSL_GUARDED_BY(mutex_);       // that nobody has taken
  size_t lanes_left_ ABSL_GUARDED_BY(mutex_) = 0;  // that are not applied
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace kvs::server
