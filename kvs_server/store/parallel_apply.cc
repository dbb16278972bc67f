#include "kvs_server/store/parallel_apply.h"

#include <utility>

namespace kvs::server {
namespace {

// For each thread, so that none waits long for another that has more to do, or loses its processor.
constexpr size_t kLanesPerThread = 4;

// Waking a thread takes as long as applying some ten transactions.
constexpr size_t kLeastShared = 256;

}  // namespace

ParallelApply::ParallelApply(Store* store, size_t threads)
    : store_(store), lanes_(kLanesPerThread * threads), next_lane_(lanes_.size()) {
  for (size_t i = 1; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

ParallelApply::~ParallelApply() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status ParallelApply::Apply(Read read) {
  std::vector<Transaction> applied;
  std::vector<Transaction> next;
  while (true) {
    next.clear();
    const absl::Status status = read(next);
    if (absl::Status finished = Finish(); !finished.ok()) return finished;
    if (!status.ok() || next.empty()) return status;
    applied.swap(next);
    Start(applied);
  }
}

void ParallelApply::Start(const std::vector<Transaction>& transactions) {
  for (Lane& lane : lanes_) lane.transactions.clear();
  for (const Transaction& transaction : transactions) {
    const size_t hash = HashKey(transaction.key);
    lanes_[store_->shard_index(hash) % lanes_.size()].transactions.push_back({&transaction, hash});
  }
  MutexLock lock(&mutex_);
  next_lane_ = 0;
  lanes_left_ = lanes_.size();
  if (transactions.size() >= kLeastShared) changed_.SignalAll();
}

absl::Status ParallelApply::Finish() {
  ApplyLanes();
  {
    MutexLock lock(&mutex_);
    while (lanes_left_ > 0) changed_.Wait(&mutex_);
  }
  absl::Status status;
  const Transaction* failed = nullptr;
  for (Lane& lane : lanes_) {
    const auto left = std::exchange(lane.left, {});
    if (left.empty() || (failed != nullptr && failed < left.front().transaction)) continue;
    failed = left.front().transaction;
    status = lane.status;
  }
  return status;
}

void ParallelApply::ApplyLanes() {
  while (true) {
    Lane* lane = nullptr;
    {
      MutexLock lock(&mutex_);
      if (next_lane_ == lanes_.size()) return;
      lane = &lanes_[next_lane_++];
    }
    lane->left = lane->transactions;
    lane->status = store_->Apply(&lane->left);
    MutexLock lock(&mutex_);
    if (--lanes_left_ == 0) changed_.SignalAll();
  }
}

void ParallelApply::Run() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      while (next_lane_ == lanes_.size() && !stopping_) changed_.Wait(&mutex_);
      if (stopping_) return;
    }
    ApplyLanes();
  }
}

}  // namespace kvs::server
