#include "txn_server/log/file/log_scan.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "txn_server/log/file/closed_mark.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/torn_tail.h"
#include "txn_server/log/frame.h"

namespace kvs::txn {
namespace {

std::string Place(uint64_t last_revision) {
  return last_revision == 0 ? "before the first revision" : absl::StrCat("behind revision ", last_revision);
}

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// How often a header is read that is not right: a live log may be writing it.
constexpr int kLiveAttempts = 10;

// Where the log was sealed, as the spare behind it says.
struct Seal {
  std::string path;  // of the spare
  LogPoint end;
  bool is_met = false;  // the log has that place
};

LogPoint PredecessorEnd(const SegmentHeader& header) {
  return {header.segment_id - 1, header.predecessor_bytes, header.last_revision,
          header.epoch,          header.writer_id,         header.predecessor_crc32c};
}

// A segment of which the first sector was read.
struct FoundSegment {
  SegmentSummary summary;
  std::string problem;  // with the header; empty if there is none

  bool in_use() const { return problem.empty() && summary.header.state == SegmentState::kInUse; }
};

absl::Status UnsupportedVersion(const SegmentSummary& segment) {
  return Error(errors::kUnsupportedLogVersion,
               absl::StrCat(segment.path, " has format version ", segment.header.format_version,
                            ", which needs a program that reads version ", segment.header.min_reader_version,
                            "; this one reads up to ", kFormatVersion, ": use the newer program that wrote it"),
               {{"file", segment.path},
                {"format_version", absl::StrCat(segment.header.format_version)},
                {"min_reader_version", absl::StrCat(segment.header.min_reader_version)}});
}

// A directory is listed while names come and go, so that a few may be left out between others.
std::vector<uint64_t> WithUnlisted(const std::vector<uint64_t>& listed) {
  constexpr uint64_t kMostUnlisted = 1000;
  if (listed.empty() || listed.back() - listed.front() > listed.size() + kMostUnlisted) return listed;
  std::vector<uint64_t> all(listed.back() - listed.front() + 1);
  std::iota(all.begin(), all.end(), listed.front());
  return all;
}

class Scanner {
 public:
  // A file of a live log that is missing is NOT_FOUND, and damage in the last attempt.
  Scanner(FileSystem& file_system, const std::string& directory, const ScanOptions& options, LogScan& scan,
          bool is_last_attempt)
      : file_system_(file_system),
        directory_(directory),
        options_(options),
        scan_(scan),
        is_last_attempt_(is_last_attempt) {}

  absl::Status Run() {
    const auto listing = ListDirectory(file_system_, directory_);
    if (!listing.ok()) return listing.status();
    const bool look_for_unlisted = options_.live && !is_last_attempt_;
    const std::vector<uint64_t> ids = look_for_unlisted ? WithUnlisted(listing->segment_ids) : listing->segment_ids;
    if (absl::Status status = FindSegments(ids); !status.ok()) return status;
    AddSegmentsToTotal();
    if (absl::Status status = FindSnapshots(listing->snapshot_ids); !status.ok()) return status;
    if (absl::Status status = CheckBeginning(); !status.ok()) return status;
    for (uint64_t id = first_; id <= last_in_use_; ++id) {
      if (absl::Status status = ScanSegment(id); !status.ok()) return status;
    }
    if (absl::Status status = CheckSnapshotsMet(); !status.ok()) return status;
    for (uint64_t id = last_in_use_ + 1; id <= found_.rbegin()->first; ++id) {
      if (absl::Status status = CheckSpare(id); !status.ok()) return status;
    }
    if (absl::Status status = CheckSuccessor(); !status.ok()) return status;
    if (listing->has_closed_mark) {
      if (absl::Status status = CheckClosed(); !status.ok()) return status;
    }
    return CheckSealed();
  }

 private:
  // Reads the first sector of every segment. What is wrong with one is kept until the scan comes to it, when the
  // revision is known. Backwards, since a live log takes one after the other into use: then those before one in use are
  // seen in use.
  absl::Status FindSegments(const std::vector<uint64_t>& ids) {
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
      FoundSegment& segment = found_[*id];
      segment.summary.path = SegmentPath(directory_, *id);
      for (int attempt = 0; attempt < (options_.live ? kLiveAttempts : 1); ++attempt) {
        if (absl::Status status = ReadHeader(segment); !status.ok()) return status;
        if (segment.problem.empty()) break;
      }
      if (segment.in_use()) last_in_use_ = std::max(last_in_use_, *id);
    }
    // Where nothing is in use, the scan has to find out why in the first segment.
    first_ = ids.front();
    if (last_in_use_ == 0) last_in_use_ = first_;
    // Before the frames are read, so that those of a live log reach as far.
    const auto spare = found_.find(last_in_use_ + 1);
    if (spare != found_.end() && spare->second.problem.empty()) {
      const SegmentHeader& header = spare->second.summary.header;
      if (header.predecessor_bytes > 0) seal_ = Seal{spare->second.summary.path, PredecessorEnd(header)};
    }
    return absl::OkStatus();
  }

