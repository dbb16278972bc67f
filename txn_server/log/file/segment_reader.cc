#include "txn_server/log/file/segment_reader.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>

#include "common/crc32c.h"

namespace kvs::txn {
namespace {

constexpr size_t kReadAheadBytes = 1 * kMiB;

bool IsKnown(FrameKind kind) {
  return kind == FrameKind::kTransactions || kind == FrameKind::kEpoch || kind == FrameKind::kSeal;
}

// What is wrong with the fields that depend on the kind.
std::string CheckKind(const FrameHeader& header, const SegmentHeader& segment, const LogTip& tip) {
  if (!IsKnown(header.kind)) {
    // A later version may add kinds that this one can do without; the others raise the minimum reader version.
    if (segment.format_version > kFormatVersion && header.count == 0) return "";
    return absl::StrCat("the frame has the unknown kind ", static_cast<uint32_t>(header.kind));
  }
  const uint64_t epoch = header.kind == FrameKind::kEpoch ? tip.epoch + 1 : tip.epoch;
  if (header.epoch != epoch) return absl::StrCat("the frame has epoch ", header.epoch, " where ", epoch, " belongs");
  if ((header.kind == FrameKind::kTransactions) != (header.count > 0)) return "the frame has an impossible count";
  if (header.kind == FrameKind::kTransactions && epoch == 0) return "the frame has transactions that nobody wrote";
  if ((header.kind == FrameKind::kSeal) != (header.payload_bytes == 0)) return "the frame has an impossible size";
  if (header.kind == FrameKind::kEpoch && header.payload_bytes > kMaxWriterIdBytes) return "the writer id is too long";
  return "";
}

// What is wrong with the place of a frame whose header is intact.
std::string CheckPlace(const FrameHeader& header, const SegmentHeader& segment, uint64_t offset, uint64_t limit,
                       const LogTip& tip) {
  if (header.segment_id != segment.segment_id || header.offset != offset) {
    return absl::StrCat("the frame belongs to offset ", header.offset, " of segment ", header.segment_id);
  }
  if (header.previous_crc32c != tip.crc32c) {
    return absl::StrFormat("the frame continues %08x and what is before it is %08x", header.previous_crc32c,
                           tip.crc32c);
  }
  if (header.first_revision != tip.last_revision + 1) {
    return absl::StrCat("the frame begins at revision ", header.first_revision);
  }
  if (header.payload_bytes > kMaxPayloadBytes || FrameBytes(header.payload_bytes) > limit - offset) {
    return absl::StrCat("the frame has ", header.payload_bytes, " bytes, for which there is no room");
  }
  return CheckKind(header, segment, tip);
}

// What is wrong with the bytes of a whole frame.
std::string CheckContents(const FrameHeader& header, absl::string_view bytes) {
  if (bytes.size() < FrameBytes(header.payload_bytes)) return "the file ends inside the frame";
  const uint32_t actual = Crc32c(bytes.substr(kFrameHeaderBytes, header.payload_bytes));
  if (actual != header.payload_crc32c) {
    return absl::StrFormat("the checksum of the payload is %08x and its bytes give %08x", header.payload_crc32c,
                           actual);
  }
  const absl::string_view padding = bytes.substr(kFrameHeaderBytes + header.payload_bytes);
  if (!std::all_of(padding.begin(), padding.end(), [](char c) { return c == kPaddingByte; })) {
    return "the frame is not filled up as it should be";
  }
  return "";
}

}  // namespace

LogTip TipAtStartOf(const SegmentHeader& header, uint32_t header_crc32c) {
  return {header.last_revision, header.epoch, header.writer_id, header_crc32c};
}

absl::StatusOr<absl::string_view> FileWindow::View(uint64_t offset, size_t size) {
  if (offset < start_ || offset + size > start_ + filled_) {
    const size_t wanted = std::max(size, kReadAheadBytes);
    if (capacity_ < wanted) {
      buffer_ = std::make_unique_for_overwrite<char[]>(wanted);
      capacity_ = wanted;
    }
    filled_ = 0;
    const auto read = file_.ReadAt(offset, buffer_.get(), wanted);
    if (!read.ok()) return read.status();
    start_ = offset;
    filled_ = *read;
  }
  return absl::string_view(buffer_.get(), filled_)
      .substr(offset - start_, std::min<uint64_t>(size, start_ + filled_ - offset));
}

absl::StatusOr<FrameReading> ReadFrame(FileWindow& window, const SegmentHeader& segment, uint64_t offset,
                                       uint64_t limit, const LogTip& tip) {
  const auto sector = window.View(offset, kSectorBytes);
  if (!sector.ok()) return sector.status();
  if (IsZero(*sector)) return FrameReading{FrameVerdict::kAbsent, "no frame begins here", {}};
  FrameReading reading;
  StoredFrame& frame = reading.frame;
  reading.verdict = FrameVerdict::kNoHeader;
  reading.problem = DecodeFrameHeader(*sector, &frame.header);
  if (!reading.problem.empty()) return reading;
  frame.header_crc32c = FrameHeaderCrc(*sector);

  reading.verdict = FrameVerdict::kMisfit;
  reading.problem = CheckPlace(frame.header, segment, offset, limit, tip);
  if (!reading.problem.empty()) return reading;

  const auto bytes = window.View(offset, frame.bytes());
  if (!bytes.ok()) return bytes.status();
  reading.verdict = FrameVerdict::kBroken;
  reading.problem = CheckContents(frame.header, *bytes);
  if (!reading.problem.empty()) return reading;
  reading.verdict = FrameVerdict::kValid;
  frame.payload = bytes->substr(kFrameHeaderBytes, frame.header.payload_bytes);
  return reading;
}

void Advance(LogTip& tip, const StoredFrame& frame) {
  tip.last_revision += frame.header.count;
  tip.epoch = frame.header.epoch;
  tip.crc32c = frame.header_crc32c;
  if (frame.header.kind == FrameKind::kEpoch) tip.writer_id = std::string(frame.payload);
}

}  // namespace kvs::txn
