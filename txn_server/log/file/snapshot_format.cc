#include "txn_server/log/file/snapshot_format.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "common/crc32c.h"
#include "txn_server/log/file/header_fields.h"

namespace kvs::txn {
namespace {

// The magic, the versions and the checksum stay where they are in every version.
namespace snapshot_field {
constexpr size_t kMagic = 0;
constexpr size_t kFormatVersion = 8;
constexpr size_t kMinReaderVersion = 12;
constexpr size_t kSnapshotId = 16;
constexpr size_t kTime = 72;  // in a gap of the log point's
constexpr size_t kFileBytes = kLogPointEnd;
constexpr size_t kBlocks = 160;
constexpr size_t kTransactions = 168;
constexpr size_t kRawBytes = 176;
constexpr size_t kKeys = 184;
constexpr size_t kLastBlockCrc = 440;
constexpr size_t kHeaderCrc = 508;
static_assert(kKeys + 8 * kValueTypeCount <= kLastBlockCrc);
static_assert(kHeaderCrc + 4 == kSnapshotHeaderBytes);
}  // namespace snapshot_field

namespace block_field {
constexpr size_t kMagic = 0;
constexpr size_t kCompression = 4;
constexpr size_t kStoredBytes = 8;
constexpr size_t kRawBytes = 12;
constexpr size_t kStoredCrc = 16;
constexpr size_t kPreviousCrc = 20;
constexpr size_t kHeaderCrc = 28;
static_assert(kHeaderCrc + 4 == kBlockHeaderBytes);
}  // namespace block_field

}  // namespace

std::string EncodeSnapshotHeader(const SnapshotHeader& header) {
  std::string bytes(kSnapshotHeaderBytes, '\0');
  PutText(bytes, snapshot_field::kMagic, kSnapshotMagic);
  Put32(bytes, snapshot_field::kFormatVersion, header.format_version);
  Put32(bytes, snapshot_field::kMinReaderVersion, header.min_reader_version);
  Put64(bytes, snapshot_field::kSnapshotId, header.snapshot_id);
  PutLogPoint(bytes, header.log_id, header.point);
  Put64(bytes, snapshot_field::kTime, static_cast<uint64_t>(header.time_micros));
  Put64(bytes, snapshot_field::kFileBytes, header.file_bytes);
  Put64(bytes, snapshot_field::kBlocks, header.blocks);
  Put64(bytes, snapshot_field::kTransactions, header.transactions);
  Put64(bytes, snapshot_field::kRawBytes, header.raw_bytes);
  for (size_t i = 0; i < header.keys.size(); ++i) Put64(bytes, snapshot_field::kKeys + 8 * i, header.keys[i]);
  Put32(bytes, snapshot_field::kLastBlockCrc, header.last_block_crc32c);
  Put32(bytes, snapshot_field::kHeaderCrc, Crc32c(absl::string_view(bytes).substr(0, snapshot_field::kHeaderCrc)));
  return bytes;
}

std::string DecodeSnapshotHeader(absl::string_view bytes, SnapshotHeader* header) {
  if (bytes.size() < kSnapshotHeaderBytes) return "the file ends inside its header";
  if (!absl::StartsWith(bytes, kSnapshotMagic)) return "no snapshot begins here";
  std::string problem = CheckIntegrity(bytes, snapshot_field::kHeaderCrc);
  if (!problem.empty()) return problem;
  header->format_version = Get32(bytes, snapshot_field::kFormatVersion);
  header->min_reader_version = Get32(bytes, snapshot_field::kMinReaderVersion);
  if (header->min_reader_version > kFormatVersion) return "";
  problem = GetLogPoint(bytes, &header->log_id, &header->point);
  if (!problem.empty()) return problem;
  header->snapshot_id = Get64(bytes, snapshot_field::kSnapshotId);
  header->time_micros = static_cast<int64_t>(Get64(bytes, snapshot_field::kTime));
  header->file_bytes = Get64(bytes, snapshot_field::kFileBytes);
  header->blocks = Get64(bytes, snapshot_field::kBlocks);
  header->transactions = Get64(bytes, snapshot_field::kTransactions);
  header->raw_bytes = Get64(bytes, snapshot_field::kRawBytes);
  for (size_t i = 0; i < header->keys.size(); ++i) header->keys[i] = Get64(bytes, snapshot_field::kKeys + 8 * i);
  header->last_block_crc32c = Get32(bytes, snapshot_field::kLastBlockCrc);
  return "";
}

std::string EncodeBlockHeader(const BlockHeader& header) {
  std::string bytes(kBlockHeaderBytes, '\0');
  PutText(bytes, block_field::kMagic, kBlockMagic);
  Put32(bytes, block_field::kCompression, static_cast<uint32_t>(header.compression));
  Put32(bytes, block_field::kStoredBytes, header.stored_bytes);
  Put32(bytes, block_field::kRawBytes, header.raw_bytes);
  Put32(bytes, block_field::kStoredCrc, header.stored_crc32c);
  Put32(bytes, block_field::kPreviousCrc, header.previous_crc32c);
  Put32(bytes, block_field::kHeaderCrc, Crc32c(absl::string_view(bytes).substr(0, block_field::kHeaderCrc)));
  return bytes;
}

std::string DecodeBlockHeader(absl::string_view bytes, BlockHeader* header) {
  if (bytes.size() < kBlockHeaderBytes) return "the file ends inside a block";
  if (!absl::StartsWith(bytes, kBlockMagic)) return "no block begins here";
  std::string problem = CheckIntegrity(bytes, block_field::kHeaderCrc);
  if (!problem.empty()) return problem;
  const uint32_t compression = Get32(bytes, block_field::kCompression);
  if (compression > static_cast<uint32_t>(Compression::kZstd)) {
    return absl::StrCat("the block has the unknown compression ", compression);
  }
  header->compression = static_cast<Compression>(compression);
  header->stored_bytes = Get32(bytes, block_field::kStoredBytes);
  header->raw_bytes = Get32(bytes, block_field::kRawBytes);
  header->stored_crc32c = Get32(bytes, block_field::kStoredCrc);
  header->previous_crc32c = Get32(bytes, block_field::kPreviousCrc);
  if (header->stored_bytes > header->raw_bytes || header->raw_bytes > kMaxPayloadBytes) {
    return absl::StrCat("the block has ", header->stored_bytes, " bytes that stand for ", header->raw_bytes);
  }
  return "";
}

uint32_t BlockHeaderCrc(absl::string_view encoded) { return Get32(encoded, block_field::kHeaderCrc); }

}  // namespace kvs::txn