  // What will be read of them. Where the newest one in use ends is not known yet.
  void AddSegmentsToTotal() {
    for (const auto& [id, segment] : found_) {
      if (id > last_in_use_) break;
      const auto next = found_.find(id + 1);
      const bool ends = next != found_.end() && next->second.in_use();
      total_bytes_ += ends ? next->second.summary.header.predecessor_bytes : segment.summary.file_bytes;
    }
  }

  // Reads the snapshots' headers, and the newest snapshot as a whole; where that is damaged, the one before.
  absl::Status FindSnapshots(const std::vector<uint64_t>& ids) {
    bool relied_on = false;
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
      scan_.next_snapshot_id = std::max(scan_.next_snapshot_id, *id + 1);
      auto summary = ReadSnapshotHeader(file_system_, SnapshotPath(directory_, *id));
      absl::Status status = summary.status();
      if (status.ok() && summary->header.snapshot_id != *id) {
        const std::string foreign = OfAnotherLedger(*summary);
        status = Error(errors::kDamagedLog,
                       foreign.empty() ? absl::StrCat(summary->path, " is snapshot ", summary->header.snapshot_id)
                                       : absl::StrCat(summary->path, ": ", foreign),
                       {{"file", summary->path}, {"offset", "0"}});
      }
      if (status.ok() && (!relied_on || options_.check_all_snapshots)) {
        total_bytes_ += summary->header.file_bytes;
        status = VerifySnapshot(file_system_, *summary, [this](uint64_t bytes) {
          CountRead(bytes);
          return true;
        });
      }
      if (status.ok()) {
        relied_on = true;
        scan_.snapshots.insert(scan_.snapshots.begin(), *std::move(summary));
      } else if (Is(status, errors::kDamagedLog)) {
        scan_.damaged_snapshots.push_back({SnapshotPath(directory_, *id), status});
      } else {
        return status;
      }
    }
    return absl::OkStatus();
  }

  // The segments begin at the latest where the oldest snapshot ends, and with the first revision if there is none.
  absl::Status CheckBeginning() {
    if (absl::Status status = CheckSnapshotsOwner(); !status.ok()) return status;
    if (!scan_.snapshots.empty()) {
      if (scan_.snapshots.front().header.point.segment_id >= first_) return absl::OkStatus();
      return Damaged(SegmentPath(directory_, first_ - 1), 0, "the file is missing");
    }
    const FoundSegment& segment = found_.begin()->second;
    const bool is_beginning = segment.summary.header.last_revision == 0;
    if (first_ == 1 && (!segment.in_use() || is_beginning)) return absl::OkStatus();
    if (!scan_.damaged_snapshots.empty()) {
      const DamagedSnapshot& damaged = scan_.damaged_snapshots.front();
      scan_.damage = Damage{damaged.path, 0, 0, std::string(damaged.status.message())};
      return Error(errors::kDamagedLog,
                   absl::StrCat(damaged.status.message(),
                                ", and there is no other snapshot of what was before the segments. Nothing was "
                                "changed; \"kvs log verify ",
                                directory_, "\" shows more"),
                   {{"file", damaged.path}, {"offset", MetadataOf(damaged.status, "offset")}, {"revision", "0"}});
    }
    if (first_ > 1) {
      return Damaged(SegmentPath(directory_, first_ - 1), 0,
                     "the file is missing, and so is every snapshot of what was in it and before");
    }
    return Damaged(segment.summary.path, 0, "the snapshot is missing of what was before its first revision");
  }

  absl::Status CheckSnapshotsOwner() {
    for (const SnapshotSummary& snapshot : scan_.snapshots) {
      const std::string foreign = OfAnotherLedger(snapshot);
      if (!foreign.empty()) return Damaged(snapshot.path, 0, foreign);
    }
    return absl::OkStatus();
  }

