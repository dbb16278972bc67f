// Writes frames to the newest segment of a log.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/format.h"

namespace kvs::txn {

// One segment in use. Used by one thread.
class SegmentWriter {
 public:
  // `file` is a segment whose header says that it is in use, without frames.
  SegmentWriter(std::unique_ptr<File> file, std::string path, uint64_t segment_id, uint64_t segment_bytes)
      : file_(std::move(file)), path_(std::move(path)), segment_id_(segment_id), segment_bytes_(segment_bytes) {}

  uint64_t segment_id() const { return segment_id_; }
  // Where the next frame begins.
  uint64_t offset() const { return offset_; }
  bool empty() const { return offset_ == kSegmentHeaderBytes; }
  bool Fits(uint64_t frame_bytes) const { return frame_bytes <= segment_bytes_ - offset_; }
  bool half_full() const { return offset_ >= segment_bytes_ / 2; }

  // Makes one frame durable: one write, one sync. `header` has its kind, epoch, revisions, count and the checksum of
  // the header before; the rest is filled in, and returned is the checksum of the header. The pieces are the payload.
  // REQUIRES: it fits.
  //
  // kMalformedFrame, with nothing written, if a whole sector of the frame would be zero: it could not be told from one
  // that was not written. kNoSpace when there was no room, after what was written of the frame was made zero again and
  // synced. After any other error nobody knows what is on the disk.
  absl::StatusOr<uint32_t> Write(FrameHeader header, absl::Span<const absl::string_view> payload);

 private:
  absl::Status WriteAndSync(absl::Span<const absl::string_view> pieces, uint64_t frame_bytes);

  const std::unique_ptr<File> file_;
  const std::string path_;
  const uint64_t segment_id_;
  const uint64_t segment_bytes_;
  uint64_t offset_ = kSegmentHeaderBytes;
};

// Whether any of the sectors that the pieces give when they are joined, beginning on a sector boundary, is all zero.
bool HasZeroSector(absl::Span<const absl::string_view> pieces);

}  // namespace kvs::txn
