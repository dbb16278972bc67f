// Snapshots in PostgreSQL, and the removal of what deletes have hidden.
#include "txn_server/log/postgres/postgres_compactor.h"

#include <absl/strings/str_cat.h>

#include <memory>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/sync.h"
#include "tests/support/catch.h"
#include "tests/support/log_state.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/random_history.h"
#include "tests/support/read_all.h"
#include "tests/support/test_size.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs::txn {
namespace {

constexpr uint64_t kNever = 1ull << 40;

// A ledger in a database of its own, and what its compactor tells.
class CompactingLedger {
 public:
  explicit CompactingLedger(CompactionOptions compaction, absl::Duration removal_interval = absl::Hours(1)) {
    options_.url = cluster_.Url(database_);
    options_.compaction = compaction;
    options_.removal_interval = removal_interval;
    options_.notice = [this](const std::string& notice) {
      MutexLock lock(&mutex_);
      notices_.push_back(notice);
      changed_.SignalAll();
    };
    options_.compaction_failed = [this](const absl::Status& status, bool is_news) {
      MutexLock lock(&mutex_);
      failures_.emplace_back(status.message());
      news_ += is_news ? 1 : 0;
      changed_.SignalAll();
    };
    options_.compacted = [this](const PostgresCompactionReport& report) {
      MutexLock lock(&mutex_);
      reports_.push_back(report);
      changed_.SignalAll();
    };
    Open();
  }

  const PostgresTxnLogOptions& options() const { return options_; }
  TxnLog& log() { return *log_; }

  void Open() {
    OpenForSameWriter();
    REQUIRE(log_->BeginEpoch("a writer").ok());
  }

  // As a txn_server does whose writer goes on with the epoch that it has.
  void OpenForSameWriter() {
    log_.reset();
    auto log = OpenPostgresTxnLog(options_);
    REQUIRE(log.status() == absl::OkStatus());
    log_ = *std::move(log);
  }

  void Append(const SampleFrame& frame) {
    REQUIRE(log_->Append(log_->position().epoch, {frame.frame()}) == absl::OkStatus());
  }

  // The first report on a snapshot at `revision` or later.
  PostgresCompactionReport AwaitSnapshot(uint64_t revision, bool may_fail = false) {
    MutexLock lock(&mutex_);
    while (reports_.empty() || reports_.back().snapshot.revision < revision) {
      changed_.Wait(&mutex_);
      if (!notices_.empty()) throw std::runtime_error(notices_.back());
      if (!may_fail && !failures_.empty()) throw std::runtime_error(failures_.back());
    }
    return reports_.back();
  }
  // Waits until so many attempts failed, and returns why the last one did.
  std::string AwaitFailure(size_t count = 1) {
    MutexLock lock(&mutex_);
    while (failures_.size() < count) changed_.Wait(&mutex_);
    return failures_.back();
  }
  // How many of those were news.
  size_t news() {
    MutexLock lock(&mutex_);
    return news_;
  }

  std::string Query(const std::string& sql) const { return cluster_.Query(database_, sql); }
  void WaitFor(const std::string& sql, const std::string& wanted) const { cluster_.WaitFor(database_, sql, wanted); }

