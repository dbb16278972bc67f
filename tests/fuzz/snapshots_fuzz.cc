// Snapshots: whatever a file holds, it is refused with a reason or gives transactions, and never reads past its end.
#include <algorithm>
#include <string>
#include <vector>

#include "common/crc32c.h"
#include "common/errors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sample_operations.h"
#include "tests/support/log_state.h"
#include "tests/support/memory_file_system.h"
#include "txn_server/log/file/header_fields.h"
#include "txn_server/log/file/snapshot_reader.h"
#include "txn_server/log/file/snapshot_writer.h"

namespace kvs::fuzz::snapshots {

using namespace kvs::txn;  // NOLINT(build/namespaces): all that is tested is there

constexpr char kPath[] = "/log/0000000001.snap";

void SetHeaderCrc(std::string& bytes, size_t offset, size_t crc_at) {
  Put32(bytes, offset + crc_at, Crc32c(absl::string_view(bytes).substr(offset, crc_at)));
}

// Gives every block and the header the checksums and numbers that belong to them.
void Mend(std::string& bytes) {
  if (bytes.size() < kSnapshotHeaderBytes) return;
  uint32_t previous_crc = 0;
  uint64_t blocks = 0;
  for (size_t offset = kSnapshotHeaderBytes; offset + kBlockHeaderBytes <= bytes.size(); ++blocks) {
    SetHeaderCrc(bytes, offset, kBlockHeaderBytes - 4);
    BlockHeader header;
    if (!DecodeBlockHeader(absl::string_view(bytes).substr(offset), &header).empty()) break;
    const size_t begin = offset + kBlockHeaderBytes;
    header.stored_bytes = static_cast<uint32_t>(std::min<size_t>(header.stored_bytes, bytes.size() - begin));
    header.stored_crc32c = Crc32c(absl::string_view(bytes).substr(begin, header.stored_bytes));
    header.previous_crc32c = previous_crc;
    const std::string encoded = EncodeBlockHeader(header);
    bytes.replace(offset, encoded.size(), encoded);
    previous_crc = BlockHeaderCrc(encoded);
    offset = begin + header.stored_bytes;
  }
  SetHeaderCrc(bytes, 0, kSnapshotHeaderBytes - 4);
  SnapshotHeader header;
  if (!DecodeSnapshotHeader(bytes, &header).empty()) return;
  header.file_bytes = bytes.size();
  header.blocks = blocks;
  header.last_block_crc32c = previous_crc;
  bytes.replace(0, kSnapshotHeaderBytes, EncodeSnapshotHeader(header));
}

void CheckError(const absl::Status& status) {
  Require(Is(status, errors::kDamagedLog) || Is(status, errors::kUnsupportedLogVersion),
          absl::StrCat("refused, but not as damaged: ", status.ToString()));
  Require(MetadataOf(status, "file") == kPath, "the error does not name the file");
}

void Run(absl::string_view input) {
  Pieces pieces(input);
  const bool mended = pieces.Byte() % 2 == 1;
  std::string bytes(pieces.rest());
  if (mended) Mend(bytes);
  MemoryFileSystem files;
  files.SetContents(kPath, bytes);
  const auto summary = ReadSnapshotHeader(files, kPath);
  if (!summary.ok()) return CheckError(summary.status());
  uint64_t read_bytes = kSnapshotHeaderBytes;
  const absl::Status verified = VerifySnapshot(files, *summary, [&read_bytes](uint64_t block) {
    read_bytes += block;
    return true;
  });
  if (!verified.ok()) return CheckError(verified);
  Require(read_bytes == bytes.size(), "a snapshot was accepted of which not every byte was read");
  auto replay = ReplayOfSnapshot(files, *summary);
  RequireOk(replay.status(), "a snapshot that was verified does not open");
  LogState state;
  // What is in it may be anything; its keys need not even fit together.
  static_cast<void>(ReadSnapshot(*replay, state));
}

std::string SnapshotOf(const std::vector<SnapshotEntry>& entries) {
  MemoryFileSystem files;
  auto file = files.Create(kPath);
  RequireOk(file.status(), "a seed cannot be created");
  SnapshotWriter writer(*std::move(file));
  for (const SnapshotEntry& entry : entries) RequireOk(writer.Add(entry), "a seed cannot be written");
  SnapshotHeader header;
  header.snapshot_id = 1;
  header.log_id = "0123456789abcdef";
  header.point.revision = 100;
  RequireOk(writer.Finish(header).status(), "a seed cannot be finished");
  return files.Contents(kPath);
}

std::vector<Seed> MakeSeeds() {
  const std::vector<SampleOperation> samples = SampleOperations();
  std::vector<SnapshotEntry> puts;
  for (size_t i = 0; i < kValueTypeCount; ++i) puts.push_back({kValueTypes[i], true, samples[i].entry});
  // Texts that repeat are compressed.
  Transaction transaction;
  const std::string text(2000, 'x');
  transaction.revision = 50;
  transaction.time_micros = 1;
  transaction.type = ValueType::kString;
  transaction.key = "long";
  transaction.operation = operation::Put{absl::string_view(text)};
  EncodedTransaction encoded(transaction);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  return {{"empty", '\1' + SnapshotOf({})},
          {"every_type", '\1' + SnapshotOf(puts)},
          {"compressed", '\1' + SnapshotOf({{ValueType::kString, true, encoded.bytes()}})},
          {"as_it_is", std::string(1, '\0') + SnapshotOf(puts)}};
}

const Registration registration("snapshots", Run, MakeSeeds);

}  // namespace kvs::fuzz::snapshots
