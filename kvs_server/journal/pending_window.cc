#include "kvs_server/journal/pending_window.h"

#include <algorithm>

#include "common/limits.h"

namespace kvs::server {
namespace {

size_t TotalBytes(absl::Span<const EncodedTransaction> transactions) {
  size_t bytes = 0;
  for (const EncodedTransaction& transaction : transactions) bytes += transaction.bytes().size();
  return bytes;
}

}  // namespace

void PendingWindow::StartAfter(uint64_t revision, int64_t time_micros) {
  latest_revision_ = revision;
  sent_revision_ = revision;
  latest_time_micros_ = time_micros;
}

bool PendingWindow::HasRoomFor(absl::Span<const EncodedTransaction> transactions) const {
  return bytes_ + TotalBytes(transactions) <= max_bytes_;
}

Stamp PendingWindow::Assign(absl::Span<EncodedTransaction> transactions, int64_t now_micros) {
  latest_time_micros_ = std::max(latest_time_micros_, now_micros);
  const Stamp stamp{latest_revision_ + 1, latest_time_micros_};
  for (EncodedTransaction& transaction : transactions) transaction.Stamp(++latest_revision_, stamp.time_micros);
  return stamp;
}

Stamp PendingWindow::Add(absl::Span<EncodedTransaction> transactions, int64_t now_micros) {
  const Stamp stamp = Assign(transactions, now_micros);
  const size_t bytes = TotalBytes(transactions);
  const bool open = next_to_send_ < frames_.size() &&
                    frames_.back()->transactions.size() + bytes <= kTargetFrameBytes &&
                    frames_.back()->first_revision > sent_revision_;
  if (!open) {
    frames_.push_back(std::make_shared<Frame>());
    frames_.back()->first_revision = stamp.first_revision;
  }
  Frame& frame = *frames_.back();
  for (const EncodedTransaction& transaction : transactions) {
    frame.transactions += transaction.bytes();
    frame.count++;
  }
  bytes_ += bytes;
  return stamp;
}

std::shared_ptr<const PendingWindow::Frame> PendingWindow::NextToSend() {
  if (next_to_send_ == frames_.size()) return nullptr;
  const auto& frame = frames_[next_to_send_++];
  sent_revision_ = std::max(sent_revision_, frame->last_revision());
  return frame;
}

void PendingWindow::Trim(uint64_t durable_revision) {
  while (!frames_.empty() && frames_.front()->last_revision() <= durable_revision) {
    bytes_ -= frames_.front()->transactions.size();
    frames_.pop_front();
    if (next_to_send_ > 0) next_to_send_--;
  }
}

}  // namespace kvs::server
