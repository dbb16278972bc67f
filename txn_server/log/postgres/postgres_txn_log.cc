#include "txn_server/log/postgres/postgres_txn_log.h"

#include <absl/base/thread_annotations.h>
#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/sync.h"
#include "txn_server/log/frame.h"
#include "txn_server/log/postgres/binary_parameters.h"
#include "txn_server/log/postgres/connection_string.h"
#include "txn_server/log/postgres/group_writer.h"
#include "txn_server/log/postgres/key_ids.h"
#include "txn_server/log/postgres/ledger_row.h"
#include "txn_server/log/postgres/postgres_view.h"
#include "txn_server/log/postgres/size_meter.h"

namespace kvs::txn {
namespace {

// A window of a replay ends when it has as much as this; it has at most one group more.
constexpr size_t kWindowBytes = 4 * kMiB;

constexpr absl::Duration kFirstBackOff = absl::Milliseconds(20);
constexpr absl::Duration kLongestBackOff = absl::Seconds(1);

constexpr char kLockRow[] =
    "BEGIN; SELECT log_id, epoch, encode(writer_id, 'hex'), durable_revision FROM ledger FOR UPDATE";
constexpr char kAskPast[] =
    "SELECT compacted_revision, (SELECT count(*) FROM replay_windows WHERE last_id >"
    " coalesce((SELECT max(revision) FROM snapshots), 0)), EXISTS (SELECT FROM hidden_history) FROM ledger";
constexpr char kTouchRow[] = "UPDATE ledger SET confirmations = confirmations + 1";

// Of two at the same time one finds the row as it wants it.
constexpr char kBeginImport[] =
    "UPDATE ledger SET importing = true WHERE NOT importing AND epoch = 0 AND durable_revision = 0";
constexpr char kEndImport[] = "UPDATE ledger SET importing = false";

const std::string& kSeedRow = *new std::string(
    "UPDATE ledger SET epoch = $1::bigint, writer_id = $2::bytea, durable_revision = $3::bigint,"
    " compacted_revision = $3");
const std::string& kBeginEpoch = *new std::string(
    "UPDATE ledger SET epoch = epoch + 1, writer_id = $1::bytea"
    " RETURNING log_id, epoch, encode(writer_id, 'hex'), durable_revision");
const std::string& kMoveDurableRevision = *new std::string(
    "UPDATE ledger SET durable_revision = $1::bigint"
    " WHERE log_id = $2::uuid AND epoch = $3::bigint AND durable_revision = $4::bigint");
const std::string& kEndWindow =
    *new std::string("INSERT INTO replay_windows (last_id) VALUES ($1::bigint) ON CONFLICT DO NOTHING");

// What there is besides the transactions.
struct Past {
  std::optional<PostgresSnapshot> snapshot;
  uint64_t compacted_revision = 0;
  uint64_t windows = 0;  // that ended since the snapshot
  bool hides = false;
};

absl::StatusOr<Past> ReadPast(Connection& connection) {
  Past past;
  auto snapshot = NewestSnapshot(connection);
  if (!snapshot.ok()) return snapshot.status();
  past.snapshot = *std::move(snapshot);
  const auto rows = connection.Exec(kAskPast);
  if (!rows.ok()) return rows.status();
  if (rows->size() != 1 || !absl::SimpleAtoi(TextOf((*rows)[0][0]), &past.compacted_revision) ||
      !absl::SimpleAtoi(TextOf((*rows)[0][1]), &past.windows)) {
    return Error(errors::kDamagedLog, "PostgreSQL: the row of the table ledger has no numbers");
  }
  past.hides = TextOf((*rows)[0][2]) == "t";
  return past;
}

bool AreSame(const LogPosition& a, const LogPosition& b) {
  return a.log_id == b.log_id && a.epoch == b.epoch && a.writer_id == b.writer_id &&
         a.durable_revision == b.durable_revision;
}

absl::Status Compacted(uint64_t from_revision, uint64_t compacted_revision) {
  return Error(errors::kCompacted,
               absl::StrCat("revision ", from_revision, " may be missing: what deletes have hidden up to revision ",
                            compacted_revision, " was removed"),
               {{"compacted_revision", absl::StrCat(compacted_revision)}});
}

// Makes sure of what is durable. Waits until whoever holds the row has ended; since WAL keeps its order, all that is
// seen is durable when the change of the row is.
absl::StatusOr<LogPosition> Confirm(Connection& connection) {
  const auto rows = connection.Exec(kLockRow);
  if (!rows.ok()) return rows.status();
  auto position = ReadPosition(*rows);
  if (!position.ok()) return position;
  if (const auto touched = connection.Exec(kTouchRow); !touched.ok()) return touched.status();
  if (absl::Status status = connection.Commit(); !status.ok()) return status;
  return position;
}

// Why a group of `epoch` does not follow what was `seen` in the database, where `before` was durable.
absl::Status Difference(const LogPosition& before, const LogPosition& seen, uint64_t epoch) {
  if (seen.log_id != before.log_id) {
    return Error(errors::kLedgerLostData,
                 absl::StrCat("the database holds another ledger now, of log id ", absl::BytesToHexString(seen.log_id),
                              ", not ", absl::BytesToHexString(before.log_id)));
  }
  if (seen.epoch < epoch) {
    return Error(errors::kLedgerLostData, absl::StrCat("the database was at epoch ", epoch, " and is at epoch ",
                                                       seen.epoch, " now: it was put back to an older copy"));
  }
  if (seen.epoch > epoch || seen.writer_id != before.writer_id) {
    return Error(errors::kFenced, absl::StrCat("another txn_server has begun epoch ", seen.epoch, " in the database"),
                 {{"epoch", absl::StrCat(seen.epoch)}});
  }
  if (seen.durable_revision < before.durable_revision) {
    return Error(errors::kLedgerLostData,
                 absl::StrCat("the database acknowledged revision ", before.durable_revision, " and ends at ",
                              seen.durable_revision, " now: it was put back to an older copy"));
  }
  return Error(errors::kGap, absl::StrCat("the database is at revision ", seen.durable_revision, " and not at ",
                                          before.durable_revision, ": it is not the one that was written to"));
}

size_t SizeOf(const std::vector<Frame>& frames) {
  size_t bytes = 0;
  for (const Frame& frame : frames) bytes += frame.transactions.size();
  return bytes;
}

bool IsEmpty(const LogPosition& position) { return position.epoch == 0 && position.durable_revision == 0; }

class PostgresTxnLog : public TxnLog {
 public:
  PostgresTxnLog(PostgresTxnLogOptions options, std::string connection_string, std::unique_ptr<Connection> connection,
                 const LogPosition& position, const Past& past)
      : options_(std::move(options)),
        connection_string_(std::move(connection_string)),
        key_ids_(options_.key_cache_bytes),
        connection_(std::move(connection)),
        position_(position),
        compacted_revision_(past.compacted_revision),
        snapshot_revision_(past.snapshot ? past.snapshot->revision : 0),
        size_meter_(connection_string_),
        compactor_(CompactorSettings(), past.snapshot ? past.snapshot->bytes : 0, past.windows * kWindowBytes,
                   past.hides) {}

