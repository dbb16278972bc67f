// What is special about the ledger in PostgreSQL: rows that people can read, and connections that break.
#include "txn_server/log/postgres/postgres_txn_log.h"

#include <absl/strings/str_cat.h>

#include <cmath>
#include <future>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/model/transaction_codec.h"
#include "tests/support/catch.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/postgres_ledger.h"
#include "tests/support/read_all.h"
#include "tests/support/sample_frames.h"

namespace kvs::txn {
namespace {

// The session that the ledger writes through.
const std::string kSession = "application_name = 'txn_server' AND datname = current_database()";

PostgresHistory AllOperations() {
  PostgresHistory history;
  history.Add(ValueType::kInt, "k", 0, operation::Put{std::numeric_limits<int64_t>::min()})
      .Add(ValueType::kInt, "k", 1, operation::IntIncrement{std::numeric_limits<int64_t>::max(), -1})
      .Add(ValueType::kInt, "k", 2, operation::Delete{})
      .Add(ValueType::kUint, "k", 0, operation::Put{std::numeric_limits<uint64_t>::max()})
      .Add(ValueType::kUint, "k", 4, operation::UintIncrement{std::numeric_limits<uint64_t>::max(), true, 0})
      .Add(ValueType::kUint, "k", 5, operation::UintIncrement{10000, false, 10000})
      .Add(ValueType::kFloat, "k", 0, operation::Put{-0.0})
      .Add(ValueType::kFloat, "k", 7, operation::FloatIncrement{0.1, 5e-324})
      .Add(ValueType::kFloat, "k", 8, operation::Put{1.7976931348623157e308})
      .Add(ValueType::kString, "k", 0, operation::Append{"one"})
      .Add(ValueType::kString, "k", 10, operation::Append{" two"})
      .Add(ValueType::kString, "k", 11, operation::Put{absl::string_view("")})
      .Add(ValueType::kSet, "k", 0, operation::Put{Texts{}})
      .Add(ValueType::kSet, "k", 13, operation::AddMembers{{"a", "b", "c"}})
      .Add(ValueType::kSet, "k", 14, operation::RemoveMembers{{"b"}})
      .Add(ValueType::kMap, "k", 0, operation::Put{Fields{{"f", ""}, {"g", "1"}}})
      .Add(ValueType::kMap, "k", 16, operation::PutFields{{{"g", "2"}, {"h", "3"}}})
      .Add(ValueType::kMap, "k", 17, operation::RemoveFields{{"f"}})
      .Add(ValueType::kMap, "k", 18, operation::Delete{})
      .Add(ValueType::kMap, "k", 0, operation::Put{Fields{}});
  return history;
}

TEST_CASE("postgres: every operation is read back byte for byte") {
  PostgresLedger ledger;
  ledger.Begin();
  const PostgresHistory history = AllOperations();
  REQUIRE(ledger.Append(history.frame()) == absl::OkStatus());
  CHECK(ledger.Bytes() == history.frame().bytes);
  ledger.Open();
  CHECK(ledger.Bytes() == history.frame().bytes);
}

TEST_CASE("postgres: the views tell what happened") {
  PostgresLedger ledger(Retention::kFull);
  ledger.Begin();
  REQUIRE(ledger.Append(AllOperations().frame()) == absl::OkStatus());
  const auto history = [&](const std::string& type) {
    return ledger.Query(
        "SELECT string_agg(concat_ws(' ', revision, operation, coalesce(old_value, '-'), '->',"
        " coalesce(new_value, '-')), '; ' ORDER BY revision) FROM history WHERE key = 'k' AND type = '" +
        type + "'");
  };
  CHECK(history("int") == "1 put - -> -9223372036854775808; 2 increment -9223372036854775808 -> -1; 3 delete -1 -> -");
  CHECK(history("string") == "10 append - -> one; 11 append one -> one two; 12 put one two -> ");
  CHECK(history("set") ==
        R"(13 put - -> []; 14 add_members [] -> ["a", "b", "c"]; 15 remove_members ["a", "b", "c"] -> ["a", "c"])");
  CHECK(history("map") ==
        R"(16 put - -> {"f": "", "g": "1"}; 17 put_fields {"f": "", "g": "1"} -> {"f": "", "g": "2", "h": "3"}; )"
        R"(18 remove_fields {"f": "", "g": "2", "h": "3"} -> {"g": "2", "h": "3"}; )"
        R"(19 delete {"g": "2", "h": "3"} -> -; 20 put - -> {})");
  CHECK(ledger.Query("SELECT string_agg(concat_ws(' ', type, value, revision), '; ' ORDER BY revision)"
                     " FROM current_values") ==
        R"(uint 10000 6; float 1.7976931348623157e+308 9; string  12; set ["a", "c"] 15; map {} 20)");
  CHECK(ledger.Query("SELECT changes FROM changes_by_actor WHERE type = 'map' AND operation = 'put'") == "2");
}

TEST_CASE("postgres: the rows tell the request that changes were made by, and what it was answered") {
  PostgresLedger ledger(Retention::kFull);
  ledger.Begin();
  PostgresHistory history;
  Transaction transaction;
  transaction.type = ValueType::kInt;
  transaction.time_micros = 1'700'000'000'123'456;
  transaction.key = "a";
  transaction.operation = operation::Put{int64_t{1}};
  history.Add(transaction);
  transaction.key = "b";
  transaction.batch_remaining = 1;
  transaction.request.id = "it's \"mine\"";
  history.Add(transaction);
  transaction.key = "c";
  transaction.batch_remaining = 0;
  transaction.actor = "ann";
  const std::string response("\0\xff\\x", 4);
  transaction.request.answer = Answer{~uint64_t{0}, 2, response};
  history.Add(transaction);
  REQUIRE(ledger.Append(history.frame()) == absl::OkStatus());
  CHECK(ledger.Query("SELECT string_agg(concat_ws(' ', revision, coalesce(request_id, '-')), '; ' ORDER BY revision)"
                     " FROM history") == "1 -; 2 it's \"mine\"; 3 it's \"mine\"");
  CHECK(ledger.Query("SELECT concat_ws(' ', id, first_id, extract(epoch from insert_time)::bigint, command_hash, actor,"
                     " request_id, answer) FROM requests") == "3 2 1700000000 -1 ann it's \"mine\" \\x00ff5c78");
  CHECK(ledger.Bytes() == history.frame().bytes);
  // An answer without the change that it belongs to.
  ledger.Query("UPDATE int_transactions SET request_id = NULL WHERE id = 3");
  CHECK(Is(ReadAll(ledger.log()).status(), errors::kDamagedLog));
}

TEST_CASE("postgres: tables, views, columns and sequences explain themselves") {
  PostgresLedger ledger;
  CHECK(ledger.Query("SELECT string_agg(c.relname || '.' || coalesce(a.attname, ''), ' ') FROM pg_class AS c"
                     " LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
                     " WHERE c.relkind IN ('r', 'v', 'S') AND c.relnamespace = 'public'::regnamespace"
                     " AND (obj_description(c.oid) IS NULL OR"
                     " (c.relkind <> 'S' AND col_description(c.oid, a.attnum) IS NULL))") == "");
}

TEST_CASE("postgres: text at the limits") {
  PostgresLedger ledger;
  ledger.Begin();
  std::string incompressible;
  uint64_t state = 1;
  while (incompressible.size() < 1024) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    incompressible.push_back(static_cast<char>('!' + (state >> 33) % 90));
  }
  const std::string large(1 << 20, '\'');
  const std::vector<std::string> texts = {"'",      "\"",   "\\",  ",",      "{}",
                                          "{NULL}", "NULL", "\\N", "\t\n\r", "\xF0\x9F\x98\x80",
                                          " ",      "$1",   "%s",  "\x01",   incompressible};
  PostgresHistory history;
  for (const std::string& text : texts) {
    history.Add(ValueType::kString, text, 0, operation::Put{absl::string_view(text)});
    history.Add(ValueType::kSet, text, 0, operation::Put{Texts{text}});
    history.Add(ValueType::kMap, text, 0, operation::Put{Fields{{text, text}}});
  }
  history.Add(ValueType::kString, "large", 0, operation::Put{absl::string_view(large)});
  history.Add(ValueType::kMap, "large", 0, operation::Put{Fields{{"field", large}}});
  history.Add(ValueType::kMap, "empty", 0, operation::Put{Fields{{"field", ""}}});
  REQUIRE(ledger.Append(history.frame()) == absl::OkStatus());
  const bool same = ledger.Bytes() == history.frame().bytes;
  CHECK(same);
}

TEST_CASE("postgres: what the database cannot keep is refused, and nothing of its group is kept") {
  PostgresLedger ledger;
  ledger.Begin();
  const auto refused = [&](const PostgresHistory& history) {
    CHECK(Is(ledger.Append(history.frame()), errors::kMalformedFrame));
    CHECK(ledger.revision() == 0);
    CHECK(ledger.Bytes().empty());
  };
  refused(PostgresHistory()
              .Add(ValueType::kInt, "k", 0, operation::Put{int64_t{1}})
              .Add(ValueType::kString, "k", 0, operation::Put{absl::string_view("\xFF")}));
  refused(PostgresHistory().Add(ValueType::kString, "k", 0, operation::Put{absl::string_view("\0", 1)}));
  refused(PostgresHistory().Add(ValueType::kInt, "k", 0, operation::Append{"text"}));
  // It could not be read again.
  const std::string long_name(1025, 'm');
  refused(PostgresHistory().Add(ValueType::kFloat, "k", 0, operation::Put{std::nan("")}));
  refused(PostgresHistory().Add(ValueType::kSet, "k", 0, operation::AddMembers{}));
  refused(PostgresHistory().Add(ValueType::kSet, "k", 0, operation::Put{Texts{long_name}}));
  Transaction early;
  early.key = "k";
  early.time_micros = std::numeric_limits<int64_t>::min();
  early.operation = operation::Put{int64_t{1}};
  refused(PostgresHistory().Add(early));
  CHECK(ledger.Append(MakeFrame(1, 1)) == absl::OkStatus());
}

TEST_CASE("postgres: the key of a removed and of a forgotten cache entry is found again") {
  PostgresLedger ledger;
  PostgresTxnLogOptions options = ledger.options();
  options.key_cache_bytes = 0;
  auto log = OpenPostgresTxnLog(options);
  REQUIRE(log.ok());
  REQUIRE((*log)->BeginEpoch(kPostgresWriter).ok());
  const PostgresHistory history = AllOperations();
  REQUIRE((*log)->Append(1, {history.frame().frame()}) == absl::OkStatus());
  Transaction again;
  again.revision = 21;
  again.key = "k";
  again.time_micros = 1'700'000'000'123'456;
  again.operation = operation::Put{int64_t{1}};
  EncodedTransaction encoded(again);
  encoded.Stamp(21, again.time_micros);
  REQUIRE((*log)->Append(1, {Frame{21, 1, encoded.bytes()}}) == absl::OkStatus());
  CHECK(ReadAll(**log)->bytes == history.frame().bytes + encoded.bytes());
  CHECK(ledger.Query("SELECT count(*) FROM int_keys") == "1");
}

TEST_CASE("postgres: a long history is read in windows") {
  PostgresLedger ledger;
  ledger.Begin();
  std::string written;
  for (int i = 0; i < 24; ++i) {
    const SampleFrame frame = MakeFrame(ledger.revision() + 1, 10, std::string(50'000, 'w'));
    REQUIRE(ledger.Append(frame) == absl::OkStatus());
    written += frame.bytes;
  }
  CHECK(ledger.Query("SELECT count(*) > 1 FROM replay_windows") == "t");
  const bool same = ledger.Bytes() == written;
  CHECK(same);
}

TEST_CASE("postgres: a missing row is found") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(MakeFrame(1, 5)) == absl::OkStatus());
  ledger.Query("DELETE FROM string_transactions WHERE id = 3");
  const auto all = ReadAll(ledger.log());
  CHECK(Is(all.status(), errors::kDamagedLog));
  CHECK(MetadataOf(all.status(), "revision") == "3");
}

// A change that somebody makes by hand to a table, and that is undone in the end.
class ChangeByHand {
 public:
  ChangeByHand(const PostgresLedger& ledger, const std::string& table, const std::string& update)
      : ledger_(ledger), table_(table) {
    ledger.Query("CREATE TABLE saved AS TABLE " + table + "; UPDATE " + table + " SET " + update);
  }
  ~ChangeByHand() {
    ledger_.Query("DELETE FROM " + table_ + "; INSERT INTO " + table_ + " TABLE saved; DROP TABLE saved");
  }

