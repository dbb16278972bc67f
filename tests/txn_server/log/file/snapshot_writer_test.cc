#include "txn_server/log/file/snapshot_writer.h"

#include <zstd.h>

#include "common/crc32c.h"
#include "common/errors.h"
#include "tests/support/snapshot_samples.h"

namespace kvs::txn {
namespace {

const std::string kPath = "/log/0000000001.snap.tmp";
using FileOperation = MemoryFileSystem::Operation;

TEST_CASE("an empty snapshot is a header alone") {
  MemoryFileSystem files;
  const SnapshotSummary summary = WriteSnapshot(files, kPath, {});
  CHECK(summary.header.file_bytes == kSnapshotHeaderBytes);
  CHECK(summary.header.blocks == 0);
  CHECK(summary.header.last_block_crc32c == 0);
  CHECK(files.Contents(kPath) == EncodeSnapshotHeader(summary.header));
}

TEST_CASE("the header says what the blocks are") {
  MemoryFileSystem files;
  std::vector<std::string> entries;
  size_t raw_bytes = 0;
  for (uint64_t i = 1; i <= 20'000; ++i) entries.push_back(IntEntry(i));
  for (uint64_t i = 1; i <= 3; ++i) entries.push_back(NoiseEntry(i, 100));
  for (const std::string& entry : entries) raw_bytes += entry.size();
  const SnapshotSummary summary = WriteSnapshot(files, kPath, entries);
  const std::string bytes = files.Contents(kPath);
  const std::vector<size_t> offsets = BlockOffsets(bytes);
  const SnapshotHeader& header = summary.header;
  CHECK(bytes.substr(0, kSnapshotHeaderBytes) == EncodeSnapshotHeader(header));
  CHECK(header.file_bytes == bytes.size());
  CHECK(header.blocks == offsets.size() - 1);
  CHECK(header.blocks > 3);
  CHECK(header.transactions == entries.size());
  CHECK(header.raw_bytes == raw_bytes);
  CHECK(header.keys == std::array<uint64_t, kValueTypeCount>{20'000, 0, 0, 3, 0, 0});
  CHECK(bytes.size() < raw_bytes / 4);
}

TEST_CASE("every block names the header of the one before, and the checksum of its bytes") {
  MemoryFileSystem files;
  std::vector<std::string> entries;
  for (uint64_t i = 1; i <= 20; ++i) entries.push_back(NoiseEntry(i, 100'000));
  const SnapshotSummary summary = WriteSnapshot(files, kPath, entries);
  const std::string bytes = files.Contents(kPath);
  uint32_t previous = 0;
  const std::vector<size_t> offsets = BlockOffsets(bytes);
  REQUIRE(offsets.size() > 5);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const absl::string_view block = absl::string_view(bytes).substr(offsets[i], offsets[i + 1] - offsets[i]);
    BlockHeader header;
    REQUIRE(DecodeBlockHeader(block, &header).empty());
    CHECK(header.previous_crc32c == previous);
    CHECK(header.stored_crc32c == Crc32c(block.substr(kBlockHeaderBytes)));
    previous = BlockHeaderCrc(block);
  }
  CHECK(summary.header.last_block_crc32c == previous);
}

TEST_CASE("a block is closed when it has its size, and stored as it is where that is smaller") {
  MemoryFileSystem files;
  // Two blocks, the first of which one entry closes.
  const std::vector<std::string> entries = {NoiseEntry(1, kTargetBlockBytes - 200), NoiseEntry(2, 1'000'000),
                                            NoiseEntry(3, 10)};
  const SnapshotSummary summary = WriteSnapshot(files, kPath, entries);
  const std::string bytes = files.Contents(kPath);
  const std::vector<size_t> offsets = BlockOffsets(bytes);
  REQUIRE(offsets.size() == 3);
  BlockHeader first;
  REQUIRE(DecodeBlockHeader(absl::string_view(bytes).substr(offsets[0]), &first).empty());
  CHECK(first.compression == Compression::kNone);
  CHECK(first.raw_bytes == entries[0].size() + entries[1].size());
  CHECK(first.stored_bytes == first.raw_bytes);
  CHECK(bytes.substr(offsets[0] + kBlockHeaderBytes, first.raw_bytes) == entries[0] + entries[1]);
  BlockHeader second;
  REQUIRE(DecodeBlockHeader(absl::string_view(bytes).substr(offsets[1]), &second).empty());
  CHECK(second.raw_bytes == entries[2].size());
}

TEST_CASE("a compressed block is one frame of zstd") {
  MemoryFileSystem files;
  std::vector<std::string> entries;
  std::string raw;
  for (uint64_t i = 1; i <= 1000; ++i) raw += entries.emplace_back(IntEntry(i));
  WriteSnapshot(files, kPath, entries);
  const std::string bytes = files.Contents(kPath);
  BlockHeader header;
  REQUIRE(DecodeBlockHeader(absl::string_view(bytes).substr(kSnapshotHeaderBytes), &header).empty());
  CHECK(header.compression == Compression::kZstd);
  std::string read(header.raw_bytes, '\0');
  const char* stored = bytes.data() + kSnapshotHeaderBytes + kBlockHeaderBytes;
  REQUIRE(ZSTD_decompress(read.data(), read.size(), stored, header.stored_bytes) == raw.size());
  CHECK(read == raw);
}

TEST_CASE("the header is written last, and the disk never owes much") {
  MemoryFileSystem files;
  std::vector<std::string> entries;
  for (uint64_t i = 1; i <= 12; ++i) entries.push_back(NoiseEntry(i, 1'000'000));
  size_t unsynced = 0;
  size_t most = 0;
  files.SetFaults([&](FileOperation operation, const std::string&) -> std::optional<MemoryFileSystem::Fault> {
    if (operation == FileOperation::kSync) unsynced = 0;
    if (operation == FileOperation::kWrite) most = std::max(most, ++unsynced);
    return std::nullopt;
  });
  WriteSnapshot(files, kPath, entries);
  CHECK(most <= 5);
  const auto trace = files.TakeTrace();
  REQUIRE(trace.size() > 3);
  CHECK(trace.back() == "sync " + kPath);
  CHECK(trace[trace.size() - 2] == "write " + kPath);
}

TEST_CASE("an error of the disk ends the writing") {
  for (size_t failing = 1; failing <= 4; ++failing) {
    MemoryFileSystem files;
    SnapshotWriter writer(*files.Create(kPath));
    size_t writes = 0;
    files.SetFaults([&](FileOperation operation, const std::string&) -> std::optional<MemoryFileSystem::Fault> {
      if (operation != FileOperation::kWrite || ++writes < failing) return std::nullopt;
      return MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space left"), 10};
    });
    absl::Status status;
    for (uint64_t i = 1; i <= 3 && status.ok(); ++i) {
      status = writer.Add({ValueType::kString, true, NoiseEntry(i, kMiB)});
    }
    if (status.ok()) status = writer.Finish({}).status();
    INFO("write " << failing);
    CHECK(Is(status, errors::kNoSpace));
    CHECK(writes == failing);
  }
}

}  // namespace
}  // namespace kvs::txn
