#include "txn_server/log/file/compactor.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "txn_server/log/compaction/fold_log.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/snapshot_writer.h"

namespace kvs::txn {
namespace {

// How much of the ballast the appending thread may have when it cannot go on: enough for a few small segments, while
// the rest is for the snapshot that then makes room.
constexpr uint64_t kBallastShare = 64 * kKiB;

// Whether a snapshot that is relied on cannot be read, or is gone.
bool IsDamage(const absl::Status& status) { return Is(status, errors::kDamagedLog) || absl::IsNotFound(status); }

// Lets everything else that wants the processor go first. It is no harm where that is not allowed.
void LowerPriority() {
  constexpr int kLow = 10;
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kLow);
}

// The sorted runs of a snapshot that is being made. They are removed in the end.
class Runs {
 public:
  Runs(FileSystem& file_system, std::string directory, uint64_t snapshot_id)
      : file_system_(file_system), directory_(std::move(directory)), snapshot_id_(snapshot_id) {}
  ~Runs() {
    for (const std::string& path : paths_) file_system_.Remove(path).IgnoreError();  // the next start does it
  }

  absl::StatusOr<std::unique_ptr<SnapshotCursor>> Write(SnapshotCursor& run) {
    const std::string path = RunPath(directory_, snapshot_id_, paths_.size() + 1);
    auto file = file_system_.Create(path);
    if (!file.ok()) return file.status();
    paths_.push_back(path);
    SnapshotWriter writer(*std::move(file));
    const auto add = [&](const SnapshotChunk& chunk) { return writer.Add(chunk); };
    if (absl::Status status = ForEachChunk(run, add); !status.ok()) return status;
    const auto header = writer.Finish({});
    if (!header.ok()) return header.status();
    return OpenSnapshot(file_system_, {path, *header});
  }

 private:
  FileSystem& file_system_;
  const std::string directory_;
  const uint64_t snapshot_id_;
  std::vector<std::string> paths_;
};

}  // namespace

Compactor::Compactor(Settings settings, LogFiles* files, uint64_t next_snapshot_id)
    : settings_(std::move(settings)),
      files_(files),
      next_id_(next_snapshot_id),
      ballast_(settings_.file_system, BallastPath(settings_.directory), settings_.options.ballast_bytes),
      attempts_(settings_.options),
      thread_([this] { Run(); }) {}

Compactor::~Compactor() {
  stopping_ = true;
  {
    MutexLock lock(&mu_);
    changed_.SignalAll();
  }
  thread_.join();
}

void Compactor::Appended() { SetPace(Pace::kBusy); }
void Compactor::Idle() { SetPace(Pace::kIdle); }
void Compactor::OutOfSpace(bool begins_epoch) {
  {
    MutexLock lock(&mu_);
    epoch_starves_ = begins_epoch;
  }
  SetPace(Pace::kOutOfSpace);
}

bool Compactor::lacks_space() const {
  MutexLock lock(&mu_);
  return !working_ && Is(attempts_.failure(), errors::kNoSpace);
}

void Compactor::SetPace(Pace pace) {
  MutexLock lock(&mu_);
  if (pace != Pace::kIdle && starves_ != (pace == Pace::kOutOfSpace)) {
    starves_ = !starves_;
    HastenForSpace();
  }
  // The want of space is over when what can be removed was removed.
  const bool has_space_again = pace == Pace::kBusy && !SnapshotFrees(files_->growth());
  if (pace_ != Pace::kOutOfSpace || has_space_again) pace_ = pace;
  if (!working_ && IsDue()) {
    working_ = true;
    changed_.SignalAll();
  }
}

// What failed for want of space may work now that there is some, and is more urgent now that there is none.
void Compactor::HastenForSpace() {
  if (!Is(attempts_.failure(), errors::kNoSpace)) return;
  attempts_.Hasten();
  changed_.SignalAll();
}

// Segments go when as many snapshots as are kept stand for them, so it may take that many until nothing is gained by
// another one.
bool Compactor::SnapshotFrees(const LogFiles::Growth& growth) const {
  return settings_.options.retention == Retention::kOnDelete && growth.since_oldest_bytes > 0 &&
         growth.finished_bytes > 0;
}

// Where no snapshot helps, such as when all of the log is in one segment, the next one can be made: a small one. Where
// nothing is ever removed, only for the beginning of an epoch, since it would not end.
bool Compactor::SharesBallast(const LogFiles::Growth& growth) const {
  return pace_ == Pace::kOutOfSpace && !SnapshotFrees(growth) && ballast_.bytes() > 0 &&
         (settings_.options.retention == Retention::kOnDelete || epoch_starves_);
}