 private:
  const PostgresLedger& ledger_;
  const std::string table_;
};

TEST_CASE("postgres: rows that were changed by hand are found") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(AllOperations().frame()) == absl::OkStatus());
  struct Change {
    std::string table;
    std::string columns;
    uint64_t revision;
  };
  const std::vector<Change> changes = {
      {"int_transactions", "value = value + 1", 1},
      {"int_transactions", "result = -2", 2},
      {"int_transactions", "value = 1", 3},
      {"int_transactions", "result = 1", 3},
      {"int_transactions", "previous_id = 3", 3},
      {"uint_transactions", "result = 1", 4},
      {"uint_transactions", "result = 1", 5},
      {"uint_transactions", "result = 9999", 6},
      {"float_transactions", "value = 0", 7},
      {"float_transactions", "value = 'NaN', result = 'NaN'", 7},
      {"float_transactions", "value = '-Infinity'", 8},
      {"float_transactions", "result = 'NaN'", 8},
      {"float_transactions", "result = 'Infinity'", 8},
      {"float_transactions", "value = 'Infinity', result = 'Infinity'", 9},
      {"string_transactions", "value = NULL", 10},
      {"string_transactions", "value = repeat('x', 16777217)", 11},
      {"string_transactions", "insert_time = insert_time - interval '1us'", 12},
      {"string_transactions", "batch = 13", 12},
      {"set_transactions", "transaction_type = 'add_members'", 13},
      {"set_transactions", "transaction_type = 'remove_members'", 13},
      {"map_transactions", "transaction_type = 'put'", 18},
      {"map_transactions", "transaction_type = 'put_fields'", 18},
      {"map_transactions", "transaction_type = 'remove_fields'", 17},
      {"map_transactions", "transaction_type = 'put_fields'", 20},
  };
  for (const Change& change : changes) {
    CAPTURE(change.table, change.columns, change.revision);
    const ChangeByHand by_hand(ledger, change.table, change.columns + " WHERE id = " + std::to_string(change.revision));
    const auto all = ReadAll(ledger.log());
    CHECK(Is(all.status(), errors::kDamagedLog));
    // The row after one that claims to be of a batch may be the one that is wrong.
    const uint64_t found = change.columns == "batch = 13" ? 13 : change.revision;
    CHECK(MetadataOf(all.status(), "revision") == std::to_string(found));
  }
  CHECK(ledger.Bytes() == AllOperations().frame().bytes);
}

