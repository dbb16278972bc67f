// What a database may do to a ledger: refuse, roll back, run out of room; and texts at the limits.

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/postgres_ledger.h"
#include "tests/support/small_disk.h"
#include "tests/support/test_size.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs::txn {
namespace {

SampleFrame PutInt(uint64_t revision) {
  return PostgresHistory(revision)
      .Add(ValueType::kInt, absl::StrCat("k", revision), 0, operation::Put{int64_t{1}})
      .frame();
}

TEST_CASE("postgres: what the server rolls back to keep transactions apart is tried again") {
  const std::string sqlstate = GENERATE("40001", "40P01");
  const std::string when = GENERATE("", "DEFERRABLE INITIALLY DEFERRED");
  INFO(sqlstate << " " << when);
  PostgresLedger ledger;
  ledger.Begin();
  // A sequence goes on where its transaction is rolled back.
  ledger.Query("CREATE SEQUENCE attempts");
  ledger.Query(
      "CREATE FUNCTION roll_back() RETURNS trigger LANGUAGE plpgsql AS"
      " $$BEGIN IF nextval('attempts') <= 3 THEN RAISE EXCEPTION USING ERRCODE = '" +
      sqlstate + "'; END IF; RETURN NULL; END$$");
  ledger.Query("CREATE CONSTRAINT TRIGGER roll_back AFTER INSERT ON int_transactions " + when +
               " FOR EACH ROW EXECUTE FUNCTION roll_back()");
  const SampleFrame frame = PutInt(1);
  CHECK(ledger.Append(frame) == absl::OkStatus());
  CHECK(ledger.Bytes() == frame.bytes);
  CHECK(ledger.Query("SELECT last_value FROM attempts") == "4");
  CHECK(ledger.Append(PutInt(2)) == absl::OkStatus());
}

TEST_CASE("postgres: the settings of the role do not reach what the ledger relies on") {
  PostgresLedger ledger(
      "user=postgres options='-c default_transaction_isolation=serializable -c statement_timeout=300ms "
      "-c search_path=public -c bytea_output=escape -c DateStyle=German -c TimeZone=Asia/Tokyo "
      "-c extra_float_digits=0 -c standard_conforming_strings=off -c IntervalStyle=sql_standard'");
  ledger.Begin();
  ledger.Query("CREATE TABLE seen (isolation text)");
  ledger.Query(
      "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
      " $$BEGIN PERFORM pg_sleep(0.4);"
      " INSERT INTO seen VALUES (current_setting('transaction_isolation')); RETURN NULL; END$$");
  ledger.Query("CREATE TRIGGER note AFTER UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION note()");
  const SampleFrame frame = PostgresHistory().Add(ValueType::kFloat, "k", 0, operation::Put{0.1 + 0.2}).frame();
  CHECK(ledger.Append(frame) == absl::OkStatus());
  CHECK(ledger.Query("SELECT isolation FROM seen") == "read committed");
  CHECK(ledger.Bytes() == frame.bytes);
}

TEST_CASE("postgres: rights that are taken away refuse a group, and let it in when they are back") {
  PostgresLedger ledger;
  ledger.Query("CREATE ROLE clerk LOGIN");
  ledger.Query("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk");
  ledger.options().url = ledger.cluster().Url(ledger.database(), "user=clerk");
  ledger.options().migrate = MigrateMode::kCheck;
  ledger.Open();
  ledger.Begin();
  std::string written = PutInt(1).bytes;
  REQUIRE(ledger.Append(PutInt(1)) == absl::OkStatus());
  for (const std::string right : {"INSERT ON int_transactions", "INSERT ON int_keys", "UPDATE ON ledger"}) {
    INFO(right);
    const uint64_t before = ledger.revision();
    ledger.Query("REVOKE " + right + " FROM clerk");
    const absl::Status status = ledger.Append(PutInt(before + 1));
    CHECK(Is(status, errors::kUnusableDatabase));
    CHECK_THAT(std::string(status.message()), ContainsText("permission denied"));
    CHECK(ledger.revision() == before);
    CHECK(ledger.Bytes() == written);
    ledger.Query("GRANT " + right + " TO clerk");
    CHECK(ledger.Append(PutInt(before + 1)) == absl::OkStatus());
    written += PutInt(before + 1).bytes;
  }
  CHECK(ledger.Bytes() == written);
  ledger.Query("DROP OWNED BY clerk");
  ledger.Query("DROP ROLE clerk");
}

TEST_CASE("postgres: an index of the user's that has no room for a value refuses a group until it is gone") {
  const std::string sqlstate = GENERATE("54000", "22P02", "22012", "22003");
  const std::string indexed = sqlstate == "54000"   ? "value"
                              : sqlstate == "22P02" ? "(value::integer)"
                              : sqlstate == "22012" ? "(1 / (length(value) - 100000))"
                                                    : "(length(value) * 100000)";
  PostgresLedger ledger;
  ledger.Begin();
  std::mt19937 random(1);
  std::string text;
  while (text.size() < 100'000) text += static_cast<char>('!' + random() % 90);
  const SampleFrame frame =
      PostgresHistory().Add(ValueType::kString, "k", 0, operation::Put{absl::string_view(text)}).frame();
  ledger.Query("CREATE INDEX of_mine ON string_transactions (" + indexed + ")");
  const absl::Status status = ledger.Append(frame);
  const std::string message(status.message().substr(0, 200));
  INFO(message);
  CHECK(absl::IsInternal(status));
  CHECK_FALSE(Is(status, errors::kLogFailed));
  CHECK_THAT(message, ContainsText("(" + sqlstate + ")"));
  const bool quotes_value = message.find(text.substr(0, 20)) != std::string::npos;
  CHECK_FALSE(quotes_value);
  CHECK(ledger.revision() == 0);
  ledger.Query("DROP INDEX of_mine");
  CHECK(ledger.Append(frame) == absl::OkStatus());
  const bool same = ledger.Bytes() == frame.bytes;
  CHECK(same);
}

TEST_CASE("postgres: a database that is set to read only is told as that, and only once") {
  PostgresLedger ledger;
  std::vector<std::string> notices;
  ledger.options().notice = [&](const std::string& notice) { notices.push_back(notice); };
  ledger.options().reconnect_timeout = absl::Milliseconds(100);
  ledger.Open();
  ledger.Begin();
  PostgresCluster& cluster = ledger.cluster();
  const std::string alter = "ALTER DATABASE " + ledger.database();
  cluster.Query("postgres", alter + " SET default_transaction_read_only = on");
  cluster.Query("postgres", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '" +
                                ledger.database() + "'");
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = ledger.Append(PutInt(1));
    CHECK(Is(status, errors::kDatabaseUnavailable));
    CHECK_THAT(std::string(status.message()), ContainsText("default_transaction_read_only is on"));
  }
  CHECK(notices.size() == 1);
  cluster.Query("postgres", alter + " RESET default_transaction_read_only");
  CHECK(ledger.Append(PutInt(1)) == absl::OkStatus());
  CHECK(notices.size() == 2);
}

TEST_CASE("postgres: a full disk refuses groups, keeps what was there, and takes more when there is room") {
  SmallDisk disk("size=20m,mode=0777");
  if (!disk.mounted()) return;
  PostgresCluster cluster;
  cluster.OwnDirectory(disk.path());
  cluster.Query("postgres", "CREATE TABLESPACE small LOCATION '" + disk.path() + "'");
  PostgresTxnLogOptions options;
  options.url = cluster.Url(cluster.NewDatabase("TABLESPACE small"));
  options.compaction.min_bytes = 1ull << 40;  // a snapshot would take and give back space meanwhile
  auto log = OpenPostgresTxnLog(options);
  REQUIRE(log.status() == absl::OkStatus());
  REQUIRE((*log)->BeginEpoch(kPostgresWriter).ok());
  const std::string database = "test1";
  cluster.Query(database, "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)");
  std::string written;
  absl::Status status;
  std::mt19937 random(1);
  // What nothing compresses, so that no page has room for it.
  const auto next_frame = [&] {
    std::string text(100'000, ' ');
    for (char& c : text) c = static_cast<char>('!' + random() % 90);
    return MakeFrame((*log)->position().durable_revision + 1, 5, text);
  };
  while (status.ok()) {
    const SampleFrame frame = next_frame();
    status = (*log)->Append(1, {frame.frame()});
    if (status.ok()) written += frame.bytes;
    REQUIRE(written.size() < 40 * kMiB);
  }
  INFO(status);
  CHECK(Is(status, errors::kNoSpace));
  const SampleFrame refused = next_frame();
  CHECK(Is((*log)->Append(1, {refused.frame()}), errors::kNoSpace));
  const bool same = ReadAll(**log)->bytes == written;
  CHECK(same);
  cluster.Query(database, "DROP TABLE filler");
  const SampleFrame more = MakeFrame((*log)->position().durable_revision + 1, 5);
  CHECK((*log)->Append(1, {more.frame()}) == absl::OkStatus());
  const bool all = ReadAll(**log)->bytes == written + more.bytes;
  CHECK(all);
  log->reset();
  cluster.Crash();
}

// Text of `bytes` that nothing compresses, of characters of 1 to 4 bytes each.
std::string Incompressible(size_t bytes, int character_bytes, std::mt19937& random) {
  std::string text;
  while (text.size() + static_cast<size_t>(character_bytes) <= bytes) {
    const auto tail = [&] { return static_cast<char>(0x80 + random() % 64); };
    switch (character_bytes) {
      case 1:
        text += static_cast<char>('!' + random() % 90);
        break;
      case 2:
        text += {static_cast<char>(0xC4 + random() % 16), tail()};
        break;
      case 3:
        text += {static_cast<char>(0xE1 + random() % 12), tail(), tail()};
        break;
      default:
        text += {'\xF0', static_cast<char>(0x90 + random() % 48), tail(), tail()};
    }
  }
  return text + std::string(bytes - text.size(), 'z');
}

TEST_CASE("postgres: the longest texts that do not compress, and the views of them") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  PostgresLedger ledger;
  ledger.Begin();
  std::vector<std::string> texts = {"'",   "\"",     "\\", ",",    "{}", "{NULL}", "NULL",
                                    "\\N", "\t\n\r", " ",  "\x01", "%",  "\x7F"};
  for (int character_bytes = 1; character_bytes <= 4; ++character_bytes) {
    for (int i = 0; i < 20; ++i) texts.push_back(Incompressible(kMaxKeyBytes, character_bytes, random));
  }
  PostgresHistory history;
  for (const std::string& text : texts) {
    history.Add(ValueType::kInt, text, 0, operation::Put{int64_t{1}});
    history.Add(ValueType::kUint, text, 0, operation::Put{uint64_t{1}});
    history.Add(ValueType::kFloat, text, 0, operation::Put{1.0});
    history.Add(ValueType::kString, text, 0, operation::Put{absl::string_view(text)});
    history.Add(ValueType::kSet, text, 0, operation::Put{Texts{text}});
    history.Add(ValueType::kMap, text, 0, operation::Put{Fields{{text, text}}});
  }
  REQUIRE(ledger.Append(history.frame()) == absl::OkStatus());
  std::string written = history.frame().bytes;
  const std::string large = Incompressible(kMaxValueBytes, 1, random);
  const SampleFrame values = PostgresHistory(ledger.revision() + 1)
                                 .Add(ValueType::kString, "large", 0, operation::Put{absl::string_view(large)})
                                 .Add(ValueType::kMap, "large", 0, operation::Put{Fields{{"field", large}}})
                                 .frame();
  REQUIRE(ledger.Append(values) == absl::OkStatus());
  written += values.bytes;
  const bool same = ledger.Bytes() == written;
  CHECK(same);
  for (const std::string view : {"history WHERE new_value", "current_values WHERE value"}) {
    INFO(view);
    const std::string count = absl::StrCat(texts.size());
    const std::string of = "SELECT count(*) FROM " + view + "::";
    CHECK(ledger.Query(of + "text = key AND type = 'string'") == count);
    CHECK(ledger.Query(of + "jsonb = jsonb_build_array(key) AND type = 'set'") == count);
    CHECK(ledger.Query(of + "jsonb = jsonb_build_object(key, key) AND type = 'map' AND key <> 'large'") == count);
  }
}

}  // namespace
}  // namespace kvs::txn
