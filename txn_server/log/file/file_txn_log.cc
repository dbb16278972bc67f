#include "txn_server/log/file/file_txn_log.h"

#include <absl/base/thread_annotations.h>
#include <absl/functional/any_invocable.h>
#include <absl/strings/str_cat.h>
#include <sys/random.h>

#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/sync.h"
#include "txn_server/log/file/backup_manifest.h"
#include "txn_server/log/file/closed_mark.h"
#include "txn_server/log/file/file_cursor.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_files.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/file/owned_file_system.h"
#include "txn_server/log/file/recovery.h"
#include "txn_server/log/file/segment_supply.h"
#include "txn_server/log/file/segment_writer.h"
#include "txn_server/log/file/snapshot_writer.h"
#include "txn_server/log/frame.h"

namespace kvs::txn {
namespace {

class FileTxnLog : public TxnLog {
 public:
  // `scan` is what Recover left, or a new log. `writer` is the newest segment if this process made it, else null.
  // `files` are those of the options.
  FileTxnLog(FileTxnLogOptions options, std::unique_ptr<OwnedFileSystem> files, const LogScan& scan,
             std::unique_ptr<SegmentWriter> writer);

  absl::string_view backend() const override { return "file"; }
  LogPosition position() const override { return files_.position(); }
  uint64_t size_bytes() const override;
  absl::StatusOr<uint64_t> BeginEpoch(absl::string_view writer_id) override;
  absl::Status Append(uint64_t epoch, absl::Span<const Frame> frames) override;
  absl::Status CheckReachable() override { return files_.failure(); }
  absl::Status Idle() override;
  absl::StatusOr<std::unique_ptr<LogCursor>> Replay(uint64_t from_revision) override {
    return files_.Replay(from_revision);
  }
  absl::StatusOr<StateReplay> ReplayState() override;
  absl::StatusOr<StateReplay> ReplayHistory() override { return files_.ReplayHistory(); }
  absl::Status Import(const LogSeed& seed, std::unique_ptr<SnapshotCursor> snapshot) override;
  absl::Status Close() override;

 private:
  // Ends the log, unless `status` is an error after which it can go on. `begins_epoch` as in Compactor::OutOfSpace.
  absl::Status FailUnlessHarmless(const absl::Status& status, bool begins_epoch = false);

  // Makes the end of the log known outside of the segment that it is in.
  absl::Status Seal();
  absl::Status SealInNext();
  // Goes on to the next segment if the newest one holds so much that its removal would be worth while: segments are
  // removed whole, and it would stay as long as nothing more is written.
  absl::Status LeaveSegment();
  // Makes one frame durable and moves the tip behind it.
  absl::Status WriteFrame(FrameHeader header, absl::Span<const absl::string_view> payload);
  // Makes sure that the successor of a segment exists which has room: the successor's size.
  absl::StatusOr<uint64_t> RequireSuccessor(uint64_t segment_id);
  // Makes `writer_` a segment with room for the frame, and with a successor.
  absl::Status MakeRoom(uint64_t frame_bytes);
  // Makes `writer_` the segment behind the newest one, a spare of this size.
  absl::Status TakeIntoUse(uint64_t segment_bytes);
  // Of the segment behind the newest one, with the end of the log.
  SegmentHeader NextHeader(SegmentState state, uint64_t segment_bytes) const;
  // Writes the header of a segment that exists, and makes `writer_` that segment and `tip_` its beginning.
  absl::Status BeginSegment(const SegmentHeader& header);
  // Overwrites the header of a segment that exists, durably.
  absl::StatusOr<std::unique_ptr<File>> WriteSegmentHeader(const SegmentHeader& header);
  void CutPredecessor();
  LogPoint PointAt(uint64_t segment_id, uint64_t offset) const;

  const FileTxnLogOptions options_;
  const std::unique_ptr<OwnedFileSystem> file_system_;
  const std::string log_id_;
  SegmentSupply supply_;
  LogFiles files_;

  // Used by the appending thread alone.
  LogTip tip_;
  std::unique_ptr<SegmentWriter> writer_;  // null until the first frame after a start, and while a segment is changed
  bool sealed_;