TEST_CASE("postgres: keys, members and fields that were changed by hand are found") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(AllOperations().frame()) == absl::OkStatus());
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"int_keys", "key = ''"},
      {"int_keys", "key = repeat('x', 1025)"},
      {"set_members", "member = '' WHERE member = 'a'"},
      {"set_members", "member = repeat('x', 1025) WHERE member = 'c'"},
      {"map_key_value_pairs", "key = '' WHERE key = 'f' AND value IS NOT NULL"},
      {"map_key_value_pairs", "value = NULL WHERE transaction_id = 16"},
      {"map_key_value_pairs", "value = NULL WHERE transaction_id = 17"},
      {"map_key_value_pairs", "value = '' WHERE transaction_id = 18"},
  };
  for (const auto& [table, update] : changes) {
    CAPTURE(table, update);
    const ChangeByHand by_hand(ledger, table, update);
    CHECK(Is(ReadAll(ledger.log()).status(), errors::kDamagedLog));
  }
}

TEST_CASE("postgres: a time that decreases is found between windows too") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(MakeFrame(1, 5)) == absl::OkStatus());
  ledger.Begin();
  REQUIRE(ledger.Append(MakeFrame(6, 5)) == absl::OkStatus());
  REQUIRE(ledger.Query("SELECT count(*) FROM replay_windows WHERE last_id = 5") == "1");
  ledger.Query("UPDATE string_transactions SET insert_time = insert_time - interval '1s' WHERE id = 6");
  const auto all = ReadAll(ledger.log());
  CHECK(Is(all.status(), errors::kDamagedLog));
  CHECK(MetadataOf(all.status(), "revision") == "6");
}

