#include "txn_server/log/file/format.h"

#include <absl/strings/match.h>
#include <absl/strings/str_format.h>

#include <cstring>

#include "common/crc32c.h"
#include "txn_server/log/file/header_fields.h"

namespace kvs::txn {
namespace {

// Where the fields are. The magic, the versions and the checksum of a segment header stay where they are in every
// version.
namespace segment_field {
constexpr size_t kMagic = 0;
constexpr size_t kFormatVersion = 8;
constexpr size_t kMinReaderVersion = 12;
constexpr size_t kState = 16;
constexpr size_t kSegmentId = 24;
constexpr size_t kSegmentBytes = 32;
constexpr size_t kLogId = 40;
constexpr size_t kPredecessorBytes = 56;
constexpr size_t kLastRevision = 64;
constexpr size_t kEpoch = 72;
constexpr size_t kPredecessorCrc = 80;
constexpr size_t kWriterIdBytes = 84;
constexpr size_t kWriterId = 88;
constexpr size_t kHeaderCrc = 508;
static_assert(kWriterId + kMaxWriterIdBytes <= kHeaderCrc);
static_assert(kHeaderCrc + 4 == kSegmentHeaderBytes);
}  // namespace segment_field

namespace frame_field {
constexpr size_t kMagic = 0;
constexpr size_t kKind = 4;
constexpr size_t kSegmentId = 8;
constexpr size_t kOffset = 16;
constexpr size_t kEpoch = 24;
constexpr size_t kFirstRevision = 32;
constexpr size_t kCount = 40;
constexpr size_t kPayloadBytes = 44;
constexpr size_t kPayloadCrc = 48;
constexpr size_t kPreviousCrc = 52;
constexpr size_t kHeaderCrc = 60;
static_assert(kHeaderCrc + 4 == kFrameHeaderBytes);
}  // namespace frame_field

absl::string_view FrameMagic(uint32_t payload_bytes) {
  return FrameBytes(payload_bytes) == kSectorBytes ? kOneSectorMagic : kManySectorsMagic;
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string bytes(kSegmentHeaderBytes, '\0');
  PutText(bytes, segment_field::kMagic, kSegmentMagic);
  Put32(bytes, segment_field::kFormatVersion, header.format_version);
  Put32(bytes, segment_field::kMinReaderVersion, header.min_reader_version);
  Put32(bytes, segment_field::kState, static_cast<uint32_t>(header.state));
  Put64(bytes, segment_field::kSegmentId, header.segment_id);
  Put64(bytes, segment_field::kSegmentBytes, header.segment_bytes);
  PutText(bytes, segment_field::kLogId, header.log_id);
  Put64(bytes, segment_field::kPredecessorBytes, header.predecessor_bytes);
  Put64(bytes, segment_field::kLastRevision, header.last_revision);
  Put64(bytes, segment_field::kEpoch, header.epoch);
  Put32(bytes, segment_field::kPredecessorCrc, header.predecessor_crc32c);
  Put32(bytes, segment_field::kWriterIdBytes, static_cast<uint32_t>(header.writer_id.size()));
  PutText(bytes, segment_field::kWriterId, header.writer_id);
  Put32(bytes, segment_field::kHeaderCrc, Crc32c(absl::string_view(bytes).substr(0, segment_field::kHeaderCrc)));
  return bytes;
}

std::string DecodeSegmentHeader(absl::string_view bytes, SegmentHeader* header) {
  if (bytes.size() < kSegmentHeaderBytes) return "the file ends inside its header";
  if (!absl::StartsWith(bytes, kSegmentMagic)) return "no segment begins here";
  std::string problem = CheckIntegrity(bytes, segment_field::kHeaderCrc);
  if (!problem.empty()) return problem;
  header->format_version = Get32(bytes, segment_field::kFormatVersion);
  header->min_reader_version = Get32(bytes, segment_field::kMinReaderVersion);
  if (header->min_reader_version > kFormatVersion) return "";
  const uint32_t state = Get32(bytes, segment_field::kState);
  if (state != static_cast<uint32_t>(SegmentState::kSpare) && state != static_cast<uint32_t>(SegmentState::kInUse)) {
    return absl::StrFormat("the segment has the unknown state %u", state);
  }
  const uint32_t writer_id_bytes = Get32(bytes, segment_field::kWriterIdBytes);
  if (writer_id_bytes > kMaxWriterIdBytes) return absl::StrFormat("the writer id has %u bytes", writer_id_bytes);
  header->state = static_cast<SegmentState>(state);
  header->segment_id = Get64(bytes, segment_field::kSegmentId);
  header->segment_bytes = Get64(bytes, segment_field::kSegmentBytes);
  header->log_id = std::string(bytes.substr(segment_field::kLogId, kLogIdBytes));
  header->predecessor_bytes = Get64(bytes, segment_field::kPredecessorBytes);
  header->last_revision = Get64(bytes, segment_field::kLastRevision);
  header->epoch = Get64(bytes, segment_field::kEpoch);
  header->predecessor_crc32c = Get32(bytes, segment_field::kPredecessorCrc);
  header->writer_id = std::string(bytes.substr(segment_field::kWriterId, writer_id_bytes));
  return "";
}

std::string EncodeFrameHeader(const FrameHeader& header) {
  std::string bytes(kFrameHeaderBytes, '\0');
  PutText(bytes, frame_field::kMagic, FrameMagic(header.payload_bytes));
  Put32(bytes, frame_field::kKind, static_cast<uint32_t>(header.kind));
  Put64(bytes, frame_field::kSegmentId, header.segment_id);
  Put64(bytes, frame_field::kOffset, header.offset);
  Put64(bytes, frame_field::kEpoch, header.epoch);
  Put64(bytes, frame_field::kFirstRevision, header.first_revision);
  Put32(bytes, frame_field::kCount, header.count);
  Put32(bytes, frame_field::kPayloadBytes, header.payload_bytes);
  Put32(bytes, frame_field::kPayloadCrc, header.payload_crc32c);
  Put32(bytes, frame_field::kPreviousCrc, header.previous_crc32c);
  Put32(bytes, frame_field::kHeaderCrc, Crc32c(absl::string_view(bytes).substr(0, frame_field::kHeaderCrc)));
  return bytes;
}

std::string DecodeFrameHeader(absl::string_view bytes, FrameHeader* header) {
  if (bytes.size() < kFrameHeaderBytes) return "the file ends inside a frame";
  if (!BeginsWithFrameMagic(bytes)) return "no frame begins here";
  std::string problem = CheckIntegrity(bytes, frame_field::kHeaderCrc);
  if (!problem.empty()) return problem;
  header->kind = static_cast<FrameKind>(Get32(bytes, frame_field::kKind));
  header->segment_id = Get64(bytes, frame_field::kSegmentId);
  header->offset = Get64(bytes, frame_field::kOffset);
  header->epoch = Get64(bytes, frame_field::kEpoch);
  header->first_revision = Get64(bytes, frame_field::kFirstRevision);
  header->count = Get32(bytes, frame_field::kCount);
  header->payload_bytes = Get32(bytes, frame_field::kPayloadBytes);
  header->payload_crc32c = Get32(bytes, frame_field::kPayloadCrc);
  header->previous_crc32c = Get32(bytes, frame_field::kPreviousCrc);
  return absl::StartsWith(bytes, FrameMagic(header->payload_bytes)) ? "" : "the frame begins like one of another size";
}

uint32_t SegmentHeaderCrc(absl::string_view encoded) { return Get32(encoded, segment_field::kHeaderCrc); }

uint32_t FrameHeaderCrc(absl::string_view encoded) { return Get32(encoded, frame_field::kHeaderCrc); }

bool BeginsWithFrameMagic(absl::string_view bytes) {
  return absl::StartsWith(bytes, kOneSectorMagic) || absl::StartsWith(bytes, kManySectorsMagic);
}

bool IsZero(absl::string_view bytes) {
  // Comparing the bytes with themselves, shifted by one, runs at the speed of memcmp.
  return bytes.empty() || (bytes[0] == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace kvs::txn
