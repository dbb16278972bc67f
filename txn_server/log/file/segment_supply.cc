#include "txn_server/log/file/segment_supply.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {

SegmentSupply::SegmentSupply(Settings settings, uint64_t first_id, std::map<uint64_t, uint64_t> spares)
    : settings_(std::move(settings)),
      spares_(std::move(spares)),
      next_id_(first_id + spares_.size()),
      thread_([this] { Run(); }) {}

SegmentSupply::~SegmentSupply() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void SegmentSupply::Prefetch(uint64_t segment_id) {
  MutexLock lock(&mu_);
  if (order_ || next_id_ > segment_id || failed_id_ == next_id_) return;
  Place({next_id_, settings_.segment_bytes});
}

absl::StatusOr<uint64_t> SegmentSupply::Require(uint64_t segment_id, uint64_t min_bytes, bool may_be_small) {
  MutexLock lock(&mu_);
  if (SizeOf(segment_id) >= min_bytes) return SizeOf(segment_id);
  while (order_) changed_.Wait(&mu_);
  if (SizeOf(segment_id) >= min_bytes) return SizeOf(segment_id);
  if (!broken_.ok()) return broken_;
  const uint64_t whole_sectors = (min_bytes + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
  absl::Status status = MakeNow({segment_id, std::max(whole_sectors, settings_.segment_bytes)});
  if (may_be_small && Is(status, errors::kNoSpace) && whole_sectors < settings_.segment_bytes) {
    status = MakeNow({segment_id, whole_sectors});
  }
  if (!status.ok()) return status;
  return SizeOf(segment_id);
}

absl::Status SegmentSupply::MakeNow(const Order& order) {
  Place(order);
  while (order_) changed_.Wait(&mu_);
  return result_;
}

void SegmentSupply::Take(uint64_t segment_id) {
  MutexLock lock(&mu_);
  spares_.erase(segment_id);
}

uint64_t SegmentSupply::bytes() const {
  MutexLock lock(&mu_);
  uint64_t sum = 0;
  for (const auto& [id, bytes] : spares_) sum += bytes;
  return sum;
}

void SegmentSupply::Place(const Order& order) {
  order_ = order;
  changed_.SignalAll();
}

uint64_t SegmentSupply::SizeOf(uint64_t segment_id) const {
  const auto it = spares_.find(segment_id);
  return it == spares_.end() ? 0 : it->second;
}

void SegmentSupply::Run() {
  while (true) {
    Order order;
    {
      MutexLock lock(&mu_);
      while (!order_ && !stopping_) changed_.Wait(&mu_);
      if (stopping_) return;
      order = *order_;
    }
    const absl::Status status = Make(order);
    MutexLock lock(&mu_);
    result_ = status;
    failed_id_ = status.ok() ? 0 : order.segment_id;
    if (status.ok()) {
      spares_[order.segment_id] = order.bytes;
      next_id_ = std::max(next_id_, order.segment_id + 1);
    }
    if (!status.ok() && !Is(status, errors::kNoSpace)) broken_ = status;
    order_.reset();
    changed_.SignalAll();
  }
}

absl::Status SegmentSupply::Make(const Order& order) {
  SegmentHeader header;
  header.state = SegmentState::kSpare;
  header.segment_id = order.segment_id;
  header.segment_bytes = order.bytes;
  header.log_id = settings_.log_id;
  return CreateSegment(settings_.file_system, settings_.directory, header);
}

}  // namespace kvs::txn
