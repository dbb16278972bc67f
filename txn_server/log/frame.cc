#include "txn_server/log/frame.h"

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <limits>

#include "common/errors.h"
#include "common/limits.h"

namespace kvs::txn {
namespace {

// Tags as they are on the wire: field number << 3 | wire type.
constexpr uint64_t kTransactionTag = 0x0A;     // TransactionList.transactions, length-delimited
constexpr uint64_t kRevisionTag = 0x09;        // Transaction.revision, fixed64
constexpr uint64_t kTimeTag = 0x11;            // Transaction.time_micros, sfixed64
constexpr uint64_t kBatchRemainingTag = 0x38;  // Transaction.batch_remaining, varint

constexpr uint64_t kRevisionField = 1;
constexpr uint64_t kTimeField = 2;
constexpr uint64_t kBatchRemainingField = 7;
constexpr uint64_t kMaxFieldNumber = (uint64_t{1} << 29) - 1;

// Reads the protobuf wire format. Every method returns false, with the position anywhere, at bytes that are not that.
class WireReader {
 public:
  explicit WireReader(absl::string_view bytes) : position_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool AtEnd() const { return position_ == end_; }
  const char* position() const { return position_; }

  bool ReadVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 70 && position_ != end_; shift += 7) {
      const uint64_t byte = static_cast<uint8_t>(*position_++);
      *value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool ReadFixed64(uint64_t* value) {
    if (end_ - position_ < 8) return false;
    *value = 0;
    for (int i = 0; i < 8; ++i) *value |= uint64_t{static_cast<uint8_t>(position_[i])} << (8 * i);
    position_ += 8;
    return true;
  }

  bool ReadBytes(absl::string_view* bytes) {
    uint64_t size = 0;
    if (!ReadVarint(&size) || size > static_cast<uint64_t>(end_ - position_)) return false;
    *bytes = absl::string_view(position_, static_cast<size_t>(size));
    position_ += size;
    return true;
  }

  // Skips the value of a field. The deprecated groups count as malformed.
  bool Skip(uint64_t tag) {
    uint64_t number = 0;
    absl::string_view bytes;
    switch (tag & 7) {
      case 0:
        return ReadVarint(&number);
      case 1:
        return ReadFixed64(&number);
      case 2:
        return ReadBytes(&bytes);
      case 5:
        if (end_ - position_ < 4) return false;
        position_ += 4;
        return true;
    }
    return false;
  }

 private:
  const char* position_;
  const char* end_;
};

// What is looked at in one transaction.
struct Outline {
  uint64_t revision = 0;
  uint32_t batch_remaining = 0;
};

bool ReadTagged64(WireReader& reader, uint64_t wanted_tag, uint64_t* value) {
  uint64_t tag = 0;
  return reader.ReadVarint(&tag) && tag == wanted_tag && reader.ReadFixed64(value);
}

bool ReadOutline(absl::string_view transaction, Outline* outline) {
  WireReader reader(transaction);
  uint64_t time = 0;
  if (!ReadTagged64(reader, kRevisionTag, &outline->revision)) return false;
  if (!ReadTagged64(reader, kTimeTag, &time)) return false;
  while (!reader.AtEnd()) {
    uint64_t tag = 0;
    if (!reader.ReadVarint(&tag)) return false;
    if (tag == kBatchRemainingTag) {
      uint64_t remaining = 0;
      if (!reader.ReadVarint(&remaining) || remaining > std::numeric_limits<uint32_t>::max()) return false;
      outline->batch_remaining = static_cast<uint32_t>(remaining);
      continue;
    }
    const uint64_t field = tag >> 3;
    if (field == 0 || field > kMaxFieldNumber) return false;
    // A decoder lets the last occurrence of a field win: it would see another revision than was checked here.
    if (field == kRevisionField || field == kTimeField || field == kBatchRemainingField) return false;
    if (!reader.Skip(tag)) return false;
  }
  return true;
}

bool ReadTransaction(WireReader& list, Outline* outline) {
  uint64_t tag = 0;
  absl::string_view transaction;
  return list.ReadVarint(&tag) && tag == kTransactionTag && list.ReadBytes(&transaction) &&
         ReadOutline(transaction, outline);
}

absl::Status Malformed(absl::string_view what) {
  return Error(errors::kMalformedFrame, absl::StrCat("malformed frame: ", what));
}

absl::Status CheckEnvelope(const Frame& frame) {
  if (frame.transactions.size() > kMaxFrameBytes) {
    return Malformed(absl::StrCat(frame.transactions.size(), " bytes, the limit is ", kMaxFrameBytes));
  }
  if (frame.count == 0) return Malformed("it has no transactions");
  if (frame.first_revision == 0) return Malformed("its first revision is 0, revisions begin at 1");
  if (frame.first_revision > std::numeric_limits<uint64_t>::max() - frame.count) {
    return Malformed(absl::StrCat("its revisions overflow from ", frame.first_revision));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFrame(const Frame& frame) {
  if (absl::Status status = CheckEnvelope(frame); !status.ok()) return status;
  WireReader list(frame.transactions);
  uint64_t expected = frame.first_revision;
  uint32_t batch_remaining = 0;
  for (; !list.AtEnd(); ++expected) {
    if (expected > frame.last_revision()) {
      return Malformed(absl::StrCat("it has more than the ", frame.count, " transactions that it announces"));
    }
    Outline outline;
    if (!ReadTransaction(list, &outline)) {
      return Malformed(absl::StrCat("what should be revision ", expected, " is no transaction"));
    }
    if (outline.revision != expected) {
      return Malformed(absl::StrCat("revision ", outline.revision, " where ", expected, " belongs"));
    }
    if (batch_remaining > 0 && outline.batch_remaining != batch_remaining - 1) {
      return Malformed(absl::StrCat("revision ", expected, " says that ", outline.batch_remaining,
                                    " transactions of its batch follow, the one before it said ", batch_remaining));
    }
    batch_remaining = outline.batch_remaining;
  }
  if (expected != frame.last_revision() + 1) {
    return Malformed(absl::StrCat("it ends before revision ", expected, " and announces ", frame.last_revision()));
  }
  if (batch_remaining > 0) {
    return Malformed(absl::StrCat("it ends inside the batch of revision ", expected - 1));
  }
  return absl::OkStatus();
}

absl::StatusOr<Frame> FrameFrom(const Frame& frame, uint64_t from_revision) {
  WireReader list(frame.transactions);
  for (uint64_t revision = frame.first_revision; revision < from_revision; ++revision) {
    Outline outline;
    if (!ReadTransaction(list, &outline)) {
      return Malformed(absl::StrCat("what should be revision ", revision, " is no transaction"));
    }
  }
  const size_t skipped = static_cast<size_t>(list.position() - frame.transactions.data());
  const auto count = static_cast<uint32_t>(frame.last_revision() - from_revision + 1);
  return Frame{from_revision, count, frame.transactions.substr(skipped)};
}

absl::StatusOr<Frame> SumUp(absl::Span<const Frame> frames, uint64_t durable_revision) {
  uint64_t expected = durable_revision + 1;
  uint64_t bytes = 0;
  for (const Frame& frame : frames) {
    if (frame.first_revision != expected) {
      return Error(errors::kGap,
                   absl::StrCat("a frame begins at revision ", frame.first_revision, " where ", expected, " belongs"));
    }
    if (frame.count == 0) return Error(errors::kMalformedFrame, "a frame has no transactions");
    expected += frame.count;
    bytes += frame.transactions.size();
  }
  const uint64_t count = expected - durable_revision - 1;
  if (bytes > kMaxFrameBytes || count > std::numeric_limits<uint32_t>::max()) {
    return Error(errors::kMalformedFrame, absl::StrCat("a group of ", count, " transactions has ", bytes,
                                                       " bytes, the limit is ", kMaxFrameBytes));
  }
  return Frame{durable_revision + 1, static_cast<uint32_t>(count), {}};
}

}  // namespace kvs::txn