  absl::string_view backend() const override { return "postgres"; }

  LogPosition position() const override {
    MutexLock lock(&mutex_);
    LogPosition position = position_;
    position.compacted_revision = compacted_revision_;
    position.snapshot_revision = snapshot_revision_;
    return position;
  }

  uint64_t size_bytes() const override { return size_meter_.size_bytes(); }
  absl::StatusOr<uint64_t> BeginEpoch(absl::string_view writer_id) override;
  absl::Status Append(uint64_t epoch, absl::Span<const Frame> frames) override;
  std::unique_ptr<LogGroup> NewGroup() override { return std::make_unique<Group>(this); }
  absl::Status CheckReachable() override;
  absl::Status Idle() override {
    compactor_.Idle();
    return failure();
  }
  absl::StatusOr<std::unique_ptr<LogCursor>> Replay(uint64_t from_revision) override;
  absl::StatusOr<StateReplay> ReplayState() override;
  absl::StatusOr<StateReplay> ReplayHistory() override;
  absl::Status Import(const LogSeed& seed, std::unique_ptr<SnapshotCursor> snapshot) override;
  absl::Status Close() override;

 private:
  // Frames as rows, without the ids of the keys that are new.
  class Group final : public LogGroup {
   public:
    explicit Group(PostgresTxnLog* log)
        : log_(*log), writer_(&log->key_ids_, log->options_.compaction.retention == Retention::kOnDelete) {}

    void Add(const Frame& frame) override;
    absl::Status Append(uint64_t epoch) override { return log_.AppendGroup(epoch, *this); }

