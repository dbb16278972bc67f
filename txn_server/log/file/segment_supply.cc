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
  Place({next_id_, settings_.segment_bytes, kMinSegmentBytes});
}

absl::StatusOr<uint64_t> SegmentSupply::Require(uint64_t segment_id, uint64_t min_bytes, bool may_be_small) {
  MutexLock lock(&mu_);
  if (SizeOf(segment_id) >= min_bytes) return SizeOf(segment_id);
  while (order_) changed_.Wait(&mu_);
  if (SizeOf(segment_id) >= min_bytes) return SizeOf(segment_id);
  if (!broken_.ok()) return broken_;
  const uint64_t whole_sectors = (min_bytes + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
  const uint64_t bytes = std::max(whole_sectors, settings_.segment_bytes);
  if (absl::Status status = MakeNow({segment_id, bytes, may_be_small ? whole_sectors : bytes}); !status.ok()) {
    return status;
  }
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
    const auto bytes = Make(order);
    MutexLock lock(&mu_);
    result_ = bytes.status();
    failed_id_ = bytes.ok() ? 0 : order.segment_id;
    if (bytes.ok()) {
      spares_[order.segment_id] = *bytes;
      next_id_ = std::max(next_id_, order.segment_id + 1);
    } else if (!Is(bytes.status(), errors::kNoSpace)) {
      broken_ = bytes.status();
    }
    order_.reset();
    changed_.SignalAll();
  }
}

absl::StatusOr<uint64_t> SegmentSupply::Make(const Order& order) {
  uint64_t bytes = order.bytes;
  absl::Status status = Make(order.segment_id, bytes);
  if (Is(status, errors::kNoSpace) && order.least_bytes < bytes) {
    bytes = order.least_bytes;
    status = Make(order.segment_id, bytes);
  }
  if (!status.ok()) return status;
  return bytes;
}

absl::Status SegmentSupply::Make(uint64_t segment_id, uint64_t bytes) {
  SegmentHeader header;
  header.state = SegmentState::kSpare;
  header.segment_id = segment_id;
  header.segment_bytes = bytes;
  header.log_id = settings_.log_id;
  return CreateSegment(settings_.file_system, settings_.directory, header);
}

}  // namespace kvs::txn
