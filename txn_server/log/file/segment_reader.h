// Reads the frames of one segment and checks each against what came before it.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/format.h"

namespace kvs::txn {

// The end of a log, or of the part of it that was read: what the next frame has to continue.
struct LogTip {
  uint64_t last_revision = 0;
  uint64_t epoch = 0;
  std::string writer_id;
  uint32_t crc32c = 0;  // of the header before
};

// Where a log stands when a segment comes into use; `crc32c` is that of the segment's header.
LogTip TipAtStartOf(const SegmentHeader& header, uint32_t header_crc32c);

// A frame as it is stored.
struct StoredFrame {
  FrameHeader header;
  uint32_t header_crc32c = 0;
  absl::string_view payload;

  uint64_t bytes() const { return FrameBytes(header.payload_bytes); }
  uint64_t end() const { return header.offset + bytes(); }
};

// Bytes of a file, read ahead in large pieces.
class FileWindow {
 public:
  explicit FileWindow(File& file) : file_(file) {}

  // The `size` bytes from `offset`, fewer at the end of the file. Valid until the next call.
  absl::StatusOr<absl::string_view> View(uint64_t offset, size_t size);

  // Reads anew what was read before.
  void Forget() { filled_ = 0; }

 private:
  File& file_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;  // of buffer_
  uint64_t start_ = 0;   // of what is in it, in the file
  size_t filled_ = 0;
};

// What there is at a place where a frame may begin.
enum class FrameVerdict {
  kValid,
  kAbsent,    // a sector of zeros, or the end of the file
  kNoHeader,  // something that is no intact header
  kMisfit,    // an intact header that does not continue the log
  kBroken,    // the right header, but contents that are not what it says
};

struct FrameReading {
  FrameVerdict verdict = FrameVerdict::kAbsent;
  std::string problem;  // for people; empty if valid
  StoredFrame frame;    // the header unless kAbsent or kNoHeader, the payload only if kValid
};

// Reads the frame that begins at `offset` of the segment and should continue `tip`, and end at `limit` or before. An
// error means that the file cannot be read. The payload is valid until the window is used again.
absl::StatusOr<FrameReading> ReadFrame(FileWindow& window, const SegmentHeader& segment, uint64_t offset,
                                       uint64_t limit, const LogTip& tip);

// Moves `tip` behind a valid frame.
void Advance(LogTip& tip, const StoredFrame& frame);

}  // namespace kvs::txn
