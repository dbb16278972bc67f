// A ledger in PostgreSQL as a copy reads it.
#include "txn_server/log/postgres/postgres_view.h"

#include <string>
#include <utility>

#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/log_state.h"
#include "tests/support/postgres_ledger.h"
#include "tests/support/random_history.h"

namespace kvs::txn {
namespace {

// The state that a source amounts to.
std::string StateOfSource(PostgresSource& source) {
  LogState state;
  REQUIRE(ReadSnapshot(source.history, state) == absl::OkStatus());
  while (true) {
    const auto frame = source.history.tail->Next();
    REQUIRE(frame.status() == absl::OkStatus());
    if (!*frame) return state.Snapshot();
    REQUIRE(state.ApplyList((*frame)->transactions) == absl::OkStatus());
  }
}

// A ledger with a random history, and a snapshot of some of it.
class Filled : public PostgresLedger {
 public:
  explicit Filled(PostgresCluster* server = &cluster()) : PostgresLedger(server), history(4) {
    options().compaction.min_bytes = 4 * kKiB;
    Open();
    Begin();
    for (int i = 0; i < 5; ++i) Grow();
    WaitFor("SELECT count(*) > 0 FROM snapshots", "t");
    options().compaction.min_bytes = 1ull << 40;
    Open();
    Begin();
    Grow();
  }

  void Grow() { REQUIRE(Append(history.NextFrame(50)) == absl::OkStatus()); }
  std::string State() const { return history.state().Snapshot(); }

  RandomHistory history;
};

TEST_CASE("postgres: a source is read as it is at one moment, with no more than the right to read") {
  Filled ledger;
  ledger.Query("DROP ROLE IF EXISTS copier");
  ledger.Query("CREATE ROLE copier LOGIN; ALTER ROLE copier SET default_transaction_read_only = on");
  ledger.Query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO copier");
  const std::string state = ledger.State();
  const LogPosition position = ledger.log().position();
  // Somebody holds the row, as a group does that is about to be committed.
  pqxx::connection holder(PostgresLedger::cluster().Url(ledger.database()));
  pqxx::work holding(holder);
  holding.exec("SELECT FROM ledger FOR UPDATE");
  auto source = ReadPostgresSource(PostgresLedger::cluster().Url(ledger.database(), "user=copier"));
  REQUIRE(source.status() == absl::OkStatus());
  holding.abort();
  CHECK(source->position.log_id == position.log_id);
  CHECK(source->position.epoch == position.epoch);
  CHECK(source->position.writer_id == position.writer_id);
  CHECK(source->position.durable_revision == position.durable_revision);
  // What comes later is no part of it, and what goes is.
  ledger.Grow();
  ledger.Query("DELETE FROM snapshot_parts");
  CHECK(StateOfSource(*source) == state);
  ledger.Query("DROP OWNED BY copier; DROP ROLE copier");
}

TEST_CASE("postgres: a standby will do as a source, and for nothing that writes") {
  // Of its own: a standby is a copy of everything that there is.
  PostgresCluster primary;
  Filled ledger(&primary);
  const PostgresCluster standby(&primary);
  ledger.Grow();
  standby.WaitFor(ledger.database(), "SELECT durable_revision FROM ledger", absl::StrCat(ledger.revision()));
  REQUIRE(standby.Query("postgres", "SELECT pg_is_in_recovery()") == "t");
  auto source = ReadPostgresSource(standby.Url(ledger.database()));
  REQUIRE(source.status() == absl::OkStatus());
  CHECK(source->position.durable_revision == ledger.revision());
  CHECK(StateOfSource(*source) == ledger.State());
  PostgresTxnLogOptions options;
  options.url = standby.Url(ledger.database());
  CHECK(Is(OpenPostgresTxnLog(options).status(), errors::kDatabaseUnavailable));
}

TEST_CASE("postgres: what is no whole ledger is no source") {
  PostgresLedger ledger;
  ledger.Begin();
  REQUIRE(ledger.Append(MakeFrame(1, 3)) == absl::OkStatus());
  const auto read = [&](const std::string& database) {
    return ReadPostgresSource(PostgresLedger::cluster().Url(database)).status();
  };
  CHECK(read(ledger.database()) == absl::OkStatus());
  SECTION("no ledger") { CHECK(Is(read(PostgresLedger::cluster().NewDatabase()), errors::kUnusableDatabase)); }
  SECTION("half a copy") {
    ledger.Query("UPDATE ledger SET importing = true");
    CHECK(Is(read(ledger.database()), errors::kUnusableDatabase));
  }
  SECTION("a row that was taken back by hand") {
    ledger.Query("UPDATE ledger SET durable_revision = 2");
    CHECK(Is(read(ledger.database()), errors::kDamagedLog));
  }
}

}  // namespace
}  // namespace kvs::txn
