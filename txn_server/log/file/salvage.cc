#include "txn_server/log/file/salvage.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "common/errors.h"
#include "common/limits.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/file/new_ledger.h"
#include "txn_server/log/file/rescued_snapshot.h"
#include "txn_server/log/file/snapshot_reader.h"
#include "txn_server/log/frame.h"

namespace kvs::txn {
namespace {

// The frames behind a revision.
class FramesBehind : public LogCursor {
 public:
  FramesBehind(std::unique_ptr<RescuedFrames> frames, uint64_t revision)
      : frames_(std::move(frames)), revision_(revision) {}

  absl::StatusOr<std::optional<Frame>> Next() override {
    while (true) {
      auto frame = frames_->Next();
      if (!frame.ok() || !*frame) return frame;
      if ((*frame)->last_revision() <= revision_) continue;
      if ((*frame)->first_revision > revision_) return frame;
      const auto rest = FrameFrom(**frame, revision_ + 1);
      if (!rest.ok()) return rest.status();
      return *rest;
    }
  }

 private:
  const std::unique_ptr<RescuedFrames> frames_;
  const uint64_t revision_;
};

class NoFrames : public LogCursor {
 public:
  absl::StatusOr<std::optional<Frame>> Next() override { return std::nullopt; }
};

class Salvage {
 public:
  explicit Salvage(const SalvageOptions& options) : options_(options), file_system_(*options.file_system) {}

  absl::StatusOr<SalvageReport> Run() {
    if (absl::Status status = CheckDirectories(); !status.ok()) return status;
    if (absl::Status status = FindLog(); !status.ok()) return status;
    FindSnapshots();
    FindStart();
    Survey();
    const NewLedgerOptions target{options_.target_directory, segment_bytes_, &file_system_};
    const auto position = CreateLedger(target, [&](TxnLog& log) {
      auto copied = history_is_whole_ ? CopyHistory(log) : CopyState(log);
      if (copied.ok()) report_.copy = *copied;
      return copied.status();
    });
    if (!position.ok()) return position.status();
    report_.log_id = position->log_id;
    return report_;
  }

 private:
  absl::Status CheckDirectories() {
    const std::string& directory = options_.data_directory;
    auto listing = ListDirectory(file_system_, directory);
    if (absl::IsNotFound(listing.status())) return UnusableDirectory(absl::StrCat(directory, " does not exist"));
    if (!listing.ok()) return listing.status();
    if (absl::Status status = CheckFinished(*listing, directory); !status.ok()) return status;
    listing_ = *std::move(listing);
    if (listing_.segment_ids.empty() && listing_.snapshot_ids.empty()) {
      return UnusableDirectory(absl::StrCat(directory, " holds no ledger: name the --data-dir of a txn_server"));
    }
    const auto locked = file_system_.IsLocked(LockPath(directory));
    if (!locked.ok()) return locked.status();
    if (*locked) return Error(errors::kLogInUse, absl::StrCat("a server uses ", directory, "; stop it first"));
    return CheckNewLedgerDirectory(file_system_, options_.target_directory, directory);
  }

  // The log is the one that most of the files belong to.
  absl::Status FindLog() {
    std::map<std::string, int> files_of;
    for (const uint64_t id : listing_.segment_ids) {
      const auto header = HeaderOf(id);
      if (header && header->min_reader_version > kFormatVersion) {
        return Error(errors::kUnsupportedLogVersion, absl::StrCat(SegmentPath(options_.data_directory, id),
                                                                  " was written by a newer program; use that"));
      }
      if (header) ++files_of[header->log_id];
    }
    for (const uint64_t id : listing_.snapshot_ids) {
      const auto snapshot = ReadSnapshotHeader(file_system_, SnapshotPath(options_.data_directory, id));
      if (Is(snapshot.status(), errors::kUnsupportedLogVersion)) return snapshot.status();
      if (snapshot.ok()) ++files_of[snapshot->header.log_id];
    }
    if (files_of.empty()) {
      return Error(errors::kDamagedLog,
                   absl::StrCat("no file in ", options_.data_directory, " can be read; restore a backup"));
    }
    start_.log_id = std::max_element(files_of.begin(), files_of.end(), [](const auto& a, const auto& b) {
                      return a.second < b.second;
                    })->first;
    return absl::OkStatus();
  }

  std::optional<SegmentHeader> HeaderOf(uint64_t segment_id) {
    const auto file = file_system_.OpenForReading(SegmentPath(options_.data_directory, segment_id));
    if (!file.ok()) return std::nullopt;
    std::string sector(kSegmentHeaderBytes, '\0');
    const auto read = (*file)->ReadAt(0, sector.data(), sector.size());
    SegmentHeader header;
    if (!read.ok() || *read < sector.size() || !DecodeSegmentHeader(sector, &header).empty()) return std::nullopt;
    return header;
  }

