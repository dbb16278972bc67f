// What txn_server looks at in the frames that a writer sends: CheckFrame, FrameFrom and SumUp, against generated code.
#include <string>
#include <vector>

#include "common/model/transaction_list.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sample_operations.h"
#include "tests/support/sample_frames.h"
#include "txn/v1/transaction.pb.h"
#include "txn_server/log/frame.h"

namespace kvs::fuzz::frames {

namespace pb = ::txn::v1;

// That generated code sees the revisions and batches in it that CheckFrame saw.
void CheckAgainstGenerated(const txn::Frame& frame) {
  pb::TransactionList list;
  // It accepts no number that takes more bytes than it may.
  if (!list.ParseFromArray(frame.transactions.data(), static_cast<int>(frame.transactions.size()))) return;
  Require(list.transactions_size() == static_cast<int>(frame.count), "a frame has another number of transactions");
  for (uint32_t i = 0; i < frame.count; ++i) {
    const pb::Transaction& transaction = list.transactions(static_cast<int>(i));
    Require(transaction.revision() == frame.first_revision + i, "a frame has another revision");
    const uint32_t remaining = transaction.batch_remaining();
    const uint32_t next =
        i + 1 < frame.count ? list.transactions(static_cast<int>(i + 1)).batch_remaining() : uint32_t{0};
    Require(remaining == 0 || (i + 1 < frame.count && next == remaining - 1), "a batch is not whole");
  }
}

// That a reader finds the same revisions, where it can read what is in them.
void CheckReading(const txn::Frame& frame) {
  TransactionListReader reader;
  reader.Reset(frame.transactions);
  for (uint32_t i = 0; i < frame.count; ++i) {
    const auto item = reader.Next();
    if (!item.ok()) continue;
    Require(*item != nullptr, "a frame is read to its end too soon");
    Require((*item)->transaction.revision == frame.first_revision + i, "a revision is read otherwise than checked");
  }
  const auto end = reader.Next();
  Require(end.ok() && *end == nullptr, "a frame goes on behind its last transaction");
}

void CheckParts(const txn::Frame& frame) {
  for (uint32_t i = 0; i < frame.count; ++i) {
    const auto part = txn::FrameFrom(frame, frame.first_revision + i);
    RequireOk(part.status(), "a checked frame has no part");
    Require(part->last_revision() == frame.last_revision(), "a part of a frame ends elsewhere");
    CheckReading(*part);
  }
}

void Run(absl::string_view input) {
  Pieces pieces(input);
  txn::Frame frame;
  frame.first_revision = pieces.Byte();
  if (frame.first_revision == 0xFF) frame.first_revision = ~uint64_t{0} - pieces.Byte();
  frame.count = pieces.Byte();
  frame.transactions = pieces.rest();
  if (!txn::CheckFrame(frame).ok()) return;
  CheckAgainstGenerated(frame);
  CheckReading(frame);
  if (frame.count <= 16) CheckParts(frame);
  const auto sum = txn::SumUp({frame}, frame.first_revision - 1);
  RequireOk(sum.status(), "a checked frame is no group");
  Require(sum->count == frame.count && sum->first_revision == frame.first_revision,
          "a group is another than its frame");
  Require(!txn::SumUp({frame, frame}, frame.first_revision - 1).ok(), "a frame follows itself");
}

std::string Input(const txn::SampleFrame& frame) {
  return std::string{static_cast<char>(frame.first_revision), static_cast<char>(frame.count)} + frame.bytes;
}

std::vector<Seed> MakeSeeds() {
  txn::SampleFrame all{1, 0, ""};
  for (const SampleOperation& sample : SampleOperations()) {
    all.bytes += sample.entry;
    ++all.count;
  }
  return {{"one", Input(txn::MakeFrame(1, 1))},
          {"several", Input(txn::MakeFrame(7, 3))},
          {"batch", Input(txn::MakeBatchFrame(2, 4))},
          {"every_operation", Input(all)}};
}

const Registration registration("frames", Run, MakeSeeds);

}  // namespace kvs::fuzz::frames