  // Says so for people, and is empty if it is not, or if the scan will tell what is wrong with the segment to compare.
  std::string OfAnotherLedger(const SnapshotSummary& snapshot) {
    const FoundSegment& segment = found_.begin()->second;
    const std::string& log_id = segment.summary.header.log_id;
    if (!segment.in_use() || snapshot.header.log_id == log_id) return "";
    return absl::StrCat("it is of another ledger: a snapshot of log ", absl::BytesToHexString(snapshot.header.log_id),
                        " and not of ", absl::BytesToHexString(log_id),
                        "; move this file elsewhere, and the ledger may be whole without it");
  }

  // Compares the log with the snapshots that end here.
  absl::Status MeetSnapshots(const SegmentSummary& segment) {
    for (const SnapshotSummary& snapshot : scan_.snapshots) {
      const LogPoint& point = snapshot.header.point;
      if (point.segment_id != segment.header.segment_id || point.offset != segment.valid_bytes) continue;
      if (!(point == scan_.end())) {
        return Damaged(snapshot.path, 0, "the snapshot is not one of this log");
      }
      ++snapshots_met_;
    }
    return absl::OkStatus();
  }

  absl::Status CheckSnapshotsMet() {
    if (snapshots_met_ == scan_.snapshots.size() || options_.live) return absl::OkStatus();
    return Damaged(
        scan_.snapshots.back().path, 0,
        absl::StrCat("a snapshot ends where no frame of the log does; the newest revision that it may hold is ",
                     scan_.snapshots.back().header.point.revision));
  }

  absl::Status ReadHeader(FoundSegment& segment) {
    SegmentSummary& summary = segment.summary;
    const auto file = file_system_.OpenForReading(summary.path);
    if (!file.ok()) return file.status();
    const auto size = (*file)->Size();
    if (!size.ok()) return CannotRead(summary.path, 0, size.status());
    std::string sector(kSegmentHeaderBytes, '\0');
    const auto read = (*file)->ReadAt(0, sector.data(), sector.size());
    if (!read.ok()) return CannotRead(summary.path, 0, read.status());
    sector.resize(*read);
    summary.file_bytes = *size;
    segment.problem = DecodeSegmentHeader(sector, &summary.header);
    if (!segment.problem.empty()) return absl::OkStatus();
    if (summary.header.min_reader_version > kFormatVersion) return UnsupportedVersion(summary);
    summary.header_crc32c = SegmentHeaderCrc(sector);
    summary.valid_bytes = kSegmentHeaderBytes;
    return absl::OkStatus();
  }

  // The segment, and what is wrong with its file if it cannot be relied on.
  struct Lookup {
    const FoundSegment* segment = nullptr;
    std::string problem;
  };

  Lookup Find(uint64_t id) const {
    const auto it = found_.find(id);
    if (it == found_.end()) return {nullptr, "the file is missing"};
    const FoundSegment& segment = it->second;
    const SegmentHeader& header = segment.summary.header;
    if (!segment.problem.empty()) return {&segment, segment.problem};
    if (header.segment_id != id) return {&segment, absl::StrCat("this is segment ", header.segment_id)};
    if (header.segment_bytes % kSectorBytes != 0) return {&segment, "its size is not in whole sectors"};
    if (!scan_.log_id.empty() && header.log_id != scan_.log_id) {
      return {&segment, absl::StrCat("it belongs to log ", absl::BytesToHexString(header.log_id), " and not to ",
                                     absl::BytesToHexString(scan_.log_id))};
    }
    return {&segment, ""};
  }

  absl::Status ScanSegment(uint64_t id) {
    const Lookup found = Find(id);
    if (!found.problem.empty()) return Damaged(SegmentPath(directory_, id), 0, found.problem);
    const FoundSegment& segment = *found.segment;
    if (absl::Status status = CheckContinuation(segment.summary); !status.ok()) return status;
    scan_.log_id = segment.summary.header.log_id;
    scan_.tip = TipAtStartOf(segment.summary.header, segment.summary.header_crc32c);
    scan_.segments.push_back(segment.summary);
    if (absl::Status status = MeetSnapshots(segment.summary); !status.ok()) return status;
    const auto file = file_system_.OpenForReading(segment.summary.path);
    if (!file.ok()) return file.status();
    FileWindow window(**file);
    if (id == last_in_use_) return ScanLast(window, scan_.segments.back());
    return ScanFinished(window, scan_.segments.back(), Find(id + 1));
  }

