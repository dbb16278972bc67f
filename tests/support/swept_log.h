// SweptLog: a log of some 64 KiB in many segments, with everything that a log may have, for tests that damage it in
// every place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/file_ledger.h"
#include "tests/support/log_truth.h"
#include "tests/support/random_history.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_scan.h"

namespace kvs::txn {

// Path and bytes of files.
using Disk = std::map<std::string, std::string>;

class SweptLog {
 public:
  enum class End {
    kClosed,    // stopped cleanly
    kSealed,    // ended by kill -9 when it was idle
    kUnsealed,  // ended by kill -9 behind a frame of many sectors
  };
  struct Options {
    End end = End::kUnsealed;
    uint32_t seed = 1;
    std::string log_id = "0123456789abcdef";
  };
  struct FrameAt {
    uint64_t segment_id = 0;
    uint64_t offset = 0;
    uint64_t end = 0;
    uint64_t first_revision = 0;
    uint32_t count = 0;
    FrameKind kind = FrameKind::kSeal;

    bool is_longer() const { return end - offset > kSectorBytes; }
  };
  struct SegmentAt {
    uint64_t id = 0;
    uint64_t valid_bytes = 0;
    bool is_spare = false;
  };

  explicit SweptLog(const Options& options) : history_(options.seed) {
    ledger_.options().new_log_id = options.log_id;
    while (LogBytes() < kBytes / 2) Session();
    StartWithoutCutting();
    while (LogBytes() < kBytes || !HasLastFrame()) Grow(kManyTransactions);
    if (options.end == End::kSealed) REQUIRE(ledger_.log().Idle() == absl::OkStatus());
    options.end == End::kClosed ? ledger_.Stop() : ledger_.Kill();
    for (auto& [path, bytes] : ledger_.files().AllContents("/log/")) disk_[path] = bytes;
    FindFrames();
  }

  FileLedger& ledger() { return ledger_; }
  const LogTruth& truth() const { return truth_; }
  const Disk& disk() const { return disk_; }
  const std::vector<FrameAt>& frames() const { return frames_; }
  // In use, then spares.
  const std::vector<SegmentAt>& segments() const { return segments_; }
  const SegmentAt& newest_in_use() const {
    return *std::find_if(segments_.rbegin(), segments_.rend(), [](const SegmentAt& s) { return !s.is_spare; });
  }
  static std::string MarkPath() { return ClosedMarkPath("/log"); }
  bool is_closed() const { return disk_.count(MarkPath()) > 0; }
  // Whether the spare behind the newest segment says where the log ends.
  bool is_sealed() const { return is_sealed_; }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& [path, bytes] : disk_) sum += bytes.size();
    return sum;
  }
  const std::string& Bytes(uint64_t segment_id) const { return disk_.at(FileLedger::Path(segment_id)); }

  // The newest revision of what ends at a place or before.
  uint64_t RevisionAt(uint64_t segment_id, uint64_t offset) const {
    uint64_t revision = 0;
    for (const FrameAt& frame : frames_) {
      if (std::pair(frame.segment_id, frame.end) > std::pair(segment_id, offset)) break;
      revision = frame.first_revision + frame.count - 1;
    }
    return revision;
  }

  // Where that begins which holds a byte: a header, a frame, or what was never written.
  uint64_t BeginOf(uint64_t segment_id, uint64_t offset) const {
    if (offset < kSegmentHeaderBytes) return 0;
    uint64_t begin = kSegmentHeaderBytes;
    for (const FrameAt& frame : frames_) {
      if (frame.segment_id != segment_id || frame.offset > offset) continue;
      begin = offset < frame.end ? frame.offset : frame.end;
    }
    return begin;
  }

 private:
  static constexpr uint64_t kBytes = 64 * kKiB;
  static constexpr uint32_t kManyTransactions = 14;

  // A crash may leave a segment that has a successor at its full size.
  void StartWithoutCutting() {
    using Fault = MemoryFileSystem::Fault;
    ledger_.files().SetFaults([](MemoryFileSystem::Operation operation, const std::string&) {
      const bool fails = operation == MemoryFileSystem::Operation::kTruncate;
      return fails ? std::make_optional(Fault{absl::InternalError("killed")}) : std::nullopt;
    });
    ledger_.Start();
    ledger_.files().SetFaults(nullptr);
  }

  void Grow(uint32_t transactions) {
    const SampleFrame frame = history_.NextFrame(transactions);
    REQUIRE(ledger_.Append(frame) == absl::OkStatus());
    truth_.Add(frame, history_.state());
  }

  void Session() {
    ledger_.Start();
    for (int i = 0; i < 3; ++i) Grow(static_cast<uint32_t>(1 + history_.Pick(20)));
    REQUIRE(ledger_.log().Idle() == absl::OkStatus());
    for (int i = 0; i < 3; ++i) Grow(static_cast<uint32_t>(1 + history_.Pick(5)));
    history_.Pick(2) == 0 ? ledger_.Stop() : ledger_.Kill();
  }

  uint64_t LogBytes() {
    uint64_t sum = 0;
    for (const auto& [path, bytes] : ledger_.files().AllContents("/log/")) sum += bytes.size();
    return sum;
  }

  // Whether the last frame is one of many sectors, with room behind it.
  bool HasLastFrame() {
    const auto report = InspectLog("/log", nullptr, ledger_.files());
    REQUIRE(report.ok());
    const LogScan& scan = report->scan;
    return scan.last_frame->kind == FrameKind::kTransactions &&
           FrameBytes(scan.last_frame->payload_bytes) >= 4 * kSectorBytes &&
           scan.segments.back().valid_bytes + 4 * kSectorBytes <= FileLedger::kSmallSegment &&
           scan.segments.back().frames > 1;
  }

  void FindFrames() {
    LogScan scan;
    ScanOptions options;
    options.visit = [this](const SegmentSummary& segment, const StoredFrame& frame) {
      frames_.push_back({segment.header.segment_id, frame.header.offset, frame.end(), frame.header.first_revision,
                         frame.header.count, frame.header.kind});
    };
    REQUIRE(ScanLog(ledger_.files(), "/log", options, &scan) == absl::OkStatus());
    is_sealed_ = scan.is_sealed;
    for (const SegmentSummary& segment : scan.segments) {
      segments_.push_back({segment.header.segment_id, segment.valid_bytes, false});
    }
    for (const SegmentSummary& spare : scan.spares) {
      segments_.push_back({spare.header.segment_id, kSegmentHeaderBytes, true});
    }
  }

  FileLedger ledger_;
  RandomHistory history_;
  LogTruth truth_;
  Disk disk_;
  std::vector<FrameAt> frames_;
  std::vector<SegmentAt> segments_;
  bool is_sealed_ = false;
};

}  // namespace kvs::txn