bool Compactor::IsDue() const {
  const LogFiles::Growth growth = files_->growth();
  if (SharesBallast(growth)) return true;
  if (!attempts_.MayTry(growth.since_newest_bytes, absl::Now())) return false;
  const CompactionOptions& options = settings_.options;
  const auto reaches = [&](uint64_t bytes, uint64_t percent) {
    return bytes >= options.min_bytes && bytes >= growth.state_bytes / 100 * percent;
  };
  switch (pace_) {
    case Pace::kBusy:
      return reaches(growth.since_newest_bytes, options.percent);
    case Pace::kIdle:
      return reaches(growth.since_newest_bytes, options.percent / 4) ||
             (SnapshotFrees(growth) && reaches(growth.finished_bytes, options.percent / 4));
    case Pace::kOutOfSpace:
      return SnapshotFrees(growth);
  }
  return false;
}

void Compactor::Run() {
  LowerPriority();
  ballast_.Fill();
  while (true) {
    const Task task = AwaitTask();
    if (stopping_) return;
    switch (task) {
      case Task::kFillBallast:
        FillBallast();
        break;
      case Task::kShareBallast:
        ShareBallast();
        break;
      case Task::kMakeSnapshot:
        MakeSnapshot();
        break;
    }
  }
}

Compactor::Task Compactor::AwaitTask() {
  MutexLock lock(&mu_);
  working_ = IsDue();
  const absl::Time fill_at = absl::Now() + settings_.options.ballast_retry;
  while (!working_ && !stopping_) {
    const absl::Time now = absl::Now();
    if (!ballast_.full() && now >= fill_at) break;
    absl::Time until = ballast_.full() ? absl::InfiniteFuture() : fill_at;
    if (now < attempts_.not_before()) until = std::min(until, attempts_.not_before());
    if (until == absl::InfiniteFuture()) {
      changed_.Wait(&mu_);
    } else {
      changed_.WaitWithTimeout(&mu_, until - now);
    }
    working_ = working_ || IsDue();
  }
  if (!working_) return Task::kFillBallast;
  return SharesBallast(files_->growth()) ? Task::kShareBallast : Task::kMakeSnapshot;
}

void Compactor::FillBallast() {
  ballast_.Fill();
  if (!ballast_.full()) return;
  MutexLock lock(&mu_);
  HastenForSpace();
}

void Compactor::GiveShareOfBallast() { ballast_.Spend(std::min(kBallastShare, ballast_.bytes() / 2)); }

void Compactor::ShareBallast() {
  GiveShareOfBallast();
  MutexLock lock(&mu_);
  // Whoever still has no space will say so again.
  pace_ = Pace::kBusy;
}

void Compactor::MakeSnapshot() {
  auto report = CompactInLittleSpace();
  if (report.ok()) {
    Succeeded(*std::move(report));
  } else if (!stopping_) {
    // What the snapshot cannot use may be all that a writer needs to go on in a segment that is there.
    if (IsOutOfSpace()) GiveShareOfBallast();
    Failed(report.status());
  }
}

void Compactor::Succeeded(CompactionReport report) {
  {
    MutexLock lock(&mu_);
    report.failed_attempts = attempts_.failures();
    attempts_.Succeeded();
    if (pace_ == Pace::kOutOfSpace && !IsDue()) pace_ = Pace::kBusy;
  }
  settings_.compacted(report);
}

void Compactor::Failed(const absl::Status& status) {
  bool is_news = false;
  {
    MutexLock lock(&mu_);
    is_news = attempts_.Failed(status, files_->growth().since_newest_bytes, absl::Now());
    // Whoever still has no space will say so again.
    if (pace_ == Pace::kOutOfSpace) pace_ = Pace::kBusy;
  }
  settings_.failed(status, is_news);
}

absl::StatusOr<CompactionReport> Compactor::CompactInLittleSpace() {
  auto report = Compact();
  if (IsDamage(report.status()) && PassOverNewestSnapshot()) report = Compact();
  const auto lacks_space = [&report] { return Is(report.status(), errors::kNoSpace); };
  if (lacks_space() && RemoveObsoleteEarly()) report = Compact();
  // A snapshot that frees nothing must not take what one that has to free something will need.
  const bool may_spend = IsOutOfSpace() || files_->newest_with_fallback();
  if (lacks_space() && may_spend && ballast_.Spend(ballast_.bytes())) report = Compact();
  if (lacks_space() && IsOutOfSpace() && RelyOnNewestSnapshot()) report = Compact();
  ballast_.Fill();
  return report;
}

bool Compactor::PassOverNewestSnapshot() {
  const auto newest = files_->newest_snapshot();
  // A reader may have met the damage, too.
  if (base_path_ != (newest ? newest->path : "")) return true;
  if (!newest) return false;
  const absl::Status status = Verify(*newest);
  return IsDamage(status) && files_->PassOver(newest->path, status, settings_.notice);
}

absl::Status Compactor::Verify(const SnapshotSummary& snapshot) {
  // What was written a moment ago is in memory, whatever the disk made of it.
  if (const auto file = settings_.file_system.OpenForReading(snapshot.path); file.ok()) (*file)->ForgetCached();
  return VerifySnapshot(settings_.file_system, snapshot, [this](uint64_t) { return !stopping_; });
}