   private:
    friend class PostgresTxnLog;

    PostgresTxnLog& log_;
    std::vector<Frame> frames_;
    GroupWriter writer_;
    absl::Status status_;  // why the frames cannot be kept
  };

  // A database transaction without its end: makes its changes and returns where they lead.
  using Work = std::function<absl::StatusOr<LogPosition>(Connection&)>;

  // Where the row may be for the work to be tried again.
  enum class From { kPosition, kAnywhere };

  // Makes the changes of `work` durable, whatever becomes of the connection. After an error other than kLogFailed they
  // are not and never will be.
  absl::Status MakeDurable(From from, const Work& work);
  // One attempt. Sets `expected` before it asks for the COMMIT whose outcome may remain unknown.
  absl::Status Attempt(From from, const Work& work, std::optional<LogPosition>* expected);
  // Finds out whether the COMMIT to `expected` happened. True if so.
  absl::StatusOr<bool> Resolve(From from, const LogPosition& expected);
  absl::Status Connect();

  absl::Status AppendGroup(uint64_t epoch, Group& group);
  absl::StatusOr<LogPosition> WriteGroup(Connection& connection, uint64_t epoch, const Frame& sum, bool ends_window,
                                         GroupWriter& writer);
  PostgresCompactor::Settings CompactorSettings();
  // Reads up to `end`, which is set to what is durable now.
  absl::StatusOr<StateReplay> ReadState(PostgresView::Beginning beginning, uint64_t* end);
  // Writes a snapshot of another log as rows for people, and as one of this log. Sets all but revision and time.
  absl::StatusOr<PostgresSnapshot> ImportSnapshot(SnapshotCursor& snapshot);
  absl::Status ImportChunk(const SnapshotChunk& chunk, uint64_t* transactions);

  // Why the row was not where the group begins; takes over where it is.
  absl::Status Explain(Connection& connection, uint64_t epoch);

  absl::Status failure() const {
    MutexLock lock(&mutex_);
    return failure_;
  }
  absl::Status Fail(const absl::Status& status);
  void SetPosition(const LogPosition& position) {
    MutexLock lock(&mutex_);
    position_ = position;
  }
  void SetPast(const Past& past) {
    MutexLock lock(&mutex_);
    compacted_revision_ = past.compacted_revision;
    snapshot_revision_ = past.snapshot ? past.snapshot->revision : 0;
  }

  const PostgresTxnLogOptions options_;
  const std::string connection_string_;

  KeyIds key_ids_;

  // Used by the appending thread alone.
  std::unique_ptr<Connection> connection_;  // null after an error
  bool connection_is_lost_ = false;         // and that was told
  size_t window_bytes_ = 0;                 // appended since the last window ended

  mutable Mutex mutex_;
  LogPosition position_ ABSL_GUARDED_BY(mutex_);  // without what is compacted
  uint64_t compacted_revision_ ABSL_GUARDED_BY(mutex_);
  uint64_t snapshot_revision_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);

  mutable SizeMeter size_meter_;

