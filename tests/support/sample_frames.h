// Frames for tests of ledgers.
#pragma once

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>

#include "txn/v1/transaction.pb.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A Frame that owns its bytes.
struct SampleFrame {
  uint64_t first_revision = 1;
  uint32_t count = 0;
  std::string bytes;

  Frame frame() const { return {first_revision, count, bytes}; }
  uint64_t last_revision() const { return first_revision + count - 1; }
};

// A put of a string, as every writer encodes it.
inline ::txn::v1::Transaction SampleTransaction(uint64_t revision, const std::string& text = "value") {
  ::txn::v1::Transaction transaction;
  transaction.set_revision(revision);
  transaction.set_time_micros(1'700'000'000'000'000 + static_cast<int64_t>(revision));
  transaction.set_actor("spiffe://kvs/client/test");
  transaction.set_type(::txn::v1::STORE_TYPE_STRING);
  transaction.set_key(absl::StrCat("key-", revision));
  transaction.mutable_put()->set_string_value(text);
  return transaction;
}

// `count` transactions that stand alone.
inline SampleFrame MakeFrame(uint64_t first_revision, uint32_t count, const std::string& text = "value") {
  ::txn::v1::TransactionList list;
  for (uint32_t i = 0; i < count; ++i) *list.add_transactions() = SampleTransaction(first_revision + i, text);
  return {first_revision, count, list.SerializeAsString()};
}

// `count` transactions that are one atomic batch.
inline SampleFrame MakeBatchFrame(uint64_t first_revision, uint32_t count) {
  ::txn::v1::TransactionList list;
  for (uint32_t i = 0; i < count; ++i) {
    *list.add_transactions() = SampleTransaction(first_revision + i);
    list.mutable_transactions(static_cast<int>(i))->set_batch_remaining(count - 1 - i);
  }
  return {first_revision, count, list.SerializeAsString()};
}

// One transaction in a frame of exactly `frame_bytes`, at least 200.
inline SampleFrame MakeFrameOfSize(uint64_t revision, size_t frame_bytes) {
  // Lengths are varints on three levels: what is missing is corrected until nothing is.
  size_t text_bytes = frame_bytes - 150;
  while (true) {
    SampleFrame frame = MakeFrame(revision, 1, std::string(text_bytes, 'x'));
    if (frame.bytes.size() == frame_bytes) return frame;
    text_bytes += frame_bytes - frame.bytes.size();
  }
}

}  // namespace kvs::txn
