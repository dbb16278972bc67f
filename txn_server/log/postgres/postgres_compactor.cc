#include "txn_server/log/postgres/postgres_compactor.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/errors.h"
#include "txn_server/log/compaction/fold_log.h"
#include "txn_server/log/postgres/binary_parameters.h"
#include "txn_server/log/postgres/hidden_history.h"

namespace kvs::txn {
namespace {

// Snapshots for the sake of a few hidden rows take at most one part in so many of the time.
constexpr int kRemovalShare = 100;

// What is lost of parts and removals is made again; only publishing is waited for.
constexpr char kSetUpCompaction[] =
    "SET application_name = 'txn_server compaction'; SET synchronous_commit = off;"
    " SET idle_in_transaction_session_timeout = 0";
constexpr char kBegin[] = "BEGIN; SET LOCAL synchronous_commit = on";

const std::string& kMoveCompactedRevision = *new std::string(
    "UPDATE ledger SET compacted_revision = CASE"
    " WHEN EXISTS (SELECT FROM hidden_history WHERE before_id <= $2::bigint) THEN greatest(compacted_revision, $2)"
    " ELSE compacted_revision END WHERE epoch = $1::bigint AND durable_revision >= $3::bigint"
    " RETURNING compacted_revision");
const std::string& kRemoveOlder = *new std::string("DELETE FROM snapshots WHERE revision < $1::bigint");
const std::string& kRemoveRequests = *new std::string(
    "DELETE FROM requests WHERE id = ANY (ARRAY (SELECT id FROM requests WHERE id < $1::bigint ORDER BY id"
    " LIMIT 1000))");
constexpr uint64_t kRequestBatchRows = 1000;
// Also those of runs, and of snapshots that were given up. Whoever writes after this epoch has higher ids.
const std::string& kRemoveParts = *new std::string(
    "DELETE FROM snapshot_parts WHERE snapshot_id <= $1::bigint AND snapshot_id NOT IN (SELECT id FROM snapshots)");

}  // namespace

PostgresCompactor::PostgresCompactor(Settings settings, uint64_t snapshot_bytes, uint64_t growth_bytes, bool hides)
    : settings_(std::move(settings)),
      snapshot_bytes_(snapshot_bytes),
      growth_bytes_(growth_bytes),
      hides_(hides),
      attempts_(settings_.options),
      remove_at_(absl::Now() + settings_.removal_interval),
      thread_([this] { Run(); }) {}

PostgresCompactor::~PostgresCompactor() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void PostgresCompactor::BeginEpoch(uint64_t epoch) {
  MutexLock lock(&mutex_);
  epoch_ = epoch;
  // The one before may have ended in the middle of a snapshot.
  attempts_.Hasten();
  changed_.SignalAll();
}

void PostgresCompactor::Appended(uint64_t epoch, uint64_t bytes, bool hides) {
  MutexLock lock(&mutex_);
  const bool comes = std::exchange(epoch_, epoch) != epoch;
  idle_ = false;
  growth_bytes_ += bytes;
  const bool wakes = comes || (hides && !hides_);
  hides_ = hides_ || hides;
  const bool grew_enough = attempts_.MayTry(growth_bytes_, absl::Now()) && IsDue(absl::InfinitePast());
  if (wakes || grew_enough) changed_.SignalAll();
}

void PostgresCompactor::Idle() {
  MutexLock lock(&mutex_);
  if (idle_) return;
  idle_ = true;
  changed_.SignalAll();
}

bool PostgresCompactor::IsDue(absl::Time now) const {
  if (epoch_ == 0) return false;
  if (hides_ && now >= remove_at_) return true;
  const uint64_t percent = settings_.options.percent / (idle_ ? 4 : 1);
  return growth_bytes_ >= settings_.options.min_bytes && growth_bytes_ >= snapshot_bytes_ / 100 * percent;
}

void PostgresCompactor::Run() {
  while (true) {
    uint64_t epoch = 0;
    {
      MutexLock lock(&mutex_);
      while (!stopping_) {
        const absl::Time now = absl::Now();
        if (!attempts_.MayTry(growth_bytes_, now)) {
          changed_.WaitWithTimeout(&mutex_, attempts_.not_before() - now);
        } else if (IsDue(now)) {
          break;
        } else if (hides_ && epoch_ != 0) {
          changed_.WaitWithTimeout(&mutex_, remove_at_ - now);
        } else {
          changed_.Wait(&mutex_);
        }
      }
      if (stopping_) return;
      epoch = epoch_;
    }
    Compact(epoch);
  }
}

void PostgresCompactor::Compact(uint64_t epoch) {
  const absl::Time begin = absl::Now();
  uint64_t growth_bytes = 0;
  bool hides = false;
  {
    MutexLock lock(&mutex_);
    growth_bytes = growth_bytes_;
    hides = std::exchange(hides_, false);
  }
  PostgresCompactionReport report;
  const absl::Status status = MakeSnapshot(epoch, &report);
  bool is_news = false;
  {
    MutexLock lock(&mutex_);
    const absl::Time now = absl::Now();
    remove_at_ = now + std::max(settings_.removal_interval, kRemovalShare * (now - begin));
    if (status.ok()) {
      attempts_.Succeeded();
      snapshot_bytes_ = report.snapshot.bytes;
      growth_bytes_ -= growth_bytes;
    } else {
      is_news = attempts_.Failed(status, growth_bytes_, now);
      hides_ = hides_ || hides;
    }
  }
  if (!status.ok() && !stopping_) settings_.failed(status, is_news);
}

absl::Status PostgresCompactor::MakeSnapshot(uint64_t epoch, PostgresCompactionReport* report) {
  const absl::Time begin = absl::Now();
  auto opened = Connection::Open(settings_.connection_string);
  if (!opened.ok()) return opened.status();
  const std::shared_ptr<Connection> connection = *std::move(opened);
  if (const auto set_up = connection->Exec(kSetUpCompaction); !set_up.ok()) return set_up.status();
  if (absl::Status status = WriteSnapshot(connection, report); !status.ok()) return status;
  if (absl::Status status = Publish(*connection, epoch, report); !status.ok()) return status;
  {
    MutexLock lock(&mutex_);
    report->failed_attempts = attempts_.failures();
  }
  report->duration = absl::Now() - begin;
  settings_.compacted(*report);
  const auto parts = connection->Exec(kRemoveParts, {BinaryBigint(last_id_)});
  if (!parts.ok()) return parts.status();
  if (absl::Status status = RemoveRequests(*connection, report->oldest_request); !status.ok()) return status;
  if (settings_.options.retention == Retention::kFull) return absl::OkStatus();
  const auto cancelled = [this] { return stopping_.load(); };
  return RemoveHiddenHistory(*connection, report->compacted_revision, cancelled).status();
}

// The snapshot has those that may still be asked for, so that no replay needs the older ones.
absl::Status PostgresCompactor::RemoveRequests(Connection& connection, uint64_t before) {
  uint64_t removed = kRequestBatchRows;
  while (removed == kRequestBatchRows && !stopping_) {
    const auto done = connection.Exec(kRemoveRequests, {BinaryBigint(before)});
    if (!done.ok()) return done.status();
    removed = done->affected_rows();
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> PostgresCompactor::NewId(Connection& connection) {
  const auto id = NewSnapshotId(connection);
  if (id.ok()) last_id_ = *id;
  return id;
}

absl::StatusOr<std::unique_ptr<SnapshotCursor>> PostgresCompactor::WriteRun(
    const std::shared_ptr<Connection>& connection, SnapshotCursor& run) {
  const auto id = NewId(*connection);
  if (!id.ok()) return id.status();
  SnapshotPartWriter writer(connection.get(), *id);
  const auto add = [&](const SnapshotChunk& chunk) { return writer.Add(chunk); };
  if (absl::Status status = ForEachChunk(run, add); !status.ok()) return status;
  const auto written = writer.Finish();
  if (!written.ok()) return written.status();
  return MakePartCursor(connection, written->id, written->parts);
}

absl::Status PostgresCompactor::WriteSnapshot(const std::shared_ptr<Connection>& connection,
                                              PostgresCompactionReport* report) {
  uint64_t end = 0;
  auto state = settings_.read_state(&end);
  if (!state.ok()) return state.status();
  const int64_t snapshot_time = state->snapshot_time_micros;
  const auto id = NewId(*connection);
  if (!id.ok()) return id.status();
  SnapshotPartWriter writer(connection.get(), *id);
  const auto spill = [&](SnapshotCursor& run) { return WriteRun(connection, run); };
  const auto cancelled = [this] { return stopping_.load(); };
  const auto folded =
      FoldLog(std::move(state->snapshot), *state->tail, {settings_.options.table_bytes, spill, cancelled},
              [&](const SnapshotEntry& entry) { return writer.Add(entry); });
  if (!folded.ok()) return folded.status();
  const auto written = writer.Finish();
  if (!written.ok()) return written.status();
  report->snapshot = *written;
  report->snapshot.revision = end;
  report->snapshot.time_micros = folded->transactions > 0 ? folded->time_micros : snapshot_time;
  report->folded_transactions = folded->transactions;
  report->oldest_request = folded->oldest_request;
  return absl::OkStatus();
}

absl::Status PostgresCompactor::Publish(Connection& connection, uint64_t epoch, PostgresCompactionReport* report) {
  const PostgresSnapshot& snapshot = report->snapshot;
  if (const auto begun = connection.Exec(kBegin); !begun.ok()) return begun.status();
  const uint64_t removable = settings_.options.retention == Retention::kFull ? 0 : snapshot.revision;
  const auto moved = connection.Exec(kMoveCompactedRevision,
                                     {BinaryBigint(epoch), BinaryBigint(removable), BinaryBigint(snapshot.revision)});
  if (!moved.ok()) return moved.status();
  if (moved->size() != 1 || !absl::SimpleAtoi(TextOf((*moved)[0][0]), &report->compacted_revision)) {
    return Error(errors::kFenced, absl::StrCat("epoch ", epoch, " has ended, or the database was put back to before ",
                                               "revision ", snapshot.revision));
  }
  if (absl::Status status = InsertSnapshot(connection, snapshot); !status.ok()) return status;
  const auto removed = connection.Exec(kRemoveOlder, {BinaryBigint(snapshot.revision)});
  if (!removed.ok()) return removed.status();
  return connection.Commit();
}

}  // namespace kvs::txn
