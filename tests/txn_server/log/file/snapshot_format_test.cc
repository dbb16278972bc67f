#include "txn_server/log/file/snapshot_format.h"

#include "tests/support/catch.h"
#include "txn_server/log/file/header_fields.h"

namespace kvs::txn {
namespace {

SnapshotHeader SampleHeader() {
  SnapshotHeader header;
  header.snapshot_id = 7;
  header.log_id = "0123456789abcdef";
  header.point = {3, 4608, 41, 2, "writer", 0xAABBCCDD};
  header.time_micros = 0x0102030405060708;
  header.file_bytes = 70'000;
  header.blocks = 3;
  header.transactions = 900;
  header.raw_bytes = 600'000;
  header.keys = {10, 20, 30, 40, 50, 60};
  header.last_block_crc32c = 0x01020304;
  return header;
}

BlockHeader SampleBlock() { return {Compression::kZstd, 300, 5000, 0x01020304, 0x05060708}; }

TEST_CASE("a snapshot's header is read back as it was written") {
  const std::string bytes = EncodeSnapshotHeader(SampleHeader());
  REQUIRE(bytes.size() == kSnapshotHeaderBytes);
  SnapshotHeader read;
  REQUIRE(DecodeSnapshotHeader(bytes, &read).empty());
  CHECK(EncodeSnapshotHeader(read) == bytes);
  CHECK(read.snapshot_id == 7);
  CHECK(read.log_id == "0123456789abcdef");
  CHECK(read.point == SampleHeader().point);
  CHECK(read.time_micros == 0x0102030405060708);
  CHECK(read.file_bytes == 70'000);
  CHECK(read.blocks == 3);
  CHECK(read.transactions == 900);
  CHECK(read.raw_bytes == 600'000);
  CHECK(read.keys == SampleHeader().keys);
  CHECK(read.last_block_crc32c == 0x01020304);
  CHECK(read.format_version == kFormatVersion);
  CHECK(read.min_reader_version == kMinReaderVersion);
}

TEST_CASE("the longest id of a writer fits a snapshot's header") {
  SnapshotHeader header = SampleHeader();
  header.point.writer_id = std::string(kMaxWriterIdBytes, 'w');
  SnapshotHeader read;
  REQUIRE(DecodeSnapshotHeader(EncodeSnapshotHeader(header), &read).empty());
  CHECK(read.point == header.point);
  CHECK(read.file_bytes == 70'000);
}

TEST_CASE("every changed bit of a snapshot's header is noticed") {
  const std::string bytes = EncodeSnapshotHeader(SampleHeader());
  SnapshotHeader read;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    INFO("bit " << bit);
    REQUIRE_FALSE(DecodeSnapshotHeader(changed, &read).empty());
  }
  CHECK_FALSE(DecodeSnapshotHeader(absl::string_view(bytes).substr(1), &read).empty());
  CHECK_FALSE(DecodeSnapshotHeader("", &read).empty());
}

std::string Sealed(std::string bytes) {
  Put32(bytes, bytes.size() - 4, Crc32c(absl::string_view(bytes).substr(0, bytes.size() - 4)));
  return bytes;
}

TEST_CASE("of a snapshot for later readers only the versions are looked at") {
  std::string bytes = EncodeSnapshotHeader(SampleHeader());
  Put32(bytes, 12, kFormatVersion + 1);
  Put32(bytes, 84, 1000);  // the length of the writer's id
  SnapshotHeader read;
  REQUIRE(DecodeSnapshotHeader(Sealed(bytes), &read).empty());
  CHECK(read.min_reader_version == kFormatVersion + 1);
  Put32(bytes, 12, kMinReaderVersion);
  CHECK_THAT(DecodeSnapshotHeader(Sealed(bytes), &read), ContainsText("the writer id has 1000 bytes"));
}

TEST_CASE("a block's header is read back as it was written") {
  const std::string bytes = EncodeBlockHeader(SampleBlock());
  REQUIRE(bytes.size() == kBlockHeaderBytes);
  BlockHeader read;
  REQUIRE(DecodeBlockHeader(bytes, &read).empty());
  CHECK(EncodeBlockHeader(read) == bytes);
  CHECK(read.compression == Compression::kZstd);
  CHECK(read.stored_bytes == 300);
  CHECK(read.raw_bytes == 5000);
  CHECK(read.stored_crc32c == 0x01020304);
  CHECK(read.previous_crc32c == 0x05060708);
  CHECK(BlockHeaderCrc(bytes) == Crc32c(absl::string_view(bytes).substr(0, 28)));
}

TEST_CASE("every changed bit of a block's header is noticed") {
  const std::string bytes = EncodeBlockHeader(SampleBlock());
  BlockHeader read;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    INFO("bit " << bit);
    REQUIRE_FALSE(DecodeBlockHeader(changed, &read).empty());
  }
  CHECK_FALSE(DecodeBlockHeader(absl::string_view(bytes).substr(1), &read).empty());
}

TEST_CASE("a block of another compression, or of an impossible size, is refused") {
  BlockHeader header = SampleBlock();
  BlockHeader read;
  header.compression = static_cast<Compression>(2);
  CHECK_THAT(DecodeBlockHeader(EncodeBlockHeader(header), &read), ContainsText("unknown compression 2"));
  header = SampleBlock();
  header.stored_bytes = header.raw_bytes + 1;
  CHECK_FALSE(DecodeBlockHeader(EncodeBlockHeader(header), &read).empty());
  header = SampleBlock();
  header.raw_bytes = kMaxPayloadBytes;
  CHECK(DecodeBlockHeader(EncodeBlockHeader(header), &read).empty());
  header.raw_bytes = kMaxPayloadBytes + 1;
  CHECK_FALSE(DecodeBlockHeader(EncodeBlockHeader(header), &read).empty());
}

}  // namespace
}  // namespace kvs::txn