TEST_CASE("postgres: a row above the newest revision is found at a start") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(AllOperations().frame()) == absl::OkStatus());
  for (const ValueType type : kValueTypes) {
    const std::string table = absl::StrCat(TypeName(type), "_transactions");
    INFO(table);
    const ChangeByHand by_hand(ledger, table, "id = 21 WHERE id = (SELECT max(id) FROM " + table + ")");
    const absl::Status status = OpenPostgresTxnLog(ledger.options()).status();
    CHECK(Is(status, errors::kDamagedLog));
    CHECK(MetadataOf(status, "revision") == "21");
  }
  ledger.Open();
}

// Appends in the background, and waits until the append is stuck behind the lock that `sql` takes on another session.
class StuckAppend {
 public:
  StuckAppend(PostgresLedger& ledger, const std::string& sql)
      : ledger_(ledger),
        frame_(AllOperations().frame()),
        connection_(ledger.cluster().Url(ledger.database())),
        work_(connection_) {
    work_.exec("BEGIN");
    work_.exec(sql);
    result_ = std::async(std::launch::async, [this] { return ledger_.Append(frame_); });
    ledger.WaitFor("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND " + kSession, "1");
  }

  void Release() { work_.exec("COMMIT"); }
  absl::Status Result() { return result_.get(); }
  const SampleFrame& frame() const { return frame_; }

