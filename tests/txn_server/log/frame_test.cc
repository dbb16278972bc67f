#include "txn_server/log/frame.h"

#include <random>

#include "common/errors.h"
#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/sample_frames.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

// Whether the frame is refused, with the right kind of error.
bool Refused(const SampleFrame& sample) {
  const absl::Status status = CheckFrame(sample.frame());
  if (!status.ok()) CHECK(Is(status, errors::kMalformedFrame));
  return !status.ok();
}

std::string MessageOf(const SampleFrame& sample) { return std::string(CheckFrame(sample.frame()).message()); }

// A frame from transactions that a test has changed.
SampleFrame FrameOf(const ::txn::v1::TransactionList& list, uint64_t first_revision) {
  return {first_revision, static_cast<uint32_t>(list.transactions_size()), list.SerializeAsString()};
}

// A list entry from the bytes of a transaction shorter than 128 bytes.
std::string Entry(const std::string& transaction) {
  return std::string("\x0A", 1) + static_cast<char>(transaction.size()) + transaction;
}

std::string Fixed64(char tag, uint64_t value) {
  std::string bytes(1, tag);
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

// The least that a transaction of revision 1 may be.
const std::string kBare = Fixed64('\x09', 1) + Fixed64('\x11', 0);

TEST_CASE("frames of one and of many transactions are accepted") {
  CHECK_FALSE(Refused(MakeFrame(1, 1)));
  CHECK_FALSE(Refused(MakeFrame(1'000'000'000'000, 1000)));
  CHECK_FALSE(Refused({1, 1, Entry(kBare)}));
}

TEST_CASE("joined frames are one frame") {
  SampleFrame joined = MakeFrame(5, 3);
  joined.bytes += MakeBatchFrame(8, 2).bytes;
  joined.count = 5;
  CHECK_FALSE(Refused(joined));
}

TEST_CASE("a frame that announces another count is refused") {
  SampleFrame frame = MakeFrame(1, 3);
  frame.count = 2;
  CHECK_THAT(MessageOf(frame), ContainsText("more than the 2"));
  frame.count = 4;
  CHECK_THAT(MessageOf(frame), ContainsText("ends before revision 4"));
  frame.count = 0;
  CHECK(Refused(frame));
  CHECK(Refused({1, 0, ""}));
}

TEST_CASE("a frame that announces another first revision is refused") {
  SampleFrame frame = MakeFrame(7, 3);
  frame.first_revision = 6;
  CHECK_THAT(MessageOf(frame), ContainsText("revision 7 where 6 belongs"));
  frame.first_revision = 0;
  CHECK(Refused(frame));
}

TEST_CASE("revisions that overflow are refused") {
  CHECK(Refused({UINT64_MAX, 1, Entry(Fixed64('\x09', UINT64_MAX) + Fixed64('\x11', 0))}));
  CHECK(Refused({UINT64_MAX - 1, 5, Entry(kBare)}));
}

TEST_CASE("a gap and a repetition inside a frame are refused") {
  ::txn::v1::TransactionList list;
  *list.add_transactions() = SampleTransaction(4);
  *list.add_transactions() = SampleTransaction(6);
  CHECK_THAT(MessageOf(FrameOf(list, 4)), ContainsText("revision 6 where 5"));
  list.mutable_transactions(1)->set_revision(4);
  CHECK(Refused(FrameOf(list, 4)));
}

TEST_CASE("batches count down and end inside the frame") {
  CHECK_FALSE(Refused(MakeBatchFrame(1, 3)));
  ::txn::v1::TransactionList list;
  REQUIRE(list.ParseFromString(MakeBatchFrame(1, 3).bytes));
  SECTION("one is missing at the end") {
    list.mutable_transactions()->RemoveLast();
    CHECK_THAT(MessageOf(FrameOf(list, 1)), ContainsText("inside the batch of revision 2"));
  }
  SECTION("one does not count down") {
    list.mutable_transactions(1)->set_batch_remaining(2);
    CHECK(Refused(FrameOf(list, 1)));
  }
  SECTION("one counts down too far") {
    list.mutable_transactions(1)->set_batch_remaining(0);
    CHECK(Refused(FrameOf(list, 1)));
  }
  SECTION("the count overflows") {
    const std::string overflow("\x38\x80\x80\x80\x80\x10", 6);  // 2^32, which a decoder would take for 0
    CHECK(Refused({1, 1, Entry(kBare + overflow)}));
  }
}

TEST_CASE("revision and time must come first") {
  CHECK(Refused({1, 1, Entry(Fixed64('\x11', 0) + Fixed64('\x09', 1))}));
  CHECK(Refused({1, 1, Entry(Fixed64('\x09', 1))}));
  CHECK(Refused({1, 1, Entry(std::string("\x18\x00", 2) + kBare)}));
  CHECK(Refused({1, 1, Entry("")}));
}

TEST_CASE("a second revision or batch count, which would win in a decoder, is refused") {
  CHECK(Refused({1, 1, Entry(kBare + Fixed64('\x09', 1))}));
  CHECK(Refused({1, 1, Entry(kBare + Fixed64('\x11', 1))}));
  CHECK(Refused({1, 1, Entry(kBare + std::string("\x08\x05", 2))}));  // the same field as a varint
}

TEST_CASE("unknown fields of later versions are accepted, what is no protobuf is not") {
  CHECK_FALSE(Refused({1, 1, Entry(kBare + std::string("\xF8\x07\x01", 3))}));              // field 127, varint
  CHECK_FALSE(Refused({1, 1, Entry(kBare + std::string("\xFD\x07\x01\x02\x03\x04", 6))}));  // field 127, 32 bits
  CHECK(Refused({1, 1, Entry(kBare + std::string("\x00\x01", 2))}));                        // field 0
  CHECK(Refused({1, 1, Entry(kBare + std::string("\xFB\x07\xFC\x07", 4))}));                // a group
  CHECK(Refused({1, 1, Entry(kBare + std::string("\xFE\x07", 2))}));                        // wire type 6
  CHECK(Refused({1, 1, Entry(kBare + std::string(11, '\xFF'))}));                           // endless varint
  CHECK(Refused({1, 1, Entry(kBare) + std::string("\x10\x01", 2)}));                        // a field of the list
}

TEST_CASE("a frame cut at any byte is refused") {
  const SampleFrame whole = MakeFrame(1, 3);
  for (size_t size = 0; size < whole.bytes.size(); ++size) {
    INFO("cut to " << size);
    CHECK(Refused({1, 3, whole.bytes.substr(0, size)}));
  }
}

TEST_CASE("a frame of the largest size is accepted, one byte more is not") {
  CHECK_FALSE(Refused(MakeFrameOfSize(1, kMaxFrameBytes)));
  CHECK_THAT(MessageOf(MakeFrameOfSize(1, kMaxFrameBytes + 1)), ContainsText("the limit is 16777216"));
}

// What CheckFrame says about the order must be what a decoder finds there.
void CheckAgainstDecoder(const SampleFrame& sample) {
  ::txn::v1::TransactionList list;
  if (!CheckFrame(sample.frame()).ok() || !list.ParseFromString(sample.bytes)) return;
  REQUIRE(list.transactions_size() == static_cast<int>(sample.count));
  for (uint32_t i = 0; i < sample.count; ++i) {
    REQUIRE(list.transactions(static_cast<int>(i)).revision() == sample.first_revision + i);
  }
  REQUIRE(list.transactions(list.transactions_size() - 1).batch_remaining() == 0);
}

TEST_CASE("whatever bytes a frame has, an accepted one decodes to what was checked") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20000; ++round) {
    SampleFrame frame = round % 2 == 0 ? MakeFrame(1, 3) : MakeBatchFrame(1, 3);
    for (unsigned i = random() % 4; i > 0; --i)
      frame.bytes[random() % frame.bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) frame.bytes.insert(random() % frame.bytes.size(), std::string(random() % 5, '\x08'));
    CheckAgainstDecoder(frame);
  }
}

TEST_CASE("FrameFrom drops what is before a revision") {
  const SampleFrame whole = MakeFrame(10, 5);
  for (uint64_t from = 10; from <= 14; ++from) {
    const auto rest = FrameFrom(whole.frame(), from);
    REQUIRE(rest.ok());
    CHECK(rest->first_revision == from);
    CHECK(rest->last_revision() == 14);
    CHECK(CheckFrame(*rest).ok());
  }
}

TEST_CASE("FrameFrom refuses a frame that is none") {
  const SampleFrame whole = MakeFrame(10, 5);
  const Frame cut{10, 5, absl::string_view(whole.bytes).substr(0, 20)};
  CHECK(Is(FrameFrom(cut, 12).status(), errors::kMalformedFrame));
}

}  // namespace
}  // namespace kvs::txn
