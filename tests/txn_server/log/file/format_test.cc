#include "txn_server/log/file/format.h"

#include "tests/support/catch.h"

namespace kvs::txn {
namespace {

SegmentHeader SampleSegment() {
  SegmentHeader header;
  header.state = SegmentState::kInUse;
  header.log_id = "0123456789abcdef";
  header.segment_id = 3;
  header.segment_bytes = 0x0102030405060708;
  header.predecessor_bytes = 4608;
  header.last_revision = 41;
  header.epoch = 2;
  header.writer_id = "writer";
  header.predecessor_crc32c = 0xAABBCCDD;
  return header;
}

FrameHeader SampleFrameHeader() {
  FrameHeader header;
  header.kind = FrameKind::kTransactions;
  header.segment_id = 3;
  header.offset = 1024;
  header.epoch = 2;
  header.first_revision = 42;
  header.count = 5;
  header.payload_bytes = 600;
  header.payload_crc32c = 0x01020304;
  header.previous_crc32c = 0x05060708;
  return header;
}

TEST_CASE("a segment header is read back as it was written") {
  const std::string bytes = EncodeSegmentHeader(SampleSegment());
  REQUIRE(bytes.size() == kSegmentHeaderBytes);
  SegmentHeader read;
  REQUIRE(DecodeSegmentHeader(bytes, &read).empty());
  CHECK(EncodeSegmentHeader(read) == bytes);
  CHECK(read.state == SegmentState::kInUse);
  CHECK(read.log_id == "0123456789abcdef");
  CHECK(read.segment_id == 3);
  CHECK(read.segment_bytes == 0x0102030405060708);
  CHECK(read.predecessor_bytes == 4608);
  CHECK(read.last_revision == 41);
  CHECK(read.epoch == 2);
  CHECK(read.writer_id == "writer");
  CHECK(read.predecessor_crc32c == 0xAABBCCDD);
  CHECK(read.format_version == kFormatVersion);
  CHECK(read.min_reader_version == kMinReaderVersion);
}

TEST_CASE("numbers are stored with their lowest byte first") {
  const std::string bytes = EncodeSegmentHeader(SampleSegment());
  CHECK(bytes.substr(32, 8) == std::string("\x08\x07\x06\x05\x04\x03\x02\x01"));
}

TEST_CASE("a frame header is read back as it was written") {
  const std::string bytes = EncodeFrameHeader(SampleFrameHeader());
  REQUIRE(bytes.size() == kFrameHeaderBytes);
  FrameHeader read;
  REQUIRE(DecodeFrameHeader(bytes, &read).empty());
  CHECK(EncodeFrameHeader(read) == bytes);
  CHECK(read.kind == FrameKind::kTransactions);
  CHECK(read.segment_id == 3);
  CHECK(read.offset == 1024);
  CHECK(read.epoch == 2);
  CHECK(read.first_revision == 42);
  CHECK(read.count == 5);
  CHECK(read.payload_bytes == 600);
  CHECK(read.payload_crc32c == 0x01020304);
  CHECK(read.previous_crc32c == 0x05060708);
}

TEST_CASE("a flipped bit anywhere in a header is noticed") {
  const std::string segment = EncodeSegmentHeader(SampleSegment());
  const std::string frame = EncodeFrameHeader(SampleFrameHeader());
  SegmentHeader read_segment;
  FrameHeader read_frame;
  for (size_t bit = 0; bit < segment.size() * 8; ++bit) {
    std::string flipped = segment;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE_FALSE(DecodeSegmentHeader(flipped, &read_segment).empty());
  }
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string flipped = frame;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE_FALSE(DecodeFrameHeader(flipped, &read_frame).empty());
  }
}

TEST_CASE("headers that are cut short are noticed") {
  SegmentHeader segment;
  FrameHeader frame;
  for (size_t size = 0; size < kSegmentHeaderBytes; ++size) {
    REQUIRE_FALSE(DecodeSegmentHeader(EncodeSegmentHeader(SampleSegment()).substr(0, size), &segment).empty());
  }
  for (size_t size = 0; size < kFrameHeaderBytes; ++size) {
    REQUIRE_FALSE(DecodeFrameHeader(EncodeFrameHeader(SampleFrameHeader()).substr(0, size), &frame).empty());
  }
}

TEST_CASE("of a newer version that this one cannot read only the versions are read") {
  SegmentHeader header = SampleSegment();
  header.format_version = 9;
  header.min_reader_version = 7;
  header.state = static_cast<SegmentState>(77);
  SegmentHeader read;
  REQUIRE(DecodeSegmentHeader(EncodeSegmentHeader(header), &read).empty());
  CHECK(read.format_version == 9);
  CHECK(read.min_reader_version == 7);
  header.min_reader_version = kFormatVersion;
  CHECK_FALSE(DecodeSegmentHeader(EncodeSegmentHeader(header), &read).empty());
}

TEST_CASE("a frame takes whole sectors and always has padding") {
  CHECK(FrameBytes(0) == 512);
  CHECK(FrameBytes(447) == 512);
  CHECK(FrameBytes(448) == 1024);
  CHECK(FrameBytes(959) == 1024);
  CHECK(FrameBytes(960) == 1536);
}

TEST_CASE("the first byte tells a frame of one sector from a larger one") {
  FrameHeader header = SampleFrameHeader();
  header.payload_bytes = 447;
  CHECK(EncodeFrameHeader(header).substr(0, 4) == kOneSectorMagic);
  header.payload_bytes = 448;
  CHECK(EncodeFrameHeader(header).substr(0, 4) == kManySectorsMagic);
}

TEST_CASE("IsZero looks at every byte") {
  CHECK(IsZero(""));
  std::string bytes(513, '\0');
  CHECK(IsZero(bytes));
  for (const size_t at : {size_t{0}, size_t{1}, size_t{256}, size_t{512}}) {
    bytes[at] = '\x01';
    CHECK_FALSE(IsZero(bytes));
    bytes[at] = '\0';
  }
}

}  // namespace
}  // namespace kvs::txn