  Compactor compactor_;
};

std::map<uint64_t, uint64_t> SizesOf(const std::vector<SegmentSummary>& spares) {
  std::map<uint64_t, uint64_t> sizes;
  for (const SegmentSummary& spare : spares) sizes[spare.header.segment_id] = spare.file_bytes;
  return sizes;
}

FileTxnLog::FileTxnLog(FileTxnLogOptions options, std::unique_ptr<OwnedFileSystem> files, const LogScan& scan,
                       std::unique_ptr<SegmentWriter> writer)
    : options_(std::move(options)),
      file_system_(std::move(files)),
      log_id_(scan.log_id),
      supply_({*file_system_, options_.directory, scan.log_id, options_.segment_bytes},
              scan.segments.back().header.segment_id + 1, SizesOf(scan.spares)),
      files_(*file_system_, scan),
      tip_(scan.tip),
      writer_(std::move(writer)),
      sealed_(scan.is_sealed),
      compactor_({options_.compaction, *file_system_, options_.directory, scan.log_id, options_.notice,
                  options_.compacted, options_.compaction_failed},
                 &files_, scan.next_snapshot_id) {
  // The first frame needs the segment after the one that it goes into.
  supply_.Prefetch(scan.segments.back().header.segment_id + (writer_ ? 1 : 2));
}

uint64_t FileTxnLog::size_bytes() const { return supply_.bytes() + files_.size_bytes() + compactor_.ballast_bytes(); }

absl::Status FileTxnLog::FailUnlessHarmless(const absl::Status& status, bool begins_epoch) {
  if (Is(status, errors::kNoSpace)) compactor_.OutOfSpace(begins_epoch);
  if (status.ok() || Is(status, errors::kNoSpace) || Is(status, errors::kMalformedFrame)) return status;
  const absl::string_view next = file_system_->CheckOwned().ok()
                                     ? "what is on the disk is known only after a restart; look at the disk and the "
                                       "system's log first"
                                     : "put it back, or start with --data-dir of where it is now; a start without it "
                                       "would begin a new ledger";
  absl::Status failure = Error(errors::kLogFailed, absl::StrCat(status.message(), ": ", next));
  files_.Fail(failure);
  return failure;
}

// Reads a snapshot. Where that is damaged and there is another way to the state, whoever reads is asked to read anew.
class PassingOverCursor : public SnapshotCursor {
 public:
  using PassOver = absl::AnyInvocable<bool(const absl::Status& damage)>;

  PassingOverCursor(std::unique_ptr<SnapshotCursor> snapshot, PassOver pass_over)
      : snapshot_(std::move(snapshot)), pass_over_(std::move(pass_over)) {}

  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    auto chunk = snapshot_->Next();
    if (!Is(chunk.status(), errors::kDamagedLog)) return chunk;
    if (!pass_over_(chunk.status())) return chunk;
    return absl::UnavailableError(
        absl::StrCat(chunk.status().message(), "; the state can be had without it: read anew"));
  }