 private:
  PostgresCluster& cluster_ = PostgresCluster::Shared();
  const std::string database_ = cluster_.NewDatabase();
  PostgresTxnLogOptions options_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> notices_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> failures_ ABSL_GUARDED_BY(mutex_);
  size_t news_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<PostgresCompactionReport> reports_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<TxnLog> log_;
};

CompactionOptions Options(Retention retention, uint64_t min_bytes) {
  CompactionOptions options;
  options.retention = retention;
  options.min_bytes = min_bytes;
  options.percent = 10;
  return options;
}

std::string StateOfLog(TxnLog& log) {
  const auto state = ReadState(log);
  REQUIRE(state.status() == absl::OkStatus());
  return state->Snapshot();
}

// Transactions with the revisions that belong to them.
class Writer {
 public:
  SampleFrame Frame(ValueType type, absl::string_view key, std::vector<Operation> operations) {
    SampleFrame frame{revision_ + 1, 0, ""};
    for (Operation& each : operations) {
      Transaction transaction;
      transaction.revision = ++revision_;
      transaction.type = type;
      transaction.key = key;
      transaction.previous_revision = previous_;
      transaction.time_micros = 1'700'000'000'000'000 + static_cast<int64_t>(revision_);
      previous_ = std::holds_alternative<operation::Delete>(each) ? 0 : revision_;
      transaction.operation = std::move(each);
      EncodedTransaction encoded(transaction);
      encoded.Stamp(transaction.revision, transaction.time_micros);
      frame.bytes += encoded.bytes();
      ++frame.count;
    }
    return frame;
  }
  uint64_t revision() const { return revision_; }