  PostgresCompactor compactor_;
};

PostgresCompactor::Settings PostgresTxnLog::CompactorSettings() {
  PostgresCompactor::Settings settings;
  settings.connection_string = connection_string_;
  settings.options = options_.compaction;
  settings.removal_interval = options_.removal_interval;
  settings.failed = options_.compaction_failed;
  settings.read_state = [this](uint64_t* end) { return ReadState(PostgresView::Beginning::kNewestSnapshot, end); };
  settings.compacted = [this](const PostgresCompactionReport& report) {
    {
      MutexLock lock(&mutex_);
      // Otherwise the database was put back to an older copy, which has no such snapshot.
      if (report.snapshot.revision <= position_.durable_revision) {
        compacted_revision_ = report.compacted_revision;
        snapshot_revision_ = report.snapshot.revision;
      }
    }
    options_.compacted(report);
  };
  return settings;
}

absl::Status PostgresTxnLog::Fail(const absl::Status& status) {
  absl::Status failed = Error(errors::kLogFailed, status.message());
  MutexLock lock(&mutex_);
  if (failure_.ok()) failure_ = failed;
  return failure_;
}

absl::Status PostgresTxnLog::Connect() {
  if (connection_) return absl::OkStatus();
  auto connection = Connection::Open(connection_string_);
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  if (std::exchange(connection_is_lost_, false)) options_.notice("connected to PostgreSQL again");
  return absl::OkStatus();
}

absl::StatusOr<bool> PostgresTxnLog::Resolve(From from, const LogPosition& expected) {
  const auto seen = Confirm(*connection_);
  if (!seen.ok()) return seen.status();
  if (AreSame(*seen, expected)) return true;
  if (from == From::kAnywhere || AreSame(*seen, position())) return false;
  return Error(errors::kLogFailed,
               "while it was not known whether a COMMIT had happened, another txn_server wrote to the database, or an "
               "older copy of it took its place");
}

absl::Status PostgresTxnLog::Attempt(From from, const Work& work, std::optional<LogPosition>* expected) {
  if (absl::Status status = Connect(); !status.ok()) return status;
  if (*expected) {
    const auto happened = Resolve(from, **expected);
    if (!happened.ok()) return happened.status();
    if (*happened) {
      SetPosition(**expected);
      return absl::OkStatus();
    }
    expected->reset();
  }
  if (const auto begun = connection_->Exec("BEGIN"); !begun.ok()) return begun.status();
  auto reached = work(*connection_);
  if (!reached.ok()) return reached.status();
  *expected = *std::move(reached);
  if (absl::Status status = connection_->Commit(); !status.ok()) return status;
  SetPosition(**expected);
  return absl::OkStatus();
}

absl::Status PostgresTxnLog::MakeDurable(From from, const Work& work) {
  const absl::Time began = absl::Now();
  absl::Duration back_off = kFirstBackOff;
  std::optional<LogPosition> expected;  // set while the outcome of a COMMIT is not known
  while (true) {
    const absl::Status status = Attempt(from, work, &expected);
    if (status.ok()) return status;
    connection_.reset();
    if (Is(status, errors::kLogFailed)) return Fail(status);
    const bool try_again = expected || Is(status, errors::kDatabaseUnavailable);
    if (!try_again) return status;
    if (!std::exchange(connection_is_lost_, true)) {
      options_.notice(absl::StrCat("lost the connection to PostgreSQL and tries to get it back: ", status.message()));
    }
    const absl::Time give_up = began + (expected ? options_.resolve_timeout : options_.reconnect_timeout);
    if (absl::Now() + back_off > give_up) {
      if (!expected) return status;
      return Fail(
          absl::InternalError(absl::StrCat("it is not known whether a COMMIT happened, and PostgreSQL did not "
                                           "come back: ",
                                           status.message())));
    }
    absl::SleepFor(back_off);
    back_off = std::min(back_off * 2, kLongestBackOff);
  }
}

absl::Status PostgresTxnLog::CheckReachable() {
  if (absl::Status status = failure(); !status.ok()) return status;
  return Connect();
}

absl::StatusOr<uint64_t> PostgresTxnLog::BeginEpoch(absl::string_view writer_id) {
  if (absl::Status status = failure(); !status.ok()) return status;
  if (absl::Status status = CheckWriterId(writer_id); !status.ok()) return status;
  // The next epoch begins wherever the database is: another txn_server may have written meanwhile, or an older copy may
  // have taken its place.
  Past past;
  const absl::Status status = MakeDurable(From::kAnywhere, [&](Connection& connection) -> absl::StatusOr<LogPosition> {
    const auto rows = connection.Exec(kBeginEpoch, {std::string(writer_id)});
    if (!rows.ok()) return rows.status();
    auto reached = ReadPosition(*rows);
    if (!reached.ok()) return reached;
    const auto ended = connection.Exec(kEndWindow, {BinaryBigint(reached->durable_revision)});
    if (!ended.ok()) return ended.status();
    auto read = ReadPast(connection);
    if (!read.ok()) return read.status();
    past = *std::move(read);
    return reached;
  });
  if (!status.ok()) return status;
  SetPast(past);
  key_ids_.Clear();
  window_bytes_ = 0;
  const uint64_t epoch = position().epoch;
  compactor_.BeginEpoch(epoch);
  return epoch;
}

absl::Status PostgresTxnLog::Explain(Connection& connection, uint64_t epoch) {
  const auto seen = Confirm(connection);
  if (!seen.ok()) return seen.status();
  const auto past = ReadPast(connection);
  if (!past.ok()) return past.status();
  const LogPosition before = position();
  SetPosition(*seen);
  SetPast(*past);
  return Difference(before, *seen, epoch);
}

absl::StatusOr<LogPosition> PostgresTxnLog::WriteGroup(Connection& connection, uint64_t epoch, const Frame& sum,
                                                       bool ends_window, GroupWriter& writer) {
  LogPosition reached = position();
  const auto moved = connection.Exec(
      kMoveDurableRevision,
      {BinaryBigint(sum.last_revision()), reached.log_id, BinaryBigint(epoch), BinaryBigint(reached.durable_revision)});
  if (!moved.ok()) return moved.status();
  if (moved->affected_rows() != 1) {
    if (const auto ended = connection.Exec("ROLLBACK"); !ended.ok()) return ended.status();
    return Explain(connection, epoch);
  }
  if (ends_window) {
    const auto ended = connection.Exec(kEndWindow, {BinaryBigint(reached.durable_revision)});
    if (!ended.ok()) return ended.status();
  }
  if (absl::Status status = writer.Write(connection); !status.ok()) return status;
  reached.durable_revision = sum.last_revision();
  return reached;
}

void PostgresTxnLog::Group::Add(const Frame& frame) {
  frames_.push_back(frame);
  if (status_.ok()) status_ = writer_.AddAll(frame.transactions).status();
}

absl::Status PostgresTxnLog::Append(uint64_t epoch, absl::Span<const Frame> frames) {
  Group group(this);
  for (const Frame& frame : frames) group.Add(frame);
  return group.Append(epoch);
}

absl::Status PostgresTxnLog::AppendGroup(uint64_t epoch, Group& group) {
  if (absl::Status status = failure(); !status.ok()) return status;
  const LogPosition before = position();
  if (epoch == 0 || epoch != before.epoch) {
    return Error(errors::kFenced, absl::StrCat("epoch ", epoch, " is not the current one, ", before.epoch),
                 {{"epoch", absl::StrCat(before.epoch)}});
  }
  if (group.frames_.empty()) return absl::OkStatus();
  const auto sum = SumUp(group.frames_, before.durable_revision);
  if (!sum.ok()) return sum.status();
  if (!group.status_.ok()) return group.status_;
  const size_t bytes = SizeOf(group.frames_);
  const bool ends_window = window_bytes_ > 0 && window_bytes_ + bytes > kWindowBytes;
  const absl::Status status = MakeDurable(From::kPosition, [&](Connection& connection) {
    return WriteGroup(connection, epoch, *sum, ends_window, group.writer_);
  });
  if (!status.ok()) return status;
  group.writer_.RememberKeys();
  window_bytes_ = (ends_window ? 0 : window_bytes_) + bytes;
  compactor_.Appended(epoch, bytes, group.writer_.has_hidden());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LogCursor>> PostgresTxnLog::Replay(uint64_t from_revision) {
  if (absl::Status status = failure(); !status.ok()) return status;
  const uint64_t last = position().durable_revision;
  if (from_revision == 0 || from_revision > last + 1) {
    return absl::OutOfRangeError(absl::StrCat("there is no revision ", from_revision, ", the newest one is ", last));
  }
  auto view = PostgresView::Open(connection_string_, Access::kWrite);
  if (!view.ok()) return view.status();
  const uint64_t compacted_revision = view->position().compacted_revision;
  if (from_revision <= compacted_revision) return Compacted(from_revision, compacted_revision);
  return (*std::move(view)).Transactions(from_revision, last);
}

absl::StatusOr<StateReplay> PostgresTxnLog::ReplayState() {
  uint64_t end = 0;
  return ReadState(PostgresView::Beginning::kNewestSnapshot, &end);
}

absl::StatusOr<StateReplay> PostgresTxnLog::ReplayHistory() {
  uint64_t end = 0;
  return ReadState(PostgresView::Beginning::kOldestHistory, &end);
}

absl::StatusOr<StateReplay> PostgresTxnLog::ReadState(PostgresView::Beginning beginning, uint64_t* end) {
  if (absl::Status status = failure(); !status.ok()) return status;
  *end = position().durable_revision;
  auto view = PostgresView::Open(connection_string_, Access::kWrite);
  if (!view.ok()) return view.status();
  return (*std::move(view)).State(beginning, *end);
}

absl::Status PostgresTxnLog::Import(const LogSeed& seed, std::unique_ptr<SnapshotCursor> snapshot) {
  if (!IsEmpty(position())) {
    return absl::FailedPreconditionError("the database holds a ledger already; name an empty one");
  }
  if (absl::Status status = Connect(); !status.ok()) return status;
  if (snapshot) {
    auto imported = ImportSnapshot(*snapshot);
    if (!imported.ok()) return imported.status();
    imported->revision = seed.revision;
    imported->time_micros = seed.time_micros;
    if (absl::Status status = InsertSnapshot(*connection_, *imported); !status.ok()) return status;
  }
  const auto moved =
      connection_->Exec(kSeedRow, {BinaryBigint(seed.epoch), seed.writer_id, BinaryBigint(seed.revision)});
  if (!moved.ok()) return moved.status();
  const auto seeded = Confirm(*connection_);
  if (!seeded.ok()) return seeded.status();
  SetPosition(*seeded);
  {
    MutexLock lock(&mutex_);
    compacted_revision_ = seed.revision;
    snapshot_revision_ = seed.revision;
  }
  compactor_.BeginEpoch(seed.epoch);
  return absl::OkStatus();
}

absl::StatusOr<PostgresSnapshot> PostgresTxnLog::ImportSnapshot(SnapshotCursor& snapshot) {
  const auto id = NewSnapshotId(*connection_);
  if (!id.ok()) return id.status();
  SnapshotPartWriter parts(connection_.get(), *id);
  uint64_t transactions = 0;
  const absl::Status imported = ForEachChunk(snapshot, [&](const SnapshotChunk& chunk) {
    const absl::Status added = parts.Add(chunk);
    return added.ok() ? ImportChunk(chunk, &transactions) : added;
  });
  if (!imported.ok()) return imported;
  auto written = parts.Finish();
  if (written.ok()) written->transactions = transactions;
  return written;
}

absl::Status PostgresTxnLog::ImportChunk(const SnapshotChunk& chunk, uint64_t* transactions) {
  GroupWriter writer(&key_ids_, /*hides=*/false);
  const auto added = writer.AddAll(chunk.transactions);
  if (!added.ok()) return added.status();
  *transactions += *added;
  if (const auto begun = connection_->Exec("BEGIN"); !begun.ok()) return begun.status();
  if (absl::Status status = writer.Write(*connection_); !status.ok()) return status;
  if (absl::Status status = connection_->Commit(); !status.ok()) return status;
  writer.RememberKeys();
  return absl::OkStatus();
}

absl::Status PostgresTxnLog::Close() {
  connection_.reset();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Connection>> OpenAndMigrate(const std::string& connection_string, MigrateMode mode) {
  auto connection = Connection::Open(connection_string);
  if (!connection.ok()) return connection;
  if (absl::Status status = Migrate(**connection, mode); !status.ok()) return status;
  return connection;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TxnLog>> OpenPostgresTxnLog(PostgresTxnLogOptions options) {
  const auto connection_string = ConnectionString(options.url);
  if (!connection_string.ok()) return connection_string.status();
  auto connection = OpenAndMigrate(*connection_string, options.migrate);
  if (!connection.ok()) return connection.status();
  if (absl::Status status = CheckNotImporting(**connection); !status.ok()) return status;
  const auto position = Confirm(**connection);
  if (!position.ok()) return position.status();
  if (absl::Status status = CheckNothingIsAbove(**connection); !status.ok()) return status;
  if (options.is_import_target && IsEmpty(*position)) {
    const auto begun = (*connection)->Exec(kBeginImport);
    if (!begun.ok()) return begun.status();
    if (begun->affected_rows() != 1) {
      return Error(errors::kUnusableDatabase,
                   "something else has begun to fill this database at the same time; copy into another one");
    }
  }
  const auto past = ReadPast(**connection);
  if (!past.ok()) return past.status();
  return std::make_unique<PostgresTxnLog>(std::move(options), *connection_string, *std::move(connection), *position,
                                          *past);
}

absl::Status FinishPostgresImport(const std::string& url) {
  const auto connection_string = ConnectionString(url);
  if (!connection_string.ok()) return connection_string.status();
  auto connection = Connection::Open(*connection_string);
  if (!connection.ok()) return connection.status();
  return (*connection)->Exec(kEndImport).status();
}

absl::Status MigratePostgres(const std::string& url) {
  const auto connection_string = ConnectionString(url);
  if (!connection_string.ok()) return connection_string.status();
  return OpenAndMigrate(*connection_string, MigrateMode::kAuto).status();
}

}  // namespace kvs::txn
