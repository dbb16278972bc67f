// What to make of the end of the newest segment, where a crash may have interrupted a write.
//
// A disk writes a sector whole or not at all, what is behind the end of a log is zero, no sector of a frame is all
// zero, and a frame is written only when the one before it is durable. So what an interrupted write leaves is a frame
// of which at least one sector is still zero, with nothing behind it. That, and nothing else, is a torn tail; whatever
// else is no valid frame is damage.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "txn_server/log/file/segment_reader.h"

namespace kvs::txn {

struct TailVerdict {
  enum class Kind { kEnd, kTorn, kDamaged };
  Kind kind = Kind::kEnd;
  uint64_t end = 0;  // behind the last byte that is not zero, in whole sectors
  std::string why;   // for people; empty for kEnd
};

// Judges what follows the last valid frame of a segment of `segment_bytes`: `reading` is what ReadFrame found at
// `offset`, not valid. An error means that the file cannot be read.
absl::StatusOr<TailVerdict> JudgeTail(FileWindow& window, uint64_t segment_bytes, uint64_t offset,
                                      const FrameReading& reading);

// The first sector from `offset` on, before `end`, that is not all zero; `end` if there is none.
absl::StatusOr<uint64_t> FindNonZero(FileWindow& window, uint64_t offset, uint64_t end);

// The first sector from `offset` on, before `end`, in which a frame seems to begin; `end` if there is none.
absl::StatusOr<uint64_t> FindFrameMagic(FileWindow& window, uint64_t offset, uint64_t end);

// The header of the first frame that begins at `offset` or later, before `end`, and has its place there.
absl::StatusOr<std::optional<FrameHeader>> FindFrameHeader(FileWindow& window, uint64_t segment_id, uint64_t offset,
                                                           uint64_t end);

}  // namespace kvs::txn