 private:
  uint64_t revision_ = 0;
  uint64_t previous_ = 0;
};

TEST_CASE("postgres: random histories are the same from rows and from snapshots with what follows") {
  const uint64_t seed = TestSeed();
  CAPTURE(seed);
  RandomHistory history(seed);
  CompactionOptions options = Options(GENERATE(Retention::kOnDelete, Retention::kFull), 4 * kKiB);
  options.table_bytes = 4 * kKiB;  // so that runs are spilled
  CompactingLedger ledger(options, absl::Milliseconds(1));
  for (int round = 0; round < 30; ++round) {
    ledger.Append(history.NextFrame(static_cast<uint32_t>(1 + history.Pick(200))));
    if (round % 10 == 9) {
      ledger.Open();
      CHECK(StateOfLog(ledger.log()) == history.state().Snapshot());
    }
  }
  ledger.AwaitSnapshot(1);
  CHECK(StateOfLog(ledger.log()) == history.state().Snapshot());
  ledger.Open();
  CHECK(ledger.log().position().snapshot_revision > 0);
  CHECK(StateOfLog(ledger.log()) == history.state().Snapshot());
}

TEST_CASE("postgres: a start reads what follows the snapshot, and nothing that is before it") {
  CompactingLedger ledger(Options(Retention::kFull, 1));
  Writer writer;
  ledger.Append(writer.Frame(ValueType::kInt, "k", std::vector<Operation>(100, operation::IntIncrement{1, 1})));
  const auto report = ledger.AwaitSnapshot(100);
  CHECK(report.snapshot.transactions == 1);
  CHECK(report.folded_transactions == 100);
  CHECK(report.compacted_revision == 0);
  const auto state = ledger.log().ReplayState();
  REQUIRE(state.ok());
  CHECK(state->snapshot_revision == 100);
  CHECK(state->snapshot_time_micros == 1'700'000'000'000'100);
  const auto tail = state->tail->Next();
  REQUIRE(tail.ok());
  CHECK_FALSE(*tail);
  // All of the history is still there.
  CHECK(ReadAll(ledger.log())->count == 100);
  CHECK(ledger.Query("SELECT count(*) FROM history") == "100");
}

TEST_CASE("postgres: only the newest snapshot is kept, and no part of another") {
  CompactionOptions options = Options(Retention::kOnDelete, 1);
  options.table_bytes = 1;  // each change is a run
  CompactingLedger ledger(options);
  RandomHistory history(1);
  for (int round = 0; round < 3; ++round) {
    ledger.Append(history.NextFrame(100));
    ledger.AwaitSnapshot(history.revision());
  }
  ledger.WaitFor("SELECT count(DISTINCT snapshot_id) FROM snapshot_parts", "1");
  CHECK(ledger.Query("SELECT count(*) FROM snapshots") == "1");
  CHECK(ledger.Query("SELECT count(*) = max(parts) FROM snapshots JOIN snapshot_parts ON snapshot_id = id") == "t");
}

TEST_CASE("postgres: a delete hides what was before it at once, and it is removed later") {
  CompactingLedger ledger(Options(Retention::kOnDelete, kNever));
  Writer writer;
  struct Sample {
    ValueType type;
    Operation put;
    std::string table;
    std::string elements;
  };
  const auto sample =
      GENERATE(Sample{ValueType::kInt, operation::Put{int64_t{7}}, "int", ""},
               Sample{ValueType::kUint, operation::Put{uint64_t{7}}, "uint", ""},
               Sample{ValueType::kFloat, operation::Put{0.5}, "float", ""},
               Sample{ValueType::kString, operation::Put{absl::string_view("text")}, "string", ""},
               Sample{ValueType::kSet, operation::Put{Texts{"a", "b"}}, "set", "set_members"},
               Sample{ValueType::kMap, operation::Put{Fields{{"f", "v"}}}, "map", "map_key_value_pairs"});
  CAPTURE(sample.table);
  const operation::Delete remove;
  ledger.Append(writer.Frame(sample.type, "k", {sample.put, sample.put, remove, sample.put, remove, sample.put}));
  const std::string rows = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM " + sample.table + "_transactions";
  CHECK(ledger.Query(rows) == "1 2 3 4 5 6");
  const std::string history =
      "SELECT string_agg(concat_ws(' ', revision, operation, old_value IS NULL), '; ' ORDER BY revision) FROM history";
  CHECK(ledger.Query(history) == "5 delete t; 6 put t");
  CHECK(ledger.Query("SELECT revision FROM current_values") == "6");
  CHECK(ledger.Query("SELECT sum(changes) FROM changes_by_actor") == "2");
  const std::string state = StateOfLog(ledger.log());

  // The next process does it, where nothing more is written.
  PostgresTxnLogOptions options = ledger.options();
  options.removal_interval = absl::Milliseconds(1);
  const auto next = OpenPostgresTxnLog(options);
  REQUIRE(next.ok());
  REQUIRE((*next)->BeginEpoch("the next writer").ok());
  ledger.WaitFor("SELECT count(*) FROM hidden_history", "0");
  CHECK(ledger.Query(rows) == "5 6");
  if (!sample.elements.empty()) {
    CHECK(ledger.Query("SELECT count(*) FROM " + sample.elements + " WHERE transaction_id <> 6") == "0");
  }
  CHECK(ledger.Query(history) == "5 delete t; 6 put t");
  CHECK(StateOfLog(**next) == state);
  CHECK((*next)->position().compacted_revision == 6);
  CHECK(Is((*next)->Replay(6).status(), errors::kCompacted));
  CHECK((*next)->Replay(7).ok());
}

TEST_CASE("postgres: who is reading goes on to see what is removed") {
  CompactingLedger ledger(Options(Retention::kOnDelete, kNever), absl::Milliseconds(1));
  Writer writer;
  const SampleFrame first =
      writer.Frame(ValueType::kInt, "k", std::vector<Operation>(3000, operation::IntIncrement{1, 1}));
  ledger.Append(first);
  const auto cursor = ledger.log().Replay(1);
  REQUIRE(cursor.ok());
  ledger.Append(writer.Frame(ValueType::kInt, "k", {operation::Delete{}}));
  ledger.AwaitSnapshot(3001);
  ledger.WaitFor("SELECT count(*) FROM hidden_history", "0");
  CHECK(ledger.Query("SELECT count(*) FROM int_transactions") == "1");
  std::string read;
  while (true) {
    const auto frame = (*cursor)->Next();
    REQUIRE(frame.status() == absl::OkStatus());
    if (!*frame) break;
    read.append((*frame)->transactions.data(), (*frame)->transactions.size());
  }
  const bool same = read == first.bytes;
  CHECK(same);
}

TEST_CASE("postgres: with retention full nothing is hidden or removed") {
  CompactingLedger ledger(Options(Retention::kFull, 1), absl::Milliseconds(1));
  Writer writer;
  ledger.Append(writer.Frame(ValueType::kInt, "k", {operation::Put{int64_t{1}}, operation::Delete{}}));
  const auto report = ledger.AwaitSnapshot(2);
  CHECK(report.snapshot.transactions == 0);
  CHECK(report.compacted_revision == 0);
  CHECK(ledger.Query("SELECT count(*) FROM history") == "2");
  CHECK(ledger.Query("SELECT count(*) FROM hidden_history") == "0");
  CHECK(ReadAll(ledger.log())->count == 2);
}

TEST_CASE("postgres: a writer whose epoch has ended makes no snapshot") {
  CompactingLedger ledger(Options(Retention::kOnDelete, 1));
  // Whoever takes over does so while this one is about to publish what it has read.
  ledger.Query(
      "CREATE FUNCTION take_over() RETURNS trigger LANGUAGE plpgsql AS $$"
      " BEGIN UPDATE ledger SET epoch = epoch + 1; RETURN NEW; END $$");
  ledger.Query("CREATE TRIGGER take_over BEFORE INSERT ON snapshot_parts EXECUTE FUNCTION take_over()");
  Writer writer;
  ledger.Append(writer.Frame(ValueType::kInt, "k", {operation::Put{int64_t{1}}}));
  CHECK_THAT(ledger.AwaitFailure(), ContainsText("epoch 1 has ended"));
  CHECK(ledger.Query("SELECT count(*) FROM snapshots") == "0");
  CHECK(ledger.log().position().snapshot_revision == 0);
}

TEST_CASE("postgres: a start whose writer goes on with its epoch makes snapshots") {
  CompactingLedger ledger(Options(Retention::kOnDelete, 1));
  Writer writer;
  ledger.Append(writer.Frame(ValueType::kInt, "k", {operation::Put{int64_t{1}}}));
  ledger.AwaitSnapshot(1);
  ledger.OpenForSameWriter();
  ledger.Append(writer.Frame(ValueType::kInt, "k", {operation::Put{int64_t{2}}}));
  ledger.WaitFor("SELECT max(revision) FROM snapshots", "2");
}

TEST_CASE("postgres: a database that is put back to an older copy gets no snapshot of what it has lost") {
  CompactingLedger ledger(Options(Retention::kOnDelete, 1));
  // That happens while what the snapshot is made of has been read.
  ledger.Query(
      "CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$"
      " BEGIN UPDATE ledger SET durable_revision = 1; RETURN NEW; END $$");
  ledger.Query("CREATE TRIGGER put_back BEFORE INSERT ON snapshot_parts EXECUTE FUNCTION put_back()");
  Writer writer;
  ledger.Append(writer.Frame(ValueType::kInt, "k", {operation::Put{int64_t{1}}, operation::Put{int64_t{2}}}));
  CHECK_THAT(ledger.AwaitFailure(), ContainsText("put back to before revision 2"));
  CHECK(ledger.Query("SELECT count(*) FROM snapshots") == "0");
  CHECK(ledger.log().position().snapshot_revision == 0);
}

TEST_CASE("postgres: a snapshot that fails is tried again, and the reason is news once") {
  CompactionOptions options = Options(Retention::kOnDelete, 1);
  options.shortest_retry = absl::Milliseconds(1);
  CompactingLedger ledger(options);
  ledger.Query(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;"
      "CREATE TRIGGER refuse BEFORE INSERT ON snapshots EXECUTE FUNCTION refuse()");
  Writer writer;
  ledger.Append(writer.Frame(ValueType::kInt, "k", {operation::Put{int64_t{1}}}));
  CHECK_THAT(ledger.AwaitFailure(4), ContainsText("not now"));
  CHECK(ledger.news() == 1);
  ledger.Query("DROP TRIGGER refuse ON snapshots");
  CHECK(ledger.AwaitSnapshot(1, /*may_fail=*/true).failed_attempts >= 4);
  CHECK(ledger.news() == 1);
}

TEST_CASE("postgres: of a database that was put back to an older copy nothing newer is told") {
  CompactingLedger ledger(Options(Retention::kOnDelete, 1), absl::Milliseconds(1));
  Writer writer;
  // In one group, so that no second snapshot is being made when the first one is there.
  ledger.Append(writer.Frame(ValueType::kInt, "k",
                             {operation::Put{int64_t{1}}, operation::Delete{}, operation::Put{int64_t{2}}}));
  ledger.AwaitSnapshot(3);
  REQUIRE(ledger.log().position().snapshot_revision == 3);
  REQUIRE(ledger.log().position().compacted_revision > 0);
  ledger.Query(
      "DELETE FROM snapshots; DELETE FROM int_transactions WHERE id > 1;"
      " UPDATE ledger SET durable_revision = 1, compacted_revision = 0");
  const uint64_t epoch = ledger.log().position().epoch;
  const SampleFrame next = writer.Frame(ValueType::kInt, "k", {operation::Put{int64_t{4}}});
  SECTION("by the writer that finds out") {
    CHECK(Is(ledger.log().Append(epoch, {next.frame()}), errors::kLedgerLostData));
  }
  SECTION("by the next writer") { REQUIRE(ledger.log().BeginEpoch("another").ok()); }
  const LogPosition position = ledger.log().position();
  CHECK(position.durable_revision == 1);
  CHECK(position.snapshot_revision <= 1);
  CHECK(position.compacted_revision <= 1);
}

TEST_CASE("postgres: a missing part of a snapshot is damage") {
  CompactingLedger ledger(Options(Retention::kFull, 1));
  RandomHistory history(2);
  ledger.Append(history.NextFrame(50));
  ledger.AwaitSnapshot(history.revision());
  ledger.Query("DELETE FROM snapshot_parts");
  CHECK(Is(ReadState(ledger.log()).status(), errors::kDamagedLog));
}

// A put by a request with an id, so many hours after the first one.
SampleFrame Request(uint64_t revision, int64_t hours) {
  Transaction transaction;
  transaction.revision = revision;
  transaction.time_micros = 1'700'000'000'000'000 + hours * 3'600'000'000;
  transaction.previous_revision = revision - 1;
  transaction.type = ValueType::kInt;
  transaction.key = "k";
  transaction.operation = operation::Put{static_cast<int64_t>(revision)};
  const std::string id = absl::StrCat("request-", revision);
  transaction.request = {id, Answer{revision, 1, "answer"}};
  EncodedTransaction encoded(transaction);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  return {revision, 1, encoded.bytes()};
}

TEST_CASE("postgres: requests that no retry can ask for are removed, and the history is still read") {
  for (const Retention retention : {Retention::kOnDelete, Retention::kFull}) {
    CompactingLedger ledger(Options(retention, /*min_bytes=*/1));
    ledger.Append(Request(1, 0));
    ledger.Append(Request(2, 1));
    ledger.Append(Request(3, 24));
    ledger.AwaitSnapshot(3);
    CHECK(ledger.Query("SELECT count(*) FROM requests") == "3");
    ledger.Append(Request(4, 26));
    ledger.AwaitSnapshot(4);
    ledger.WaitFor("SELECT string_agg(id::text, ' ' ORDER BY id) FROM requests", "3 4");
    const auto state = ReadState(ledger.log());
    REQUIRE(state.status() == absl::OkStatus());
    CHECK(state->requests().size() == 2);
    CHECK(state->requests().Find("", "request-3")->answer.response == "answer");

    const auto all = ReadAll(ledger.log());
    REQUIRE(all.status() == absl::OkStatus());
    const auto replayed = StateOf(all->bytes);
    REQUIRE(replayed.status() == absl::OkStatus());
    CHECK(replayed->Snapshot() == state->Snapshot());
    ::txn::v1::TransactionList list;
    REQUIRE(list.ParseFromString(all->bytes));
    CHECK(list.transactions(0).request().id() == "request-1");
    CHECK_FALSE(list.transactions(0).request().has_answer());
  }
}

}  // namespace
}  // namespace kvs::txn
