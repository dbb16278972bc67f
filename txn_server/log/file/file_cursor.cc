#include "txn_server/log/file/file_cursor.h"

#include <optional>
#include <utility>

#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/file/segment_reader.h"
#include "txn_server/log/frame.h"

namespace kvs::txn {
namespace {

class FileCursor : public LogCursor {
 public:
  FileCursor(FileSystem& file_system, std::string log_id, std::vector<SegmentExtent> extents, uint64_t from_revision)
      : file_system_(file_system),
        log_id_(std::move(log_id)),
        extents_(std::move(extents)),
        from_revision_(from_revision) {}

  absl::StatusOr<std::optional<Frame>> Next() override {
    while (next_ < extents_.size()) {
      const SegmentExtent& extent = extents_[next_];
      if (!window_) {
        if (absl::Status status = Enter(extent); !status.ok()) return status;
      }
      while (offset_ < extent.end) {
        const auto frame = ReadNext(extent);
        if (!frame.ok()) return frame.status();
        if (frame->header.kind != FrameKind::kTransactions || tip_.last_revision < from_revision_) continue;
        return Deliver(extent, *frame);
      }
      window_.reset();
      ++next_;
    }
    return std::nullopt;
  }

 private:
  // Opens a segment and checks that it continues what was read before.
  absl::Status Enter(const SegmentExtent& extent) {
    auto file = file_system_.OpenForReading(extent.path);
    if (!file.ok()) return Damaged(extent, 0, std::string(file.status().message()));
    file_ = *std::move(file);
    window_.emplace(*file_);
    const auto sector = window_->View(0, kSegmentHeaderBytes);
    if (!sector.ok()) return Damaged(extent, 0, std::string(sector.status().message()));
    const std::string problem = DecodeSegmentHeader(*sector, &segment_);
    if (!problem.empty()) return Damaged(extent, 0, problem);
    if (segment_.segment_id != extent.segment_id || segment_.log_id != log_id_ ||
        segment_.state != SegmentState::kInUse || (next_ > 0 && segment_.predecessor_crc32c != tip_.crc32c)) {
      return Damaged(extent, 0, "this is another segment than the one that was opened");
    }
    tip_ = TipAtStartOf(segment_, SegmentHeaderCrc(*sector));
    offset_ = kSegmentHeaderBytes;
    return absl::OkStatus();
  }

  // Reads one frame of any kind and moves behind it.
  absl::StatusOr<StoredFrame> ReadNext(const SegmentExtent& extent) {
    const auto reading = ReadFrame(*window_, segment_, offset_, extent.end, tip_);
    if (!reading.ok()) return Damaged(extent, offset_, std::string(reading.status().message()));
    if (reading->verdict != FrameVerdict::kValid) return Damaged(extent, offset_, reading->problem);
    Advance(tip_, reading->frame);
    offset_ = reading->frame.end();
    return reading->frame;
  }

  absl::StatusOr<std::optional<Frame>> Deliver(const SegmentExtent& extent, const StoredFrame& stored) {
    const Frame frame{stored.header.first_revision, stored.header.count, stored.payload};
    const absl::Status status = CheckFrame(frame);
    if (!status.ok()) return Damaged(extent, stored.header.offset, std::string(status.message()));
    if (frame.first_revision >= from_revision_) return frame;
    const auto rest = FrameFrom(frame, from_revision_);
    if (!rest.ok()) return rest.status();
    return *rest;
  }

  absl::Status Damaged(const SegmentExtent& extent, uint64_t offset, std::string what) const {
    return DamagedLog({extent.path, offset, tip_.last_revision, std::move(what)});
  }

  FileSystem& file_system_;
  const std::string log_id_;
  const std::vector<SegmentExtent> extents_;
  const uint64_t from_revision_;
  size_t next_ = 0;  // of extents_, the one that is being read
  std::unique_ptr<File> file_;
  std::optional<FileWindow> window_;  // of file_; empty between segments
  SegmentHeader segment_;
  uint64_t offset_ = 0;
  LogTip tip_;
};

}  // namespace

std::unique_ptr<LogCursor> MakeFileCursor(FileSystem& file_system, std::string log_id,
                                          std::vector<SegmentExtent> extents, uint64_t from_revision) {
  return std::make_unique<FileCursor>(file_system, std::move(log_id), std::move(extents), from_revision);
}

}  // namespace kvs::txn