  // Whether the header continues what was read before.
  absl::Status CheckContinuation(const SegmentSummary& segment) {
    const SegmentHeader& header = segment.header;
    const uint64_t predecessor_bytes = scan_.segments.empty() ? 0 : scan_.segments.back().valid_bytes;
    if (header.state != SegmentState::kInUse) {
      return Damaged(segment.path, 0, "it is a spare where a segment in use should be");
    }
    // What was before the first one is known from a snapshot, which the scan meets further on, or it was nothing, in
    // an epoch that the log may have taken over from another one.
    if (scan_.segments.empty() && (!scan_.snapshots.empty() || header.last_revision == 0)) return absl::OkStatus();
    if (header.predecessor_crc32c != scan_.tip.crc32c || header.predecessor_bytes != predecessor_bytes ||
        header.last_revision != scan_.tip.last_revision || header.epoch != scan_.tip.epoch ||
        header.writer_id != scan_.tip.writer_id) {
      return Damaged(
          segment.path, 0,
          absl::StrCat("it continues revision ", header.last_revision, ", epoch ", header.epoch, ", offset ",
                       header.predecessor_bytes, " of its predecessor, which ends with revision ",
                       scan_.tip.last_revision, ", epoch ", scan_.tip.epoch, ", offset ", predecessor_bytes));
    }
    return absl::OkStatus();
  }

  // A segment with a successor, which says where its frames end. It was cut there, or will be.
  absl::Status ScanFinished(FileWindow& window, SegmentSummary& segment, const Lookup& successor) {
    // Of a successor that cannot be relied on, the scan will tell when it comes to it.
    const bool known = successor.problem.empty() && successor.segment->in_use();
    const uint64_t end = known ? successor.segment->summary.header.predecessor_bytes : segment.header.segment_bytes;
    while (segment.valid_bytes < end) {
      const auto reading = ReadFrame(window, segment.header, segment.valid_bytes, end, scan_.tip);
      if (!reading.ok()) return CannotRead(segment.path, segment.valid_bytes, reading.status());
      if (reading->verdict != FrameVerdict::kValid) {
        if (!known) return absl::OkStatus();
        return Damaged(segment.path, segment.valid_bytes, reading->problem);
      }
      if (absl::Status status = Accept(segment, reading->frame); !status.ok()) return status;
    }
    if (segment.file_bytes == segment.valid_bytes) return absl::OkStatus();
    if (absl::Status status = CheckSize(segment); !status.ok()) return status;
    return CheckZero(window, segment);
  }

  // The newest segment in use: its frames end where no more valid ones are, and what follows has to be judged.
  absl::Status ScanLast(FileWindow& window, SegmentSummary& segment) {
    const uint64_t end = segment.header.segment_bytes;
    while (true) {
      auto reading = ReadFrame(window, segment.header, segment.valid_bytes, end, scan_.tip);
      if (!reading.ok()) return CannotRead(segment.path, segment.valid_bytes, reading.status());
      if (reading->verdict == FrameVerdict::kValid) {
        if (absl::Status status = Accept(segment, reading->frame); !status.ok()) return status;
        continue;
      }
      if (!options_.live) return ScanTail(window, segment, *reading);
      const auto more = FrameFollows(window, segment, end);
      if (!more.ok()) return CannotRead(segment.path, segment.valid_bytes, more.status());
      if (!*more) return absl::OkStatus();
      // The frame was complete before the next one was begun: read it again now that this one is there.
      window.Forget();
      reading = ReadFrame(window, segment.header, segment.valid_bytes, end, scan_.tip);
      if (!reading.ok()) return CannotRead(segment.path, segment.valid_bytes, reading.status());
      if (reading->verdict != FrameVerdict::kValid) return Damaged(segment.path, segment.valid_bytes, reading->problem);
      if (absl::Status status = Accept(segment, reading->frame); !status.ok()) return status;
    }
  }

  // Whether a frame begins somewhere behind the place where no valid one does.
  static absl::StatusOr<bool> FrameFollows(FileWindow& window, const SegmentSummary& segment, uint64_t end) {
    window.Forget();
    const auto next = FindFrameHeader(window, segment.header.segment_id, segment.valid_bytes + kSectorBytes, end);
    if (!next.ok()) return next.status();
    return next->has_value();
  }