bool Compactor::RemoveObsoleteEarly() {
  if (files_->obsolete().empty()) return false;
  // Among it may be a damaged snapshot, the better part of which can still be salvaged.
  const auto newest = files_->newest_snapshot();
  if (newest && !Verify(*newest).ok()) return false;
  return RemoveObsolete() > 0;
}

bool Compactor::RelyOnNewestSnapshot() {
  const auto newest = files_->newest_with_fallback();
  if (!newest || settings_.options.retention != Retention::kOnDelete) return false;
  if (const absl::Status status = Verify(*newest); !status.ok()) {
    return IsDamage(status) && files_->PassOver(newest->path, status, settings_.notice) && RemoveObsoleteEarly();
  }
  if (!files_->DropAllBefore(*newest)) return false;
  settings_.notice(absl::StrCat("no space: ", newest->path, " was read and is whole, so what was kept in case that it ",
                                "is damaged is removed, the history up to revision ", newest->header.point.revision));
  return RemoveObsolete() > 0;
}

bool Compactor::IsOutOfSpace() const {
  MutexLock lock(&mu_);
  return pace_ == Pace::kOutOfSpace;
}

absl::StatusOr<CompactionReport> Compactor::Compact() {
  const absl::Time begin = absl::Now();
  CompactionReport report;
  auto source = files_->BeginFold();
  if (!source.ok()) return source.status();
  // The log may have begun with a snapshot after this was made.
  base_path_ = source->snapshot ? source->snapshot->path : "";
  if (source->snapshot) next_id_ = std::max(next_id_, source->snapshot->header.snapshot_id + 1);
  report.snapshot.path = SnapshotPath(settings_.directory, next_id_);
  const std::string temporary = absl::StrCat(report.snapshot.path, kTemporarySuffix);
  absl::Status status = WriteSnapshot(temporary, *source, report);
  if (status.ok()) status = settings_.file_system.Rename(temporary, report.snapshot.path);
  if (!status.ok()) {
    settings_.file_system.Remove(temporary).IgnoreError();  // the next start does it
    return status;
  }
  if (status = settings_.file_system.SyncDirectory(settings_.directory); !status.ok()) return status;
  ++next_id_;
  // What this read is not pinned any more.
  source = LogFiles::ToFold();
  files_->AddSnapshot(report.snapshot);
  if (settings_.options.retention == Retention::kOnDelete) files_->DropSegments();
  report.removed_files = RemoveObsolete();
  report.duration = absl::Now() - begin;
  return report;
}

absl::Status Compactor::WriteSnapshot(const std::string& path, LogFiles::ToFold& source, CompactionReport& report) {
  auto file = settings_.file_system.Create(path);
  if (!file.ok()) return file.status();
  SnapshotWriter writer(*std::move(file));
  std::unique_ptr<SnapshotCursor> base;
  SnapshotHeader& header = report.snapshot.header;
  if (source.snapshot) {
    auto cursor = OpenSnapshot(settings_.file_system, *source.snapshot);
    if (!cursor.ok()) return cursor.status();
    base = *std::move(cursor);
    header.time_micros = source.snapshot->header.time_micros;
  }
  Runs runs(settings_.file_system, settings_.directory, next_id_);
  const auto spill = [&](SnapshotCursor& run) { return runs.Write(run); };
  const auto cancelled = [this] { return stopping_.load(); };
  const auto result = FoldLog(std::move(base), *source.log, {settings_.options.table_bytes, spill, cancelled},
                              [&](const SnapshotEntry& entry) { return writer.Add(entry); });
  if (!result.ok()) return result.status();
  header.snapshot_id = next_id_;
  header.log_id = settings_.log_id;
  header.point = source.end;
  if (result->transactions > 0) header.time_micros = result->time_micros;
  const auto finished = writer.Finish(header);
  if (!finished.ok()) return finished.status();
  header = *finished;
  report.folded_transactions = result->transactions;
  return writer.Sync();
}

uint64_t Compactor::RemoveObsolete() {
  uint64_t removed = 0;
  absl::Status status;
  for (const std::string& path : files_->obsolete()) {
    status = settings_.file_system.Remove(path);
    if (absl::IsNotFound(status)) status = absl::OkStatus();
    // One after the other, and none before those that could not be removed the last time, so that nothing can leave a
    // hole in the sequence of segments.
    if (status.ok()) status = settings_.file_system.SyncDirectory(settings_.directory);
    if (!status.ok()) break;
    files_->Removed(path);
    ++removed;
  }
  // Nothing but space is lost.
  if (!status.ok()) settings_.notice(absl::StrCat("could not remove what a snapshot stands for: ", status.message()));
  return removed;
}

}  // namespace kvs::txn
