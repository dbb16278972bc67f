#include "txn_server/log/file/segment_writer.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <vector>

#include "common/crc32c.h"
#include "common/errors.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

// Fills up any frame.
absl::string_view Padding(size_t size) {
  static const std::string& padding = *new std::string(kSectorBytes, kPaddingByte);
  return absl::string_view(padding).substr(0, size);
}

}  // namespace

bool HasZeroSector(absl::Span<const absl::string_view> pieces) {
  size_t in_sector = 0;    // bytes of the current sector seen so far
  bool only_zero = false;  // whether all of them are zero
  for (absl::string_view piece : pieces) {
    while (!piece.empty()) {
      if (in_sector == 0) only_zero = true;
      const absl::string_view part = piece.substr(0, kSectorBytes - in_sector);
      // Nearly always the first byte of a sector decides.
      only_zero = only_zero && IsZero(part);
      in_sector += part.size();
      piece.remove_prefix(part.size());
      if (in_sector < kSectorBytes) continue;
      if (only_zero) return true;
      in_sector = 0;
    }
  }
  return in_sector > 0 && only_zero;
}

absl::StatusOr<uint32_t> SegmentWriter::Write(FrameHeader header, absl::Span<const absl::string_view> payload) {
  uint32_t crc = 0;
  size_t payload_bytes = 0;
  for (const absl::string_view piece : payload) {
    crc = ExtendCrc32c(crc, piece);
    payload_bytes += piece.size();
  }
  const uint64_t frame_bytes = FrameBytes(payload_bytes);
  header.segment_id = segment_id_;
  header.offset = offset_;
  header.payload_bytes = static_cast<uint32_t>(payload_bytes);
  header.payload_crc32c = crc;
  const std::string encoded = EncodeFrameHeader(header);

  std::vector<absl::string_view> pieces;
  pieces.reserve(payload.size() + 2);
  pieces.push_back(encoded);
  pieces.insert(pieces.end(), payload.begin(), payload.end());
  pieces.push_back(Padding(frame_bytes - encoded.size() - payload_bytes));
  if (HasZeroSector(pieces)) {
    return Error(errors::kMalformedFrame, absl::StrCat("revisions from ", header.first_revision,
                                                       " on have a run of zeros that the file ledger cannot keep"));
  }
  if (absl::Status status = WriteAndSync(pieces, frame_bytes); !status.ok()) return status;
  offset_ += frame_bytes;
  return FrameHeaderCrc(encoded);
}

absl::Status SegmentWriter::WriteAndSync(absl::Span<const absl::string_view> pieces, uint64_t frame_bytes) {
  const absl::Status written = file_->WriteAt(offset_, pieces);
  if (written.ok()) {
    // Even if a sync says that there is no space: it has lost track of what it could not write.
    const absl::Status synced = file_->Sync();
    return synced.ok() ? synced : absl::InternalError(synced.message());
  }
  if (!Is(written, errors::kNoSpace)) return written;
  absl::Status cut = WriteZeros(*file_, offset_, offset_ + frame_bytes);
  if (cut.ok()) cut = file_->Sync();
  return cut.ok() ? written : absl::InternalError(cut.message());
}

}  // namespace kvs::txn