  void FindSnapshots() {
    for (const uint64_t id : listing_.snapshot_ids) {
      const std::string path = SnapshotPath(options_.data_directory, id);
      const auto summary = ReadSnapshotHeaderOnly(file_system_, path);
      if (!summary.ok()) {
        LoseSnapshot(path, summary.status());
        unreadable_.insert(path);
      } else if (summary->header.log_id != start_.log_id) {
        report_.losses.push_back({path, 0, 0, 0, "it is a snapshot of another ledger"});
      } else if (absl::Status status = VerifySnapshot(file_system_, *summary); !status.ok()) {
        LoseSnapshot(path, status);
        damaged_.push_back(*summary);
      } else {
        intact_.push_back(*summary);
      }
    }
    for (const SnapshotSummary& snapshot : damaged_) Reach(snapshot.header.point);
    for (const SnapshotSummary& snapshot : intact_) Reach(snapshot.header.point);
    // The newest intact one has all that is in the others.
    if (!intact_.empty()) damaged_.clear();
  }

  void LoseSnapshot(const std::string& path, const absl::Status& status) {
    Loss loss{path, 0, 0, 0, std::string(status.message())};
    if (!absl::SimpleAtoi(MetadataOf(status, "offset"), &loss.offset)) loss.offset = 0;
    report_.losses.push_back(std::move(loss));
  }

  // The log came at least to here.
  void Reach(const LogPoint& point) {
    position_.durable_revision = std::max(position_.durable_revision, point.revision);
    if (point.epoch < position_.epoch) return;
    position_.epoch = point.epoch;
    position_.writer_id = point.writer_id;
  }

  // The segments begin with the first one, or in the one where the oldest snapshot ends.
  void FindStart() {
    start_.existing = listing_.segment_ids;
    const bool has_first = !listing_.segment_ids.empty() && listing_.segment_ids.front() == 1;
    const auto header = has_first ? HeaderOf(1) : std::nullopt;
    if (header) {
      start_.revision = header->last_revision;
      return;
    }
    const std::vector<SnapshotSummary>& snapshots = intact_.empty() ? damaged_ : intact_;
    if (snapshots.empty()) return;
    const LogPoint& point = snapshots.front().header.point;
    if (has_first && (point.segment_id > 1 || point.offset > kSegmentHeaderBytes)) return;
    start_.segment_id = point.segment_id;
    start_.revision = point.revision;
  }

  std::unique_ptr<RescuedFrames> OpenFrames() {
    return std::make_unique<RescuedFrames>(file_system_, options_.data_directory, start_);
  }

  // Reads all that there is, and decides what the new ledger begins with.
  void Survey() {
    const auto frames = OpenFrames();
    while (true) {
      const auto frame = frames->Next();
      if (!frame.ok() || !*frame) break;
      if (options_.progress) options_.progress("looking for what can be read", frames->bytes_read(), 0);
    }
    for (const Loss& loss : frames->losses()) report_.losses.push_back(WithSnapshot(loss));
    AddDamage();
    LogPoint end;
    end.revision = frames->last_revision();
    end.epoch = frames->epoch();
    end.writer_id = frames->writer_id();
    Reach(end);
    if (position_.writer_id.empty() && position_.durable_revision > 0) position_.writer_id = "salvage";
    if (position_.epoch == 0 && position_.durable_revision > 0) position_.epoch = 1;
    segment_bytes_ = frames->segment_bytes() > 0 ? frames->segment_bytes() : kDefaultSegmentBytes;
    history_is_whole_ = IsWholeBehind(0, *frames);
    for (const SnapshotSummary& snapshot : intact_) {
      if (history_is_whole_ || !IsWholeBehind(snapshot.header.point.revision, *frames)) continue;
      history_is_whole_ = true;
      base_ = snapshot;
    }
  }

  // Of what is missing at the end, a snapshot may have the state.
  Loss WithSnapshot(Loss loss) const {
    const uint64_t revision = position_.durable_revision;
    if (loss.first_revision == 0 || loss.last_revision > 0 || loss.first_revision > revision) return loss;
    if (intact_.empty() || intact_.back().header.point.revision < revision) return loss;
    absl::StrAppend(&loss.what, "; the snapshot ", intact_.back().path, " has the state of revision ", revision,
                    ", and what followed that is lost");
    return loss;
  }

  // What "kvs log verify" finds is told also where no transaction is missing because of it.
  void AddDamage() {
    if (listing_.segment_ids.empty()) return;
    ScanOptions options;
    options.check_transactions = true;
    options.progress = options_.progress;
    LogScan scan;
    ScanLog(file_system_, options_.data_directory, options, &scan).IgnoreError();
    if (!scan.damage) return;
    for (const Loss& loss : report_.losses) {
      if (loss.path == scan.damage->path) return;
    }
    Loss loss{scan.damage->path, scan.damage->offset, 0, 0, scan.damage->what};
    if (scan.lost_revision > 0) {
      loss.first_revision = scan.tip.last_revision + 1;
      loss.last_revision = scan.lost_revision;
    }
    report_.losses.push_back(std::move(loss));
  }

