#include "txn_server/log/file/rescued_frames.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/patient_file.h"
#include "txn_server/log/file/torn_tail.h"
#include "txn_server/log/frame.h"

namespace kvs::txn {
namespace {

// What the log must have been before a frame whose header is whole.
LogTip TipBefore(const FrameHeader& header) {
  LogTip tip;
  tip.last_revision = header.first_revision - 1;
  tip.epoch = header.kind == FrameKind::kEpoch ? header.epoch - 1 : header.epoch;
  tip.crc32c = header.previous_crc32c;
  return tip;
}

}  // namespace

struct RescuedFrames::Segment {
  std::string path;
  SegmentHeader header;
  std::unique_ptr<File> file;
  std::unique_ptr<FileWindow> window;
  uint64_t offset = kSegmentHeaderBytes;
  uint64_t limit = 0;
  uint64_t resumed_at = 0;  // behind damage, 0 if there was none
  LogTip tip;
};

RescuedFrames::RescuedFrames(FileSystem& file_system, std::string directory, RescueStart start)
    : file_system_(file_system),
      directory_(std::move(directory)),
      start_(std::move(start)),
      next_id_(start_.segment_id),
      last_id_(0),
      reached_(start_.revision),
      run_start_(start_.revision + 1) {
  if (!start_.existing.empty()) {
    next_id_ = std::min(next_id_, start_.existing.front());
    last_id_ = start_.existing.back();
  }
}

RescuedFrames::~RescuedFrames() = default;

absl::StatusOr<std::optional<Frame>> RescuedFrames::Next() {
  while (!finished_) {
    if (!segment_) {
      if (next_id_ > last_id_) {
        Finish();
        break;
      }
      OpenSegment(next_id_++);
      continue;
    }
    Segment& segment = *segment_;
    const auto reading = ReadFrame(*segment.window, segment.header, segment.offset, segment.limit, segment.tip);
    if (!reading.ok()) {
      NoteDamage(segment.path, segment.offset, std::string(reading.status().message()));
      segment_.reset();
    } else if (reading->verdict != FrameVerdict::kValid) {
      if (IsEndOfSegment(*reading) || !SkipDamage(*reading)) segment_.reset();
    } else if (Take(reading->frame)) {
      const FrameHeader& header = reading->frame.header;
      return Frame{header.first_revision, header.count, reading->frame.payload};
    }
  }
  return std::nullopt;
}

void RescuedFrames::OpenSegment(uint64_t id) {
  const std::string path = SegmentPath(directory_, id);
  auto file = file_system_.OpenForReading(path);
  const auto size = file.ok() ? (*file)->Size() : file.status();
  if (!size.ok()) {
    NoteDamage(path, 0, absl::IsNotFound(size.status()) ? "the file is missing" : std::string(size.status().message()));
    return;
  }
  auto segment = std::make_unique<Segment>();
  segment->path = path;
  segment->file = std::make_unique<PatientFile>(*std::move(file));
  segment->window = std::make_unique<FileWindow>(*segment->file);
  segment->limit = *size;
  const auto sector = segment->window->View(0, kSegmentHeaderBytes);
  SegmentHeader header;
  std::string problem = sector.ok() ? DecodeSegmentHeader(*sector, &header) : std::string(sector.status().message());
  if (problem.empty() && header.segment_id != id) problem = absl::StrCat("this is segment ", header.segment_id);
  if (problem.empty() && header.log_id != start_.log_id) {
    NoteDamage(path, 0, "it is a segment of another ledger");
    return;
  }
  if (problem.empty() && header.state == SegmentState::kSpare) return;
  segment_ = std::move(segment);
  segment_->header.segment_id = id;
  end_is_cut_ = false;
  end_id_ = id;
  if (!end_.has_value()) end_ = Loss{path, 0, 0, 0, "what should be before it is missing"};
  if (problem.empty()) {
    BeginSegment(header, SegmentHeaderCrc(*sector));
  } else {
    NoteDamage(path, 0, std::move(problem));
  }
}

void RescuedFrames::BeginSegment(const SegmentHeader& header, uint32_t crc32c) {
  segment_->header = header;
  segment_->tip = TipAtStartOf(header, crc32c);
  end_is_cut_ = segment_->limit < header.segment_bytes;
  segment_->limit = std::min(segment_->limit, header.segment_bytes);
  segment_bytes_ = std::max(segment_bytes_, header.segment_bytes);
  NoteEpoch(header.epoch, header.writer_id);
  GoOnAt(header.last_revision + 1);
}

bool RescuedFrames::IsEndOfSegment(const FrameReading& reading) {
  Segment& segment = *segment_;
  end_ = Loss{segment.path, segment.offset, 0, 0, "the file ends too early"};
  if (segment.offset >= segment.limit) return true;
  const auto verdict = JudgeTail(*segment.window, segment.limit, segment.offset, reading);
  // What is torn at the end of the log was never acknowledged; elsewhere the next segment tells what is missing.
  return verdict.ok() && verdict->kind != TailVerdict::Kind::kDamaged;
}

bool RescuedFrames::SkipDamage(const FrameReading& reading) {
  Segment& segment = *segment_;
  // A whole frame that does not continue what was read is a place to go on, but only once.
  const bool again = reading.verdict == FrameVerdict::kMisfit && segment.resumed_at != segment.offset;
  if (!again || !damage_) {
    NoteDamage(segment.path, segment.offset, reading.problem.empty() ? "it is zero" : reading.problem);
  }
  const uint64_t from = again ? segment.offset : segment.offset + kSectorBytes;
  const auto next = FindFrameHeader(*segment.window, segment.header.segment_id, from, segment.limit);
  if (!next.ok() || !*next) return false;
  segment.resumed_at = (*next)->offset;
  segment.offset = (*next)->offset;
  segment.tip = TipBefore(**next);
  return true;
}

bool RescuedFrames::Take(const StoredFrame& frame) {
  Segment& segment = *segment_;
  const FrameHeader& header = frame.header;
  segment.offset = frame.end();
  Advance(segment.tip, frame);
  bytes_read_ += frame.bytes();
  NoteEpoch(header.epoch, segment.tip.writer_id);
  if (header.kind != FrameKind::kTransactions) {
    GoOnAt(header.first_revision);
    return false;
  }
  const absl::Status status = CheckFrame({header.first_revision, header.count, frame.payload});
  if (!status.ok()) {
    NoteDamage(segment.path, header.offset, std::string(status.message()));
    return false;
  }
  GoOnAt(header.first_revision);
  if (header.first_revision <= reached_) return false;
  reached_ = header.first_revision + header.count - 1;
  return true;
}

void RescuedFrames::NoteEpoch(uint64_t epoch, const std::string& writer_id) {
  if (epoch < epoch_ || (epoch == epoch_ && writer_id.empty())) return;
  epoch_ = epoch;
  writer_id_ = writer_id;
}

void RescuedFrames::NoteDamage(const std::string& path, uint64_t offset, std::string what) {
  if (damage_ && damage_->path == path && damage_->offset == offset) return;
  // What follows tells only how many are missing of several places together; the last place has them.
  if (damage_) CloseDamage(reached_ + 1);
  damage_ = Loss{path, offset, 0, 0, std::move(what)};
}

void RescuedFrames::GoOnAt(uint64_t revision) {
  if (revision > reached_ + 1 && !damage_) damage_ = end_;
  CloseDamage(revision);
  if (revision <= reached_ + 1) return;
  reached_ = revision - 1;
  run_start_ = revision;
}

void RescuedFrames::CloseDamage(uint64_t next_revision) {
  if (!damage_) return;
  if (next_revision > reached_ + 1) {
    damage_->first_revision = reached_ + 1;
    damage_->last_revision = next_revision - 1;
  }
  losses_.push_back(*std::exchange(damage_, std::nullopt));
}

void RescuedFrames::Finish() {
  finished_ = true;
  if (!damage_) damage_ = MissingEnd();
  if (!damage_) return;
  damage_->first_revision = reached_ + 1;
  damage_->last_revision = 0;
  losses_.push_back(*std::exchange(damage_, std::nullopt));
}

std::optional<Loss> RescuedFrames::MissingEnd() const {
  if (end_id_ == 0) return Loss{SegmentPath(directory_, next_id_), 0, 0, 0, "the file is missing"};
  const bool has_frames = end_->offset > kSegmentHeaderBytes;
  if (last_id_ == end_id_ && (has_frames || end_is_cut_)) {
    return Loss{SegmentPath(directory_, end_id_ + 1), 0, 0, 0, "the file is missing"};
  }
  if (!end_is_cut_) return std::nullopt;
  return Loss{end_->path, end_->offset, 0, 0, "the file ends here, and no segment goes on behind it"};
}

}  // namespace kvs::txn
