#include "kvs_server/store/parallel_apply.h"

#include <absl/types/span.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace kvs::server {
namespace {

// More would only be emptier where there are many shards.
constexpr size_t kMaxLanes = 64;

// It takes some time to wake a thread: fewer transactions than this wait for more.
constexpr size_t kLeastShared = 256;

}  // namespace

// One thread applies at once what it has read, while the processor's cache has it.
ParallelApply::ParallelApply(Store* store, size_t threads)
    : store_(store), batches_(threads > 1 ? kBatches : 1), applied_(std::min(store->shards().size(), kMaxLanes)) {
  for (Batch& batch : batches_) batch.lanes.resize(applied_.size());
  for (size_t i = 1; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

ParallelApply::~ParallelApply() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    work_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status ParallelApply::Apply(const std::shared_ptr<const void>& borrowed, Read read) {
  while (true) {
    Batch* next = AwaitRoom();
    if (!next) return Finish();
    next->transactions.clear();
    if (absl::Status status = read(next->transactions); !status.ok()) {
      const absl::Status applied = Finish();
      return applied.ok() ? status : applied;
    }
    if (next->transactions.empty()) return absl::OkStatus();
    next->borrowed = borrowed;
    Share(*next);
    Start(*next);
  }
}

ParallelApply::Batch* ParallelApply::AwaitRoom() {
  MutexLock lock(&mutex_);
  while (read_ - applying_ == batches_.size()) Help();
  return hole_ ? nullptr : &batch(read_);
}

void ParallelApply::Share(Batch& batch) const {
  for (auto& lane : batch.lanes) lane.clear();
  for (const Transaction& transaction : batch.transactions) {
    const HashedTransaction hashed = store_->Hashed(transaction);
    batch.lanes[hashed.shard % batch.lanes.size()].push_back(hashed);
  }
}

void ParallelApply::Start(Batch& batch) {
  MutexLock lock(&mutex_);
  batch.begin = 0;
  batch.end = batch.left = batch.lanes.size();
  ++read_;
  // A batch of few may be one of large values, which soon are several.
  if (batch.transactions.size() >= kLeastShared || read_ - taking_ > 1) work_.SignalAll();
}

absl::Status ParallelApply::Finish() {
  MutexLock lock(&mutex_);
  while (applying_ < read_) Help();
  if (!hole_) return absl::OkStatus();
  absl::Status status = std::move(hole_->status);
  hole_.reset();
  return status;
}

// From the other end than the threads, so that of two each mostly has the same shards, and their memory in its cache.
void ParallelApply::Help() {
  if (taking_ == read_) return progress_.Wait(&mutex_);
  ApplyLane(--batch(taking_).end);
}

void ParallelApply::Run() {
  MutexLock lock(&mutex_);
  while (true) {
    while (taking_ == read_ && !stopping_) work_.Wait(&mutex_);
    if (stopping_) return;
    ApplyLane(batch(taking_).begin++);
  }
}

void ParallelApply::ApplyLane(size_t lane) {
  const uint64_t number = taking_;
  Batch& taken = batch(number);
  if (taken.begin == taken.end) ++taking_;
  while (applied_[lane] < number) progress_.Wait(&mutex_);
  absl::Span<const HashedTransaction> left = taken.lanes[lane];
  if (!left.empty()) {
    mutex_.Unlock();
    absl::Status status = store_->Apply(&left);
    mutex_.Lock();
    if (!status.ok()) NoteHole({number, left.front().transaction, std::move(status)});
  }
  applied_[lane] = number + 1;
  if (--taken.left == 0) {
    taken.borrowed.reset();
    ++applying_;
  }
  progress_.SignalAll();
}

void ParallelApply::NoteHole(Hole hole) {
  if (hole_ && std::tie(hole_->batch, hole_->transaction) < std::tie(hole.batch, hole.transaction)) return;
  hole_ = std::move(hole);
}

}  // namespace kvs::server
