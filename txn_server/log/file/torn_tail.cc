#include "txn_server/log/file/torn_tail.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

namespace kvs::txn {
namespace {

// The first sector in [offset, end) for which `wanted` returns true; `end` if there is none, or the file ends before.
template <class Predicate>
absl::StatusOr<uint64_t> FindSector(FileWindow& window, uint64_t offset, uint64_t end, Predicate wanted) {
  for (; offset < end; offset += kSectorBytes) {
    const auto sector = window.View(offset, std::min<uint64_t>(kSectorBytes, end - offset));
    if (!sector.ok()) return sector.status();
    if (sector->empty()) break;
    if (wanted(*sector)) return offset;
  }
  return end;
}

// Behind the last sector in [offset, end) that is not all zero; `offset` if there is none.
absl::StatusOr<uint64_t> FindEnd(FileWindow& window, uint64_t offset, uint64_t end) {
  uint64_t last = offset;
  while (true) {
    const auto next = FindNonZero(window, last, end);
    if (!next.ok()) return next.status();
    if (*next == end) return last;
    last = *next + kSectorBytes;
  }
}

TailVerdict Damaged(std::string why) { return {TailVerdict::Kind::kDamaged, 0, std::move(why)}; }

// The first sector is zero: either nothing was written, or the write stopped before it came to the sector with the
// header, so that nobody knows how long the frame was to be.
absl::StatusOr<TailVerdict> JudgeWithoutHeader(FileWindow& window, uint64_t segment_bytes, uint64_t offset) {
  const auto end = FindEnd(window, offset, segment_bytes);
  if (!end.ok()) return end.status();
  if (*end == offset) return TailVerdict{TailVerdict::Kind::kEnd, offset, ""};
  const auto frame = FindFrameMagic(window, offset, *end);
  if (!frame.ok()) return frame.status();
  if (*frame < *end) return Damaged(absl::StrCat("it is zero and a frame follows at offset ", *frame));
  if (*end - offset > FrameBytes(kMaxPayloadBytes)) {
    return Damaged(absl::StrCat("it is zero and more follows, up to offset ", *end, ", than one frame can hold"));
  }
  return TailVerdict{TailVerdict::Kind::kTorn, *end, "the sector with the header was not written"};
}

// The header is intact and the contents are not.
absl::StatusOr<TailVerdict> JudgeBroken(FileWindow& window, uint64_t segment_bytes, const FrameReading& reading) {
  const StoredFrame& frame = reading.frame;
  uint64_t zero_sectors = 0;
  const auto count_zero = [&](absl::string_view sector) {
    if (IsZero(sector)) ++zero_sectors;
    return false;
  };
  const auto counted = FindSector(window, frame.header.offset, frame.end(), count_zero);
  if (!counted.ok()) return counted.status();
  if (zero_sectors == 0) return Damaged(reading.problem);
  const auto rest = FindNonZero(window, frame.end(), segment_bytes);
  if (!rest.ok()) return rest.status();
  if (*rest < segment_bytes) return Damaged(absl::StrCat(reading.problem, ", and more follows at offset ", *rest));
  return TailVerdict{TailVerdict::Kind::kTorn, frame.end(),
                     absl::StrCat(zero_sectors, " of ", frame.bytes() / kSectorBytes, " sectors were not written")};
}

// The first sector is not zero and has no intact header. A disk that writes less than a sector at once may have written
// its beginning alone: then it ends with zeros, and so does the log behind it. What the frame begins with tells that
// the zeros behind the sector belong to it.
absl::StatusOr<TailVerdict> JudgeBrokenHeader(FileWindow& window, uint64_t segment_bytes, uint64_t offset,
                                              const FrameReading& reading) {
  const auto sector = window.View(offset, kSectorBytes);
  if (!sector.ok()) return sector.status();
  const bool torn =
      sector->size() == kSectorBytes && sector->front() == kManySectorsMagic.front() && sector->back() == 0;
  if (!torn) return Damaged(reading.problem);
  const auto rest = FindNonZero(window, offset + kSectorBytes, segment_bytes);
  if (!rest.ok()) return rest.status();
  if (*rest < segment_bytes) return Damaged(absl::StrCat(reading.problem, ", and more follows at offset ", *rest));
  return TailVerdict{TailVerdict::Kind::kTorn, offset + kSectorBytes, "only the beginning of it was written"};
}

}  // namespace

absl::StatusOr<uint64_t> FindNonZero(FileWindow& window, uint64_t offset, uint64_t end) {
  return FindSector(window, offset, end, [](absl::string_view sector) { return !IsZero(sector); });
}

absl::StatusOr<uint64_t> FindFrameMagic(FileWindow& window, uint64_t offset, uint64_t end) {
  return FindSector(window, offset, end, [](absl::string_view sector) { return BeginsWithFrameMagic(sector); });
}

absl::StatusOr<std::optional<FrameHeader>> FindFrameHeader(FileWindow& window, uint64_t segment_id, uint64_t offset,
                                                           uint64_t end) {
  while (offset < end) {
    const auto found = FindFrameMagic(window, offset, end);
    if (!found.ok()) return found.status();
    if (*found == end) break;
    const auto sector = window.View(*found, kSectorBytes);
    if (!sector.ok()) return sector.status();
    FrameHeader header;
    const bool intact = DecodeFrameHeader(*sector, &header).empty();
    if (intact && header.segment_id == segment_id && header.offset == *found) return header;
    offset = *found + kSectorBytes;
  }
  return std::nullopt;
}

absl::StatusOr<TailVerdict> JudgeTail(FileWindow& window, uint64_t segment_bytes, uint64_t offset,
                                      const FrameReading& reading) {
  switch (reading.verdict) {
    case FrameVerdict::kAbsent:
      return JudgeWithoutHeader(window, segment_bytes, offset);
    case FrameVerdict::kBroken:
      return JudgeBroken(window, segment_bytes, reading);
    case FrameVerdict::kNoHeader:
      return JudgeBrokenHeader(window, segment_bytes, offset, reading);
    case FrameVerdict::kMisfit:
    case FrameVerdict::kValid:
      break;
  }
  return Damaged(reading.problem);
}

}  // namespace kvs::txn
