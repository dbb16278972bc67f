#include "txn_server/log/file/snapshot_reader.h"

#include "common/errors.h"
#include "tests/support/snapshot_samples.h"
#include "txn_server/log/file/header_fields.h"

namespace kvs::txn {
namespace {

const std::string kReadPath = "/log/0000000001.snap";

// A snapshot with some small blocks, of both compressions.
class SampleSnapshot {
 public:
  SampleSnapshot() {
    for (uint64_t i = 1; i <= 5000; ++i) entries_.push_back(IntEntry(i));
    entries_.push_back(NoiseEntry(1, kTargetBlockBytes));
    entries_.push_back(NoiseEntry(2, 2000));
    summary_ = WriteSnapshot(files_, kReadPath, entries_);
    bytes_ = files_.Contents(kReadPath);
    offsets_ = BlockOffsets(bytes_);
    REQUIRE(offsets_.size() == 4);
  }

  MemoryFileSystem& files() { return files_; }
  const std::string& bytes() const { return bytes_; }
  const SnapshotSummary& summary() const { return summary_; }
  const std::vector<size_t>& offsets() const { return offsets_; }
  std::string list() const {
    std::string list;
    for (const std::string& entry : entries_) list += entry;
    return list;
  }

  void Set(std::string bytes) { files_.SetContents(kReadPath, std::move(bytes)); }

  // Reads all of it, the header aside.
  absl::Status Read() {
    auto cursor = OpenSnapshot(files_, summary_);
    REQUIRE(cursor.ok());
    while (true) {
      const auto chunk = (*cursor)->Next();
      if (!chunk.ok()) return chunk.status();
      if (!*chunk) return absl::OkStatus();
    }
  }

  // Both readers must find the damage, at the offset.
  void CheckDamaged(std::string bytes, size_t offset) {
    Set(std::move(bytes));
    for (const absl::Status& status : {VerifySnapshot(files_, summary_), Read()}) {
      INFO(status);
      CHECK(Is(status, errors::kDamagedLog));
      CHECK(MetadataOf(status, "file") == kReadPath);
      CHECK(MetadataOf(status, "offset") == absl::StrCat(offset));
    }
    Set(bytes_);
  }

