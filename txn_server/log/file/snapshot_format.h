// The bytes of snapshots, as docs/file-format.md describes them. The numbers here are stored in files: they are never
// changed or reused.
#pragma once

#include <absl/strings/string_view.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/limits.h"
#include "common/model/value.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/log_point.h"

namespace kvs::txn {

inline constexpr size_t kSnapshotHeaderBytes = 512;
inline constexpr size_t kBlockHeaderBytes = 32;
inline constexpr absl::string_view kSnapshotMagic = "KVSSNAP\n";
inline constexpr absl::string_view kBlockMagic = "KVSB";

// A block is closed when its transactions have this many bytes; the last one of them may be of any size.
inline constexpr size_t kTargetBlockBytes = 256 * kKiB;

// The beginning of a snapshot, which vouches for all of it.
struct SnapshotHeader {
  uint64_t snapshot_id = 0;  // from 1; a newer snapshot has a larger one
  std::string log_id;        // kLogIdBytes
  LogPoint point;            // whose state this is
  int64_t time_micros = 0;   // of the transaction with that revision, 0 if there is none

  uint64_t file_bytes = 0;
  uint64_t blocks = 0;
  uint64_t transactions = 0;
  uint64_t raw_bytes = 0;  // of the transactions, before compression
  std::array<uint64_t, kValueTypeCount> keys{};
  uint32_t last_block_crc32c = 0;  // of the header of the last block; 0 if there is none

  uint32_t format_version = kFormatVersion;
  uint32_t min_reader_version = kMinReaderVersion;
};

enum class Compression : uint32_t { kNone = 0, kZstd = 1 };

struct BlockHeader {
  Compression compression = Compression::kNone;
  uint32_t stored_bytes = 0;
  uint32_t raw_bytes = 0;  // at most kMaxPayloadBytes
  uint32_t stored_crc32c = 0;
  uint32_t previous_crc32c = 0;  // of the header of the block before; 0 for the first one
};

// kSnapshotHeaderBytes.
std::string EncodeSnapshotHeader(const SnapshotHeader& header);
// kBlockHeaderBytes.
std::string EncodeBlockHeader(const BlockHeader& header);

// As DecodeSegmentHeader and DecodeFrameHeader.
std::string DecodeSnapshotHeader(absl::string_view bytes, SnapshotHeader* header);
std::string DecodeBlockHeader(absl::string_view bytes, BlockHeader* header);

uint32_t BlockHeaderCrc(absl::string_view encoded);

}  // namespace kvs::txn