 private:
  PostgresLedger& ledger_;
  const SampleFrame frame_;
  pqxx::connection connection_;
  pqxx::nontransaction work_;
  std::future<absl::Status> result_;
};

void CutConnection(const PostgresLedger& ledger) {
  ledger.Query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + kSession);
}

TEST_CASE("postgres: a connection that is cut at any step loses and repeats nothing") {
  PostgresLedger ledger;
  ledger.Begin();
  ledger.Query("CREATE TABLE gate ()");
  ledger.Query(
      "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN LOCK TABLE gate IN EXCLUSIVE MODE; RETURN NULL; END'");
  // Deferred: it runs during COMMIT.
  ledger.Query(
      "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON map_transactions DEFERRABLE INITIALLY DEFERRED"
      " FOR EACH ROW EXECUTE FUNCTION wait_at_gate()");
  const std::string table = GENERATE("ledger", "int_keys", "int_transactions", "uint_keys", "string_transactions",
                                     "set_members", "map_transactions", "map_key_value_pairs", "gate");
  INFO(table);
  StuckAppend append(ledger, "LOCK TABLE " + table + " IN EXCLUSIVE MODE");
  CutConnection(ledger);
  append.Release();
  CHECK(append.Result() == absl::OkStatus());
  CHECK(ledger.revision() == append.frame().last_revision());
  CHECK(ledger.Bytes() == append.frame().bytes);
  CHECK(ledger.Append(MakeFrame(ledger.revision() + 1, 2)) == absl::OkStatus());
}

TEST_CASE("postgres: a connection that is cut between two groups is made again") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(MakeFrame(1, 2)) == absl::OkStatus());
  CutConnection(ledger);
  REQUIRE(ledger.Append(MakeFrame(3, 2)) == absl::OkStatus());
  CutConnection(ledger);
  ledger.Begin();
  CHECK(ledger.log().position().epoch == 2);
  CHECK(ReadAll(ledger.log())->count == 4);
}

