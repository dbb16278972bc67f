// The bytes of segments and frames, as docs/file-format.md describes them. The numbers here are stored in files: they
// are never changed or reused.
#pragma once

#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/limits.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// The version that this code writes, and the newest whose files it reads.
inline constexpr uint32_t kFormatVersion = 1;
// The oldest version that can read what this code writes.
inline constexpr uint32_t kMinReaderVersion = 1;

// What a disk writes whole or not at all.
inline constexpr size_t kSectorBytes = 512;
inline constexpr size_t kSegmentHeaderBytes = kSectorBytes;
inline constexpr uint64_t kMinSegmentBytes = 4 * kKiB;
inline constexpr size_t kFrameHeaderBytes = 64;
inline constexpr size_t kLogIdBytes = 16;
inline constexpr size_t kMaxPayloadBytes = 16 * kMiB;
static_assert(kMaxFrameBytes <= kMaxPayloadBytes);

inline constexpr absl::string_view kSegmentMagic = "KVSLOG\r\n";
// Frames of one sector and of more begin differently in the very first byte: where a header was damaged it tells
// whether what follows belongs to the frame. These first bytes are in no UTF-8 text, so that no text that a client
// stores can look like the beginning of a frame.
inline constexpr absl::string_view kOneSectorMagic = "\xFEKVF";
inline constexpr absl::string_view kManySectorsMagic = "\xC1KVF";
// Fills the last sector of a frame, in which there is at least one byte to fill.
inline constexpr char kPaddingByte = '\xFF';

enum class SegmentState : uint32_t {
  kSpare = 1,  // prepared, without frames
  kInUse = 2,  // frames may follow
};

// The first sector of a segment.
struct SegmentHeader {
  SegmentState state = SegmentState::kSpare;
  std::string log_id;          // kLogIdBytes
  uint64_t segment_id = 0;     // from 1
  uint64_t segment_bytes = 0;  // the size of the file, until its segment is finished and the rest is cut off

  // The end of the log when the segment came into use. Of a spare, where the log was sealed last, if that was in the
  // segment before; else nothing of it is set.
  uint64_t predecessor_bytes = 0;   // where the last frame of the segment before ends; 0 in the first segment
  uint64_t last_revision = 0;       // 0 if there was none
  uint64_t epoch = 0;               // 0 if there was none
  std::string writer_id;            // of `epoch`, at most kMaxWriterIdBytes
  uint32_t predecessor_crc32c = 0;  // of the header before: of the last frame, or of the segment if it had no frame

  uint32_t format_version = kFormatVersion;
  uint32_t min_reader_version = kMinReaderVersion;
};

enum class FrameKind : uint32_t {
  kTransactions = 1,  // the payload is a txn.v1.TransactionList
  kEpoch = 2,         // a new writer came; the payload is its id
  kSeal = 3,          // nothing was being written; no payload
};

// Before the payload of a frame.
struct FrameHeader {
  FrameKind kind = FrameKind::kSeal;
  uint64_t segment_id = 0;
  uint64_t offset = 0;          // of the frame in its file
  uint64_t epoch = 0;           // that it was written in; of kEpoch the new one
  uint64_t first_revision = 0;  // of the first transaction in it, or of the next one that there will be
  uint32_t count = 0;           // of the transactions
  uint32_t payload_bytes = 0;
  uint32_t payload_crc32c = 0;
  uint32_t previous_crc32c = 0;  // of the header before: of a frame, or of the segment
};

// One sector.
std::string EncodeSegmentHeader(const SegmentHeader& header);
// kFrameHeaderBytes.
std::string EncodeFrameHeader(const FrameHeader& header);

// Reads a header from its bytes. Returns what is wrong with them, empty if nothing is. A segment header of a newer
// min_reader_version is read as far as the versions; the rest of it may mean something else.
std::string DecodeSegmentHeader(absl::string_view bytes, SegmentHeader* header);
std::string DecodeFrameHeader(absl::string_view bytes, FrameHeader* header);

// The checksum that an encoded header carries, by which what follows refers to it.
uint32_t SegmentHeaderCrc(absl::string_view encoded);
uint32_t FrameHeaderCrc(absl::string_view encoded);

// What a frame takes in the file: whole sectors, with at least one byte of padding.
constexpr uint64_t FrameBytes(uint64_t payload_bytes) {
  return ((kFrameHeaderBytes + payload_bytes) / kSectorBytes + 1) * kSectorBytes;
}

// Whether a frame seems to begin here.
bool BeginsWithFrameMagic(absl::string_view bytes);

// Whether all bytes are zero.
bool IsZero(absl::string_view bytes);

}  // namespace kvs::txn
