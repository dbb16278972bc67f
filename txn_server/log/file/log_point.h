// LogPoint: a place between two frames of a log, and the bytes by which the headers of other files name it.
#pragma once

#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace kvs::txn {

// Where a log stood: what the next frame had to continue, and where it was to be written at the earliest.
struct LogPoint {
  uint64_t segment_id = 0;
  uint64_t offset = 0;  // in the segment, behind its last frame
  uint64_t revision = 0;
  uint64_t epoch = 0;
  std::string writer_id;
  uint32_t crc32c = 0;  // of the header before: of a frame, or of the segment

  friend bool operator==(const LogPoint& a, const LogPoint& b) {
    return a.segment_id == b.segment_id && a.offset == b.offset && a.revision == b.revision && a.epoch == b.epoch &&
           a.writer_id == b.writer_id && a.crc32c == b.crc32c;
  }
};

// Where the fields of a point end in a header.
inline constexpr size_t kLogPointEnd = 152;

// Writes a point of the log with this id, of kLogIdBytes, into a header that has room for it.
void PutLogPoint(std::string& header, absl::string_view log_id, const LogPoint& point);
// Reads it. Returns what is wrong with it, empty if nothing is.
std::string GetLogPoint(absl::string_view header, std::string* log_id, LogPoint* point);

}  // namespace kvs::txn
