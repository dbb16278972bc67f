// PendingWindow: the transactions that the ledger has not acknowledged, in the frames that they travel in.
//
// 1. Revisions and times are given here, in one place, in one order: the total order of the partition.
// 2. A frame that was handed out for sending never changes, so that sending it again after a lost connection is
// harmless.
// 3. Bytes are bounded; what does not fit is refused before it gets a revision.
//
// Thread-safety: none; the Journal's mutex guards it. Nothing here blocks or encodes.
#pragma once

#include <absl/types/span.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "common/model/transaction_codec.h"

namespace kvs::server {

// Revisions and time that a mutation was given.
struct Stamp {
  uint64_t first_revision = 0;
  int64_t time_micros = 0;
};

class PendingWindow {
 public:
  // Transactions with consecutive revisions: `transactions` is a serialized txn.v1.TransactionList.
  struct Frame {
    uint64_t first_revision = 0;
    uint32_t count = 0;
    std::string transactions;

    uint64_t last_revision() const { return first_revision + count - 1; }
  };

  explicit PendingWindow(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Begins after `revision`, whose transaction has this time. REQUIRES: empty.
  void StartAfter(uint64_t revision, int64_t time_micros);

  bool HasRoomFor(absl::Span<const EncodedTransaction> transactions) const;

  // Gives the transactions of one mutation their revisions and time. The time is `now_micros`, or that of the
  // transaction before if the clock has gone back.
  Stamp Assign(absl::Span<EncodedTransaction> transactions, int64_t now_micros);

  // The same, and keeps them, in one frame. REQUIRES: HasRoomFor.
  Stamp Add(absl::Span<EncodedTransaction> transactions, int64_t now_micros);

  // The next frame to send, or null if there is none. It stays the same until Trim has passed it.
  std::shared_ptr<const Frame> NextToSend();

  // Forgets what is durable.
  void Trim(uint64_t durable_revision);

  // Sends everything that is left once more, after a lost connection.
  void Rewind() { next_to_send_ = 0; }

  uint64_t latest_revision() const { return latest_revision_; }
  uint64_t sent_revision() const { return sent_revision_; }
  int64_t latest_time_micros() const { return latest_time_micros_; }
  size_t bytes() const { return bytes_; }
  size_t max_bytes() const { return max_bytes_; }

 private:
  const size_t max_bytes_;
  uint64_t latest_revision_ = 0;
  uint64_t sent_revision_ = 0;
  int64_t latest_time_micros_ = 0;
  size_t bytes_ = 0;
  size_t next_to_send_ = 0;
  // The last frame is still open for more while it has not been handed out.
  std::deque<std::shared_ptr<Frame>> frames_;
};

}  // namespace kvs::server