  absl::Status ScanTail(FileWindow& window, const SegmentSummary& segment, const FrameReading& reading) {
    if (segment.file_bytes == segment.valid_bytes && segment.file_bytes < segment.header.segment_bytes) {
      // A segment is cut behind its last frame when the next one is in use, which this one is not.
      const uint64_t next_id = segment.header.segment_id + 1;
      const Lookup next = Find(next_id);
      if (!next.problem.empty()) return Damaged(SegmentPath(directory_, next_id), 0, next.problem);
      return Damaged(segment.path, segment.file_bytes,
                     absl::StrCat("the file was cut off: it has ", segment.file_bytes, " bytes and should have ",
                                  segment.header.segment_bytes));
    }
    if (absl::Status status = CheckSize(segment); !status.ok()) return status;
    const auto verdict = JudgeTail(window, segment.header.segment_bytes, segment.valid_bytes, reading);
    if (!verdict.ok()) return CannotRead(segment.path, segment.valid_bytes, verdict.status());
    switch (verdict->kind) {
      case TailVerdict::Kind::kEnd:
        return absl::OkStatus();
      case TailVerdict::Kind::kDamaged:
        return Damaged(segment.path, segment.valid_bytes, verdict->why);
      case TailVerdict::Kind::kTorn:
        break;
    }
    scan_.torn = TornTail{
        segment.path, segment.valid_bytes, verdict->end, scan_.tip.last_revision + 1, reading.frame.header.count,
        verdict->why};
    return absl::OkStatus();
  }

  absl::Status Accept(SegmentSummary& segment, const StoredFrame& frame) {
    const FrameHeader& header = frame.header;
    if (header.kind == FrameKind::kTransactions) {
      ++scan_.transaction_frames;
      if (options_.check_transactions) {
        const absl::Status status = CheckFrame({header.first_revision, header.count, frame.payload});
        if (!status.ok()) return Damaged(segment.path, header.offset, std::string(status.message()));
      }
    }
    if (options_.visit) options_.visit(segment, frame);
    CountRead(frame.bytes());
    Advance(scan_.tip, frame);
    ++segment.frames;
    segment.valid_bytes = frame.end();
    scan_.last_frame = header;
    if (seal_ && seal_->end.offset == segment.valid_bytes && seal_->end == scan_.end()) seal_->is_met = true;
    return MeetSnapshots(segment);
  }

  void CountRead(uint64_t bytes) {
    read_bytes_ += bytes;
    if (options_.progress) options_.progress("reading the ledger", read_bytes_, total_bytes_);
  }

  absl::Status CheckSpare(uint64_t id) {
    const Lookup found = Find(id);
    if (!found.problem.empty()) return Damaged(SegmentPath(directory_, id), 0, found.problem);
    const FoundSegment& segment = *found.segment;
    if (!options_.live) {  // a live log may have begun to use it
      if (absl::Status status = CheckSize(segment.summary); !status.ok()) return status;
      const auto file = file_system_.OpenForReading(segment.summary.path);
      if (!file.ok()) return file.status();
      FileWindow window(**file);
      if (absl::Status status = CheckZero(window, segment.summary); !status.ok()) return status;
    }
    scan_.spares.push_back(segment.summary);
    return absl::OkStatus();
  }

  // Frames are written to a segment only when the next one is there, so that the newest cannot vanish unnoticed.
  absl::Status CheckSuccessor() {
    const SegmentSummary& last = scan_.segments.back();
    const bool has_frames = last.valid_bytes > kSegmentHeaderBytes || scan_.torn;
    if (!has_frames || !scan_.spares.empty() || options_.live) return absl::OkStatus();
    return Damaged(SegmentPath(directory_, last.header.segment_id + 1), 0, "the file is missing");
  }

  // A log goes at least as far as it was sealed. All else is known to be right when this is looked at.
  absl::Status CheckSealed() {
    const LogPoint end = scan_.end();
    scan_.is_sealed = scan_.segments.back().frames == 0 || (seal_ && seal_->end == end);
    if (!seal_ || seal_->is_met) return absl::OkStatus();
    const LogPoint& sealed = seal_->end;
    const std::string place = absl::StrCat("offset ", sealed.offset, ", behind revision ", sealed.revision);
    if (end.offset >= sealed.offset) {
      return Damaged(seal_->path, 0,
                     absl::StrCat("it says that ", scan_.segments.back().path, " was whole up to ", place,
                                  ", where that has no such frame: one of the two is from another time"));
    }
    if (sealed.revision > end.revision) scan_.lost_revision = sealed.revision;
    return Damaged(scan_.segments.back().path, end.offset,
                   absl::StrCat("the log ends here, and was whole up to ", place, ": ", seal_->path, " says so"));
  }