// A COMMIT that has happened waits for a standby that does not exist.
class CommitThatWaits {
 public:
  explicit CommitThatWaits(PostgresLedger& ledger) : ledger_(ledger) {
    ledger.cluster().Set("synchronous_standby_names", "nobody");
    result_ = std::async(std::launch::async, [this] { return ledger_.Append(MakeFrame(1, 3)); });
    ledger.WaitFor("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND " + kSession, "1");
    ledger.cluster().Query("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
  }
  ~CommitThatWaits() { ledger_.cluster().Set("synchronous_standby_names", ""); }

  absl::Status Result() { return result_.get(); }

 private:
  PostgresLedger& ledger_;
  std::future<absl::Status> result_;
};

TEST_CASE("postgres: a COMMIT that happened although the connection was lost, or that warned, is found out") {
  PostgresLedger ledger;
  ledger.Begin();
  {
    CommitThatWaits append(ledger);
    // Both let the COMMIT return without the standby: one with the connection gone, the other with a warning.
    const std::string end = GENERATE("pg_terminate_backend", "pg_cancel_backend");
    INFO(end);
    ledger.Query("SELECT " + end + "(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND " + kSession);
    // To make sure is a COMMIT too, which waits in its turn.
    ledger.WaitFor("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND " + kSession, "1");
    CHECK(ledger.revision() == 0);
    ledger.cluster().Query("postgres", "SELECT pg_reload_conf()");
    CHECK(append.Result() == absl::OkStatus());
  }
  CHECK(ledger.revision() == 3);
  CHECK(ReadAll(ledger.log())->count == 3);
  CHECK(ledger.Query("SELECT count(*) FROM string_transactions") == "3");
}

TEST_CASE("postgres: a server that crashes during a group is waited for") {
  PostgresCluster cluster;
  PostgresTxnLogOptions options;
  options.url = cluster.Url(cluster.NewDatabase());
  options.reconnect_timeout = absl::Minutes(2);
  options.resolve_timeout = absl::Minutes(2);
  auto log = OpenPostgresTxnLog(options);
  REQUIRE(log.status() == absl::OkStatus());
  REQUIRE((*log)->BeginEpoch(kPostgresWriter).ok());
  std::string written;
  for (int round = 0; round < 3; ++round) {
    const SampleFrame frame = MakeFrame((*log)->position().durable_revision + 1, 20'000, std::string(20, 'c'));
    written += frame.bytes;
    auto result = std::async(std::launch::async, [&] { return (*log)->Append(1, {frame.frame()}); });
    cluster.WaitFor("postgres",
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'txn_server'"
                    " AND backend_xid IS NOT NULL",
                    "1");
    cluster.Crash();
    cluster.Start();
    REQUIRE(result.get() == absl::OkStatus());
  }
  const bool same = ReadAll(**log)->bytes == written;
  CHECK(same);
}

TEST_CASE("postgres: without a server a call fails in time, and goes on when it is back") {
  PostgresCluster cluster;
  PostgresTxnLogOptions options;
  options.url = cluster.Url(cluster.NewDatabase());
  options.reconnect_timeout = absl::Milliseconds(100);
  auto log = OpenPostgresTxnLog(options);
  REQUIRE(log.status() == absl::OkStatus());
  REQUIRE((*log)->BeginEpoch(kPostgresWriter).ok());
  cluster.Crash();
  CHECK(Is((*log)->Append(1, {MakeFrame(1, 1).frame()}), errors::kDatabaseUnavailable));
  CHECK(Is((*log)->CheckReachable(), errors::kDatabaseUnavailable));
  CHECK(Is((*log)->Replay(1).status(), errors::kDatabaseUnavailable));
  CHECK(Is(OpenPostgresTxnLog(options).status(), errors::kDatabaseUnavailable));
  cluster.Start();
  CHECK((*log)->CheckReachable() == absl::OkStatus());
  CHECK((*log)->Append(1, {MakeFrame(1, 1).frame()}) == absl::OkStatus());
}

TEST_CASE("postgres: of two ledgers on one database only the newest writes") {
  PostgresLedger first;
  first.Begin();
  REQUIRE(first.Append(MakeFrame(1, 2)) == absl::OkStatus());
  auto second = OpenPostgresTxnLog(first.options());
  REQUIRE(second.ok());
  CHECK((*second)->position().durable_revision == 2);
  REQUIRE(first.Append(MakeFrame(3, 1)) == absl::OkStatus());
  const auto epoch = (*second)->BeginEpoch("another");
  REQUIRE(epoch.ok());
  CHECK(*epoch == 2);
  CHECK((*second)->position().durable_revision == 3);
  CHECK(Is(first.Append(MakeFrame(4, 1)), errors::kFenced));
  CHECK(first.log().position().epoch == 2);
  REQUIRE((*second)->Append(2, {MakeFrame(4, 1).frame()}) == absl::OkStatus());
  CHECK(Is(first.log().Append(1, {MakeFrame(4, 1).frame()}), errors::kFenced));
  CHECK(ReadAll(**second)->count == 4);
}

TEST_CASE("postgres: of two copies into one empty database one is refused") {
  PostgresLedger ledger;
  PostgresTxnLogOptions options = ledger.options();
  options.is_import_target = true;
  std::future<absl::Status> copies[2];
  {
    // Both have asked whether another copy was begun when the row is let go.
    pqxx::connection connection(ledger.cluster().Url(ledger.database()));
    pqxx::work work(connection);
    work.exec("SELECT FROM ledger FOR UPDATE");
    for (auto& copy : copies) {
      copy = std::async(std::launch::async, [&options] { return OpenPostgresTxnLog(options).status(); });
    }
    ledger.WaitFor("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND " + kSession, "2");
  }
  const absl::Status first = copies[0].get();
  const absl::Status second = copies[1].get();
  INFO(first << ", " << second);
  CHECK(first.ok() != second.ok());
  CHECK(Is(first.ok() ? second : first, errors::kUnusableDatabase));
  CHECK(ledger.Query("SELECT importing FROM ledger") == "t");
}

TEST_CASE("postgres: a database that was put back to an older copy has lost data") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(MakeFrame(1, 3)) == absl::OkStatus());
  const uint64_t epoch = ledger.log().position().epoch;
  SECTION("of the same epoch") {
    ledger.Query("UPDATE ledger SET durable_revision = 2; DELETE FROM string_transactions WHERE id = 3");
    CHECK(Is(ledger.Append(MakeFrame(4, 1)), errors::kLedgerLostData));
    CHECK(ledger.revision() == 2);
  }
  SECTION("of an older epoch, with all transactions") {
    ledger.Query("UPDATE ledger SET epoch = epoch - 1, writer_id = 'the one before'");
    CHECK(Is(ledger.Append(MakeFrame(4, 1)), errors::kLedgerLostData));
    // What a writer that resumes is compared with.
    CHECK(ledger.log().position().epoch == epoch - 1);
  }
}