 private:
  const std::unique_ptr<SnapshotCursor> snapshot_;
  PassOver pass_over_;
};

absl::StatusOr<StateReplay> FileTxnLog::ReplayState() {
  auto state = files_.ReplayState();
  for (auto newest = files_.newest_snapshot(); absl::IsNotFound(state.status()) && newest;
       newest = files_.newest_snapshot()) {
    if (!files_.PassOver(newest->path, state.status(), options_.notice)) break;
    state = files_.ReplayState();
  }
  if (!state.ok() || !state->snapshot) return state;
  state->snapshot = std::make_unique<PassingOverCursor>(std::move(state->snapshot), [this](const absl::Status& damage) {
    return files_.PassOver(MetadataOf(damage, "file"), damage, options_.notice);
  });
  return state;
}

absl::StatusOr<uint64_t> FileTxnLog::BeginEpoch(absl::string_view writer_id) {
  if (absl::Status status = files_.failure(); !status.ok()) return status;
  if (absl::Status status = CheckWriterId(writer_id); !status.ok()) return status;
  FrameHeader header;
  header.kind = FrameKind::kEpoch;
  header.epoch = tip_.epoch + 1;
  if (absl::Status status = WriteFrame(header, {writer_id}); !status.ok()) return status;
  return tip_.epoch;
}

absl::Status FileTxnLog::Append(uint64_t epoch, absl::Span<const Frame> frames) {
  if (absl::Status status = files_.failure(); !status.ok()) return status;
  if (epoch != tip_.epoch || epoch == 0) {
    return Error(errors::kFenced, absl::StrCat("epoch ", epoch, " is not the current one, which is ", tip_.epoch));
  }
  const auto group = SumUp(frames, tip_.last_revision);
  if (!group.ok()) return group.status();
  if (group->count == 0) return absl::OkStatus();
  FrameHeader header;
  header.kind = FrameKind::kTransactions;
  header.epoch = epoch;
  header.count = group->count;
  std::vector<absl::string_view> payload;
  payload.reserve(frames.size());
  for (const Frame& frame : frames) payload.push_back(frame.transactions);
  return WriteFrame(header, payload);
}

absl::Status FileTxnLog::Idle() {
  if (absl::Status status = Seal(); !status.ok()) return status;
  if (absl::Status status = LeaveSegment(); !status.ok()) return status;
  compactor_.Idle();
  return absl::OkStatus();
}

absl::Status FileTxnLog::Close() {
  if (absl::Status status = Seal(); !status.ok()) return status;
  const SegmentSummary newest = files_.newest();
  const LogPoint end = PointAt(newest.header.segment_id, newest.valid_bytes);
  const absl::Status status = WriteClosedMark(*file_system_, options_.directory, {log_id_, end});
  if (!Is(status, errors::kNoSpace)) return status;
  // It is worth having, as the seal is.
  options_.notice(absl::StrCat("no space for ", ClosedMarkPath(options_.directory),
                               ": whether the ledger loses its end until the next start will not be noticed"));
  return absl::OkStatus();
}

absl::Status FileTxnLog::Seal() {
  if (absl::Status status = files_.failure(); !status.ok()) return status;
  if (sealed_) return absl::OkStatus();
  FrameHeader frame;
  frame.kind = FrameKind::kSeal;
  frame.epoch = tip_.epoch;
  absl::Status status = WriteFrame(frame, {});
  // A seal is worth having, but nothing that somebody waits for.
  if (Is(status, errors::kNoSpace)) return absl::OkStatus();
  if (status.ok()) status = SealInNext();
  sealed_ = status.ok();
  return status;
}

absl::Status FileTxnLog::SealInNext() {
  const auto segment_bytes = RequireSuccessor(writer_->segment_id());
  absl::Status status = segment_bytes.status();
  if (status.ok()) status = WriteSegmentHeader(NextHeader(SegmentState::kSpare, *segment_bytes)).status();
  return FailUnlessHarmless(status);
}

absl::Status FileTxnLog::LeaveSegment() {
  const CompactionOptions& compaction = options_.compaction;
  if (compaction.retention == Retention::kFull || !writer_ || writer_->offset() < compaction.min_bytes) {
    return absl::OkStatus();
  }
  const auto segment_bytes = RequireSuccessor(writer_->segment_id());
  absl::Status status = segment_bytes.status();
  if (status.ok()) status = TakeIntoUse(*segment_bytes);
  if (!status.ok()) return FailUnlessHarmless(status);
  supply_.Prefetch(writer_->segment_id() + 1);
  return absl::OkStatus();
}

absl::Status FileTxnLog::WriteFrame(FrameHeader header, absl::Span<const absl::string_view> payload) {
  uint64_t payload_bytes = 0;
  for (const absl::string_view piece : payload) payload_bytes += piece.size();
  const bool begins_epoch = header.kind == FrameKind::kEpoch;
  // Also if there is no room: the spare that says where the log ends may be replaced then.
  sealed_ = false;
  if (absl::Status status = MakeRoom(FrameBytes(payload_bytes)); !status.ok()) {
    return FailUnlessHarmless(status, begins_epoch);
  }
  header.first_revision = tip_.last_revision + 1;
  header.previous_crc32c = tip_.crc32c;
  const auto crc = writer_->Write(header, payload);
  if (!crc.ok()) return FailUnlessHarmless(crc.status(), begins_epoch);
  // What was written where nobody will look for it is not durable.
  if (absl::Status status = file_system_->CheckOwned(); !status.ok()) return FailUnlessHarmless(status);
  tip_.crc32c = *crc;
  tip_.epoch = header.epoch;
  tip_.last_revision += header.count;
  if (header.kind == FrameKind::kEpoch) tip_.writer_id = std::string(payload.front());
  files_.Extend(PointAt(writer_->segment_id(), writer_->offset()));
  compactor_.Appended();
  // When it is full, the one after it is taken into use, for which yet another one has to exist.
  if (writer_->half_full()) supply_.Prefetch(writer_->segment_id() + 2);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FileTxnLog::RequireSuccessor(uint64_t segment_id) {
  // A small one will do: the one before has room.
  return supply_.Require(segment_id + 1, kMinSegmentBytes, /*may_be_small=*/true);
}

absl::Status FileTxnLog::MakeRoom(uint64_t frame_bytes) {
  if (writer_ != nullptr && writer_->Fits(frame_bytes)) {
    if (!writer_->empty()) return absl::OkStatus();
    return RequireSuccessor(writer_->segment_id()).status();
  }
  const uint64_t segment_id = files_.newest().header.segment_id + 1;
  // A small one lets the log leave the only segment that it has on a full disk, so that this one can be removed. Where
  // others can be removed, what room there is belongs to the snapshot that has to be made for that, if it is enough.
  const bool may_be_small = options_.compaction.retention == Retention::kFull || files_.growth().finished_bytes == 0 ||
                            compactor_.lacks_space();
  const auto segment_bytes = supply_.Require(segment_id, kSegmentHeaderBytes + frame_bytes, may_be_small);
  if (!segment_bytes.ok()) return segment_bytes.status();
  if (absl::Status status = RequireSuccessor(segment_id).status(); !status.ok()) return status;
  return TakeIntoUse(*segment_bytes);
}

absl::Status FileTxnLog::TakeIntoUse(uint64_t segment_bytes) {
  // From here on the header may say where the segment before ends, so nothing more may be written to that.
  writer_.reset();
  const SegmentHeader header = NextHeader(SegmentState::kInUse, segment_bytes);
  if (absl::Status status = BeginSegment(header); !status.ok()) return status;
  CutPredecessor();
  supply_.Take(header.segment_id);
  files_.BeginSegment(SegmentPath(options_.directory, header.segment_id),
                      PointAt(header.segment_id, kSegmentHeaderBytes), segment_bytes);
  return absl::OkStatus();
}

SegmentHeader FileTxnLog::NextHeader(SegmentState state, uint64_t segment_bytes) const {
  const SegmentSummary newest = files_.newest();
  SegmentHeader header;
  header.state = state;
  header.log_id = log_id_;
  header.segment_id = newest.header.segment_id + 1;
  header.segment_bytes = segment_bytes;
  header.predecessor_bytes = newest.valid_bytes;
  header.last_revision = tip_.last_revision;
  header.epoch = tip_.epoch;
  header.writer_id = tip_.writer_id;
  header.predecessor_crc32c = tip_.crc32c;
  return header;
}

absl::Status FileTxnLog::BeginSegment(const SegmentHeader& header) {
  auto file = WriteSegmentHeader(header);
  if (!file.ok()) return file.status();
  tip_ = TipAtStartOf(header, SegmentHeaderCrc(EncodeSegmentHeader(header)));
  writer_ = std::make_unique<SegmentWriter>(*std::move(file), SegmentPath(options_.directory, header.segment_id),
                                            header.segment_id, header.segment_bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<File>> FileTxnLog::WriteSegmentHeader(const SegmentHeader& header) {
  const std::string encoded = EncodeSegmentHeader(header);
  auto file = file_system_->OpenForWriting(SegmentPath(options_.directory, header.segment_id));
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->WriteAt(0, {encoded}); !status.ok()) return status;
  if (absl::Status status = (*file)->Sync(); !status.ok()) return absl::InternalError(status.message());
  return file;
}

absl::Status FileTxnLog::Import(const LogSeed& seed, std::unique_ptr<SnapshotCursor> snapshot) {
  if (absl::Status status = files_.failure(); !status.ok()) return status;
  const SegmentSummary first = files_.newest();
  if (tip_.epoch > 0 || first.header.segment_id != 1 || first.valid_bytes != kSegmentHeaderBytes) {
    return absl::FailedPreconditionError("only an empty log can begin with the history of another one");
  }
  SegmentHeader header;
  header.state = SegmentState::kInUse;
  header.log_id = log_id_;
  header.segment_id = 1;
  header.segment_bytes = first.file_bytes;
  header.last_revision = seed.revision;
  header.epoch = seed.epoch;
  header.writer_id = seed.writer_id;
  if (absl::Status status = BeginSegment(header); !status.ok()) return status;
  const LogPoint point = PointAt(1, kSegmentHeaderBytes);
  std::optional<SnapshotSummary> summary;
  if (snapshot) {
    SnapshotHeader wanted;
    wanted.snapshot_id = 1;
    wanted.log_id = log_id_;
    wanted.point = point;
    wanted.time_micros = seed.time_micros;
    auto written = CreateSnapshot(*file_system_, options_.directory, wanted, std::move(snapshot));
    if (!written.ok()) return written.status();
    summary = *std::move(written);
  }
  files_.BeginAt(point, summary);
  return absl::OkStatus();
}

void FileTxnLog::CutPredecessor() {
  SegmentSummary predecessor = files_.newest();
  CutFinishedSegment(*file_system_, options_.notice, predecessor);
  files_.SetNewestFileBytes(predecessor.file_bytes);
}

LogPoint FileTxnLog::PointAt(uint64_t segment_id, uint64_t offset) const {
  return {segment_id, offset, tip_.last_revision, tip_.epoch, tip_.writer_id, tip_.crc32c};
}

// Makes an error of the file system say what it means for somebody who starts a ledger.
absl::Status ExplainOpening(const absl::Status& status, const std::string& directory) {
  if (absl::IsPermissionDenied(status) || absl::IsFailedPrecondition(status)) {
    if (!ReasonOf(status).empty()) return status;
    return UnusableDirectory(absl::StrCat(status.message(),
                                          ": the ledger needs a directory that it can write, and files in it that it "
                                          "can read and write; change the rights of ",
                                          directory, " and of what is in it, or name another one"));
  }
  return status;
}

absl::Status PrepareDirectory(FileSystem& file_system, const std::string& directory) {
  const absl::Status status = file_system.CreateDirectory(directory);
  if (!absl::IsNotFound(status)) return ExplainOpening(status, directory);
  return UnusableDirectory(absl::StrCat("cannot create ", directory, ": ", ParentOf(directory),
                                        " does not exist; create it, or name another directory for the ledger"));
}

absl::StatusOr<std::string> RandomLogId() {
  std::string id(kLogIdBytes, '\0');
  if (getentropy(id.data(), id.size()) != 0) return absl::ErrnoToStatus(errno, "cannot make a random log id");
  return id;
}

// Starts a log with an empty first segment.
absl::StatusOr<std::unique_ptr<TxnLog>> StartNewLog(FileTxnLogOptions options, std::unique_ptr<OwnedFileSystem> files) {
  // Whoever made a directory in one that the ledger may not read has to have synced it.
  const absl::Status synced = options.file_system->SyncDirectory(ParentOf(options.directory));
  if (!synced.ok() && !absl::IsPermissionDenied(synced)) return synced;
  LogScan scan;
  scan.log_id = options.new_log_id;
  if (scan.log_id.empty()) {
    auto id = RandomLogId();
    if (!id.ok()) return id.status();
    scan.log_id = *std::move(id);
  }
  SegmentSummary segment;
  segment.header.state = SegmentState::kInUse;
  segment.header.log_id = scan.log_id;
  segment.header.segment_id = 1;
  segment.header.segment_bytes = options.segment_bytes;
  if (absl::Status status = CreateSegment(*options.file_system, options.directory, segment.header); !status.ok()) {
    return ExplainOpening(status, options.directory);
  }
  segment.path = SegmentPath(options.directory, 1);
  segment.file_bytes = options.segment_bytes;
  segment.valid_bytes = kSegmentHeaderBytes;
  scan.segments.push_back(segment);
  scan.tip.crc32c = SegmentHeaderCrc(EncodeSegmentHeader(segment.header));
  scan.is_sealed = true;
  auto file = options.file_system->OpenForWriting(segment.path);
  if (!file.ok()) return file.status();
  auto writer = std::make_unique<SegmentWriter>(*std::move(file), segment.path, 1, options.segment_bytes);
  return std::make_unique<FileTxnLog>(std::move(options), std::move(files), scan, std::move(writer));
}

absl::StatusOr<std::unique_ptr<TxnLog>> OpenExistingLog(FileTxnLogOptions options,
                                                        std::unique_ptr<OwnedFileSystem> files) {
  LogScan scan;
  if (absl::Status status = ScanLog(*options.file_system, options.directory, {}, &scan); !status.ok()) {
    return ExplainOpening(status, options.directory);
  }
  for (const DamagedSnapshot& damaged : scan.damaged_snapshots) {
    options.notice(GoingOnWithout(damaged.status, scan.snapshots));
  }
  const uint64_t first_revision = scan.segments.front().first_revision();
  if (options.compaction.retention == Retention::kFull && first_revision > 1) {
    options.notice(absl::StrCat("the retention is full, but the history begins with revision ", first_revision, " in ",
                                scan.segments.front().path, ": what was before was removed or is not of this ledger"));
  }
  if (scan.is_closed) {
    const absl::Status opened = RemoveClosedMark(*options.file_system, options.directory);
    if (!opened.ok()) return ExplainOpening(opened, options.directory);
  }
  const absl::Status recovered = Recover(*options.file_system, options.directory, options.notice, scan);
  if (Is(recovered, errors::kNoSpace)) return recovered;
  if (!recovered.ok()) return Error(errors::kLogFailed, recovered.message());
  return std::make_unique<FileTxnLog>(std::move(options), std::move(files), scan, nullptr);
}

absl::Status CheckOptions(const FileTxnLogOptions& options) {
  if (options.directory.empty()) return UnusableDirectory("no directory was named for the ledger");
  if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes % kSectorBytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat("a segment has at least ", kMinSegmentBytes,
                                                   " bytes, in sectors of ", kSectorBytes, ", not ",
                                                   options.segment_bytes));
  }
  if (!options.new_log_id.empty() && options.new_log_id.size() != kLogIdBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a log id has ", kLogIdBytes, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TxnLog>> OpenFileTxnLog(FileTxnLogOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  options.directory = WithoutSlashes(std::move(options.directory));
  if (!options.notice) options.notice = [](const std::string&) {};
  if (!options.compacted) options.compacted = [](const CompactionReport&) {};
  if (!options.compaction_failed) options.compaction_failed = [](const absl::Status&, bool) {};
  FileSystem& file_system = *options.file_system;
  const std::string& directory = options.directory;
  if (absl::Status status = PrepareDirectory(file_system, directory); !status.ok()) return status;
  if (absl::Status status = CheckIsNoBackup(file_system, directory); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<FileLock>> lock = nullptr;
  if (!options.unfinished) lock = file_system.Lock(LockPath(directory));
  if (!lock.ok()) return ExplainOpening(lock.status(), directory);
  const auto listing = ListDirectory(file_system, directory);
  if (!listing.ok()) return ExplainOpening(listing.status(), directory);
  if (!options.unfinished) {
    if (absl::Status status = CheckFinished(*listing, directory); !status.ok()) return status;
  }
  if (listing->segment_ids.empty() && !listing->foreign_names.empty()) {
    return UnusableDirectory(absl::StrCat(directory, " holds no ledger but other files, such as ",
                                          listing->foreign_names.front(),
                                          "; name an empty directory or one that holds a ledger"));
  }
  if (absl::Status status = CheckHasSegments(*listing, directory); !status.ok()) return status;
  for (const std::string& name : listing->temporary_names) {
    const absl::Status status = file_system.Remove(absl::StrCat(directory, "/", name));
    if (!status.ok()) return ExplainOpening(status, directory);
  }
  auto owned = std::make_unique<OwnedFileSystem>(file_system, *std::move(lock));
  options.file_system = owned.get();
  if (listing->segment_ids.empty()) return StartNewLog(std::move(options), std::move(owned));
  return OpenExistingLog(std::move(options), std::move(owned));
}

}  // namespace kvs::txn