  // A log that was closed ends where its mark says. All else is known to be right when this is looked at.
  absl::Status CheckClosed() {
    // Of a live log it was there a moment ago.
    if (options_.live) return absl::OkStatus();
    const auto found = ReadClosedMark(file_system_, directory_);
    // A start may just have taken it away.
    if (absl::IsNotFound(found.status())) return absl::OkStatus();
    if (!found.ok()) return found.status();
    const std::string path = ClosedMarkPath(directory_);
    if (const std::string problem = ProblemOf(*found); !problem.empty()) {
      return Damaged(path, 0, absl::StrCat(problem, "; the log itself is whole, and can be had by removing this file"));
    }
    if (scan_.torn) {
      return Damaged(scan_.torn->path, scan_.torn->offset,
                     absl::StrCat("it is not zero, and the log was closed before: ", path, " says so"));
    }
    const LogPoint& closed = found->mark.end;
    const LogPoint end = scan_.end();
    if (end == closed) {
      scan_.is_closed = true;
      return absl::OkStatus();
    }
    if (closed.revision > end.revision) scan_.lost_revision = closed.revision;
    return Damaged(scan_.segments.back().path, end.offset,
                   absl::StrCat("the log ends here, and was closed at offset ", closed.offset, " of segment ",
                                closed.segment_id, ", behind revision ", closed.revision, ": ", path,
                                " says so; if you put other files in its place on purpose, remove that"));
  }

  std::string ProblemOf(const FoundClosedMark& found) const {
    if (!found.problem.empty() || found.mark.log_id == scan_.log_id) return found.problem;
    return absl::StrCat("it is of log ", absl::BytesToHexString(found.mark.log_id), " and not of ",
                        absl::BytesToHexString(scan_.log_id));
  }

  absl::Status CheckSize(const SegmentSummary& segment) {
    if (segment.file_bytes == segment.header.segment_bytes || options_.live) return absl::OkStatus();
    return Damaged(
        segment.path, segment.file_bytes,
        absl::StrCat("the file has ", segment.file_bytes, " bytes and should have ", segment.header.segment_bytes));
  }

  absl::Status CheckZero(FileWindow& window, const SegmentSummary& segment) {
    const auto found = FindNonZero(window, segment.valid_bytes, segment.header.segment_bytes);
    if (!found.ok()) return CannotRead(segment.path, segment.valid_bytes, found.status());
    if (*found == segment.header.segment_bytes) return absl::OkStatus();
    return Damaged(segment.path, *found, "nothing was written here and it is not zero");
  }

  absl::Status CannotRead(const std::string& path, uint64_t offset, const absl::Status& status) {
    return Damaged(path, offset, std::string(status.message()));
  }

  absl::Status Damaged(const std::string& path, uint64_t offset, std::string what) {
    scan_.damage = Damage{path, offset, scan_.tip.last_revision, std::move(what)};
    return DamagedLog(*scan_.damage);
  }

  FileSystem& file_system_;
  const std::string& directory_;
  const ScanOptions& options_;
  LogScan& scan_;
  const bool is_last_attempt_;
  std::map<uint64_t, FoundSegment> found_;
  uint64_t first_ = 0;  // that is scanned
  uint64_t last_in_use_ = 0;
  size_t snapshots_met_ = 0;
  std::optional<Seal> seal_;
  uint64_t read_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace

LogPoint LogScan::end() const {
  return {segments.back().header.segment_id,
          segments.back().valid_bytes,
          tip.last_revision,
          tip.epoch,
          tip.writer_id,
          tip.crc32c};
}

absl::Status DamagedLog(const Damage& damage) {
  const std::string directory = DirectoryOf(damage.path);
  return Error(errors::kDamagedLog,
               absl::StrCat(damage.path, " is damaged at offset ", damage.offset, ", ", Place(damage.last_revision),
                            ": ", damage.what, ". Nothing was changed; \"kvs log verify ", directory, "\" shows more"),
               {{"file", damage.path},
                {"offset", absl::StrCat(damage.offset)},
                {"revision", absl::StrCat(damage.last_revision)}});
}

absl::Status ScanLog(FileSystem& file_system, const std::string& directory, const ScanOptions& options, LogScan* scan) {
  absl::Status status;
  for (int attempt = 0; attempt < (options.live ? kLiveAttempts : 1); ++attempt) {
    *scan = LogScan();
    status = Scanner(file_system, directory, options, *scan, attempt + 1 == kLiveAttempts).Run();
    // A live log may have removed a file that was seen in its directory.
    if (!absl::IsNotFound(status)) break;
  }
  return status;
}

}  // namespace kvs::txn