TEST_CASE("postgres: what is no older copy of the ledger is told apart from one") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(MakeFrame(1, 3)) == absl::OkStatus());
  SECTION("a ledger that goes on") {
    ledger.Query("UPDATE ledger SET durable_revision = 4");
    CHECK(Is(ledger.Append(MakeFrame(4, 1)), errors::kGap));
  }
  SECTION("another ledger, however little it holds") {
    ledger.Query("UPDATE ledger SET log_id = gen_random_uuid(), epoch = 0, durable_revision = 0");
    CHECK(Is(ledger.Append(MakeFrame(4, 1)), errors::kLedgerLostData));
  }
  SECTION("another writer of an epoch of the same number") {
    ledger.Query("UPDATE ledger SET writer_id = 'another', durable_revision = 1");
    CHECK(Is(ledger.Append(MakeFrame(4, 1)), errors::kFenced));
  }
}

TEST_CASE("postgres: servers, databases and roles that will not do are refused") {
  PostgresCluster cluster;
  const std::string database = cluster.NewDatabase();
  const auto open = [&](const std::string& url, MigrateMode migrate = MigrateMode::kAuto) {
    PostgresTxnLogOptions options;
    options.url = url;
    options.migrate = migrate;
    return OpenPostgresTxnLog(options).status();
  };
  const auto refused = [&](const absl::Status& status, const std::string& words) {
    INFO(status);
    CHECK(Is(status, errors::kUnusableDatabase));
    CHECK(std::string(status.message()).find(words) != std::string::npos);
  };
  const std::string latin = cluster.NewDatabase("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  refused(open(cluster.Url(latin)), "encoding");
  refused(open(cluster.Url(database), MigrateMode::kCheck), "txn_server migrate");
  REQUIRE(open(cluster.Url(database)) == absl::OkStatus());
  CHECK(open(cluster.Url(database), MigrateMode::kCheck) == absl::OkStatus());

  const std::string shared = cluster.NewDatabase();
  cluster.Query(shared, "CREATE TABLE schema_migrations (version text PRIMARY KEY); CREATE SCHEMA own");
  for (const MigrateMode mode : {MigrateMode::kAuto, MigrateMode::kCheck}) {
    refused(open(cluster.Url(shared), mode), "schema_migrations in the schema public is of another program");
  }
  CHECK(open(cluster.Url(shared, "user=postgres options=-csearch_path=own")) == absl::OkStatus());

  cluster.Query("postgres", "CREATE ROLE reader LOGIN");
  refused(open(cluster.Url(database, "user=reader")), "permission denied");
  refused(open(cluster.Url(cluster.NewDatabase(), "user=reader")), "permission denied");

  // It does not take the rights to make tables to be told what is wrong with them.
  cluster.Query("postgres", "CREATE ROLE writer LOGIN");
  cluster.Query(database, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer");
  const std::string as_writer = cluster.Url(database, "user=writer");
  REQUIRE(open(as_writer) == absl::OkStatus());
  cluster.Query(database, "INSERT INTO schema_migrations VALUES (1000, 'later', 'x')");
  refused(open(cluster.Url(database)), "newer");
  refused(open(as_writer), "newer");
  cluster.Query(database, "DELETE FROM schema_migrations WHERE number = 1000");
  cluster.Query(database, "UPDATE schema_migrations SET checksum = 'x' WHERE number = 1");
  refused(open(cluster.Url(database)), "001_ledger.sql");
  refused(open(as_writer), "001_ledger.sql");

  cluster.Set("fsync", "off");
  refused(open(cluster.Url(database)), "fsync");
}

TEST_CASE("postgres: a weak synchronous_commit of the role is made strong") {
  PostgresLedger ledger;
  ledger.Query("ALTER ROLE postgres SET synchronous_commit = off");
  ledger.Open();
  ledger.Begin();
  ledger.Query("CREATE TABLE seen (setting text)");
  ledger.Query(
      "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN INSERT INTO seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END'");
  ledger.Query("CREATE TRIGGER note AFTER UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION note()");
  CHECK(ledger.Append(MakeFrame(1, 1)) == absl::OkStatus());
  ledger.Query("ALTER ROLE postgres RESET synchronous_commit");
  CHECK(ledger.Query("SELECT setting FROM seen") == "on");
}

TEST_CASE("postgres: a URL that cannot be read is not repeated") {
  for (const char* url : {"postgresql://u:secret@host:port/db", "postgresql://u:secret@[::1/db", "password secret",
                          "hots=x password=secret"}) {
    PostgresTxnLogOptions options;
    options.url = url;
    const absl::Status status = OpenPostgresTxnLog(options).status();
    INFO(status);
    CHECK(!status.ok());
    CHECK(std::string(status.message()).find("secret") == std::string::npos);
  }
}

}  // namespace
}  // namespace kvs::txn