 private:
  MemoryFileSystem files_;
  std::vector<std::string> entries_;
  SnapshotSummary summary_;
  std::string bytes_;
  std::vector<size_t> offsets_;
};

TEST_CASE("a snapshot is read back as it was written") {
  SampleSnapshot sample;
  const auto summary = ReadSnapshotHeader(sample.files(), kReadPath);
  REQUIRE(summary.status() == absl::OkStatus());
  CHECK(summary->path == kReadPath);
  CHECK(EncodeSnapshotHeader(summary->header) == EncodeSnapshotHeader(sample.summary().header));
  CHECK(VerifySnapshot(sample.files(), *summary) == absl::OkStatus());
  auto cursor = OpenSnapshot(sample.files(), *summary);
  REQUIRE(cursor.ok());
  const auto chunks = ReadChunks(**cursor);
  CHECK(chunks.size() == 3);
  std::string list;
  for (const std::string& chunk : chunks) list += chunk;
  const bool same = list == sample.list();
  CHECK(same);
}

TEST_CASE("a snapshot that is being read may be removed") {
  SampleSnapshot sample;
  auto cursor = OpenSnapshot(sample.files(), sample.summary());
  REQUIRE(cursor.ok());
  REQUIRE(sample.files().Remove(kReadPath) == absl::OkStatus());
  const bool same = ReadList(**cursor) == sample.list();
  CHECK(same);
  CHECK(absl::IsNotFound(OpenSnapshot(sample.files(), sample.summary()).status()));
  CHECK(absl::IsNotFound(ReadSnapshotHeader(sample.files(), kReadPath).status()));
}

TEST_CASE("a damaged header, or a file of another size, is refused") {
  SampleSnapshot sample;
  const auto refused = [&](std::string bytes) {
    sample.Set(std::move(bytes));
    const absl::Status status = ReadSnapshotHeader(sample.files(), kReadPath).status();
    INFO(status);
    CHECK(Is(status, errors::kDamagedLog));
    CHECK(MetadataOf(status, "file") == kReadPath);
  };
  for (size_t at = 0; at < kSnapshotHeaderBytes; ++at) {
    std::string changed = sample.bytes();
    changed[at] = static_cast<char>(changed[at] ^ 1);
    refused(changed);
  }
  for (const size_t size : {size_t{0}, size_t{511}, size_t{512}, sample.bytes().size() - 1}) {
    refused(sample.bytes().substr(0, size));
  }
  refused(sample.bytes() + "x");
}

TEST_CASE("a snapshot of a newer program is refused as such") {
  SampleSnapshot sample;
  std::string bytes = sample.bytes();
  Put32(bytes, 8, kFormatVersion + 1);
  Put32(bytes, 12, kFormatVersion + 1);
  Put32(bytes, 508, Crc32c(absl::string_view(bytes).substr(0, 508)));
  sample.Set(bytes);
  CHECK(Is(ReadSnapshotHeader(sample.files(), kReadPath).status(), errors::kUnsupportedLogVersion));
}

TEST_CASE("damage in any block is found, with its place") {
  SampleSnapshot sample;
  const auto& offsets = sample.offsets();
  for (size_t block = 0; block + 1 < offsets.size(); ++block) {
    INFO("block " << block);
    const size_t size = offsets[block + 1] - offsets[block];
    for (const size_t at : {size_t{0}, size_t{9}, kBlockHeaderBytes - 1, kBlockHeaderBytes, size / 2, size - 1}) {
      INFO("at " << at);
      std::string changed = sample.bytes();
      changed[offsets[block] + at] = static_cast<char>(changed[offsets[block] + at] ^ 0x10);
      sample.CheckDamaged(changed, offsets[block]);
    }
    // A header that is intact, with a block cut out, or with the file cut.
    std::string without = sample.bytes();
    without.erase(offsets[block], size);
    sample.CheckDamaged(without, offsets[block]);
    sample.CheckDamaged(sample.bytes().substr(0, offsets[block] + kBlockHeaderBytes), offsets[block]);
    sample.CheckDamaged(sample.bytes().substr(0, offsets[block + 1] - 1), offsets[block]);
  }
}

TEST_CASE("blocks that are not those of the header are refused") {
  SampleSnapshot sample;
  // Intact blocks, of which the last one is another.
  MemoryFileSystem others;
  std::vector<std::string> entries;
  for (uint64_t i = 1; i <= 5000; ++i) entries.push_back(IntEntry(i));
  entries.push_back(NoiseEntry(1, kTargetBlockBytes));
  entries.push_back(NoiseEntry(3, 2000));
  WriteSnapshot(others, kReadPath, entries);
  const std::string other = others.Contents(kReadPath);
  REQUIRE(other.size() == sample.bytes().size());
  sample.CheckDamaged(sample.bytes().substr(0, kSnapshotHeaderBytes) + other.substr(kSnapshotHeaderBytes),
                      sample.bytes().size());
}

TEST_CASE("a block that stands for other bytes than its header says is refused") {
  SampleSnapshot sample;
  BlockHeader header;
  REQUIRE(DecodeBlockHeader(absl::string_view(sample.bytes()).substr(kSnapshotHeaderBytes), &header).empty());
  for (const int more : {-1, 1}) {
    BlockHeader changed = header;
    changed.raw_bytes = static_cast<uint32_t>(static_cast<int>(header.raw_bytes) + more);
    std::string bytes = sample.bytes();
    bytes.replace(kSnapshotHeaderBytes, kBlockHeaderBytes, EncodeBlockHeader(changed));
    sample.Set(bytes);
    auto cursor = OpenSnapshot(sample.files(), sample.summary());
    REQUIRE(cursor.ok());
    // Before the next block, whose header does not continue this one.
    CHECK(Is((*cursor)->Next().status(), errors::kDamagedLog));
  }
}

TEST_CASE("what cannot be read is damage with the disk's own words") {
  SampleSnapshot sample;
  sample.files().SetFaults([](MemoryFileSystem::Operation, const std::string&) {
    return std::make_optional(MemoryFileSystem::Fault{absl::InternalError("Input/output error")});
  });
  for (const absl::Status& status : {ReadSnapshotHeader(sample.files(), kReadPath).status(),
                                     VerifySnapshot(sample.files(), sample.summary()), sample.Read()}) {
    CHECK(Is(status, errors::kDamagedLog));
    CHECK_THAT(std::string(status.message()), ContainsText("Input/output error"));
  }
}

}  // namespace
}  // namespace kvs::txn