  // Whether the frames have all that follows a revision. A snapshot may reach further than they do.
  bool IsWholeBehind(uint64_t revision, const RescuedFrames& frames) const {
    return revision + 1 >= frames.run_start() &&
           std::max(revision, frames.last_revision()) == position_.durable_revision;
  }

  absl::StatusOr<CopyReport> CopyHistory(TxnLog& log) {
    StateReplay history;
    if (base_) {
      auto begun = ReplayOfSnapshot(file_system_, *base_);
      if (!begun.ok()) return begun.status();
      history = *std::move(begun);
    }
    history.tail = std::make_unique<FramesBehind>(OpenFrames(), history.snapshot_revision);
    return CopyLog(position_, std::move(history), log, options_.progress);
  }

  absl::StatusOr<CopyReport> CopyState(TxnLog& log) {
    RescuedState state;
    if (absl::Status status = FoldReadable(state); !status.ok()) return status;
    TellUnreadable();
    report_.doubtful_keys = state.DoubtfulKeys();
    StateReplay history;
    history.snapshot_revision = position_.durable_revision;
    history.snapshot_time_micros = state.time_micros();
    history.snapshot_transactions = state.transactions();
    history.snapshot = state.Snapshot();
    history.tail = std::make_unique<NoFrames>();
    return CopyLog(position_, std::move(history), log, options_.progress);
  }

  // Each snapshot comes where its revision is.
  absl::Status FoldReadable(RescuedState& state) {
    std::vector<SnapshotSummary> snapshots = damaged_;
    if (!intact_.empty()) snapshots = {intact_.back()};
    const uint64_t from = intact_.empty() ? 0 : intact_.back().header.point.revision;
    FramesBehind frames(OpenFrames(), from);
    size_t next = 0;
    while (true) {
      const auto frame = frames.Next();
      if (!frame.ok()) return frame.status();
      for (; next < snapshots.size(); ++next) {
        if (*frame && (*frame)->first_revision <= snapshots[next].header.point.revision) break;
        if (absl::Status status = AddSnapshot(snapshots[next], state); !status.ok()) return status;
      }
      if (!*frame) return absl::OkStatus();
      if (absl::Status status = state.Add(**frame); !status.ok()) return status;
      if (options_.progress) options_.progress("folding", (*frame)->last_revision(), position_.durable_revision);
    }
  }

  absl::Status AddSnapshot(const SnapshotSummary& summary, RescuedState& state) {
    const auto snapshot = RescuedSnapshot::Open(file_system_, summary);
    if (!snapshot.ok()) return snapshot.status();
    state.BeginSnapshot();
    while (const auto part = (*snapshot)->Next()) {
      absl::Status status = state.AddFromSnapshot(part->transactions, part->behind_loss);
      if (!status.ok()) return status;
    }
    if (!(*snapshot)->losses().empty()) TellLosses(summary.header, **snapshot, state.snapshot_keys());
    return absl::OkStatus();
  }

  // Puts all that is lost of a snapshot in the place of what was seen first of it.
  void TellLosses(const SnapshotHeader& header, const RescuedSnapshot& snapshot, uint64_t keys_read) {
    const uint64_t keys = std::accumulate(header.keys.begin(), header.keys.end(), uint64_t{0});
    std::vector<Loss> losses = snapshot.losses();
    for (Loss& loss : losses) {
      loss.changed_up_to = header.point.revision;
      absl::StrAppend(&loss.what, "; in all, ", header.blocks - std::min(header.blocks, snapshot.blocks_read()),
                      " of the ", header.blocks, " blocks of this snapshot and ", keys - std::min(keys, keys_read),
                      " of its ", keys, " keys cannot be read");
    }
    auto& all = report_.losses;
    auto place = std::find_if(all.begin(), all.end(), [&](const Loss& loss) { return loss.path == losses[0].path; });
    if (place != all.end()) place = all.erase(place);
    all.insert(place, losses.begin(), losses.end());
  }

  // Where no intact snapshot stands for one of which not even the header can be read, nobody knows what it had.
  void TellUnreadable() {
    if (!intact_.empty()) return;
    for (Loss& loss : report_.losses) {
      if (unreadable_.count(loss.path) > 0) loss.changed_up_to = position_.durable_revision;
    }
  }

  const SalvageOptions& options_;
  FileSystem& file_system_;
  DirectoryListing listing_;
  std::vector<SnapshotSummary> intact_;   // ascending
  std::set<std::string> unreadable_;      // snapshots whose headers cannot be read
  std::vector<SnapshotSummary> damaged_;  // whose headers can be read, ascending; empty where there are intact ones
  RescueStart start_;
  LogPosition position_;  // where the new ledger ends
  uint64_t segment_bytes_ = 0;
  bool history_is_whole_ = false;        // behind base_
  std::optional<SnapshotSummary> base_;  // empty where history begins with revision 1
  SalvageReport report_;
};

}  // namespace

absl::StatusOr<SalvageReport> SalvageLog(const SalvageOptions& options) { return Salvage(options).Run(); }

}  // namespace kvs::txn
