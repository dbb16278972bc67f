#include "txn_server/log/postgres/connection.h"

#include <string>

#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/postgres_cluster.h"

namespace kvs::txn {
namespace {

// A database whose server says something else than it is: a function of the same name comes before PostgreSQL's own.
std::string DatabaseThatSays(const std::string& function) {
  PostgresCluster& cluster = PostgresCluster::Shared();
  const std::string database = cluster.NewDatabase();
  cluster.Query(database, "CREATE FUNCTION public." + function);
  cluster.Query("postgres", "ALTER DATABASE " + database + " SET search_path = public, pg_catalog");
  return cluster.Url(database);
}

std::string SettingIs(const std::string& name, const std::string& value) {
  return "current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT CASE $1 WHEN ''" + name + "'' THEN ''" + value +
         "'' ELSE pg_catalog.current_setting($1) END'";
}

absl::Status Open(const std::string& connection_string) { return Connection::Open(connection_string).status(); }

TEST_CASE("postgres connection: the oldest server is 13") {
  const absl::Status old = Open(DatabaseThatSays(SettingIs("server_version_num", "120022")));
  CHECK(Is(old, errors::kUnusableDatabase));
  CHECK_THAT(std::string(old.message()), ContainsText("13 or later is needed"));
  CHECK(Open(DatabaseThatSays(SettingIs("server_version_num", "130000"))) == absl::OkStatus());
}

TEST_CASE("postgres connection: a server that does not know the settings is asked for its version first") {
  const absl::Status status =
      Open(DatabaseThatSays("current_setting(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN"
                            " IF pg_catalog.current_setting('plan_cache_mode') <> 'auto' THEN"
                            " RAISE 'unrecognized configuration parameter \"plan_cache_mode\"'; END IF;"
                            " RETURN CASE $1 WHEN 'server_version_num' THEN '110022' WHEN 'server_version' THEN '11.22'"
                            " ELSE pg_catalog.current_setting($1) END; END$$"));
  CHECK(Is(status, errors::kUnusableDatabase));
  CHECK_THAT(std::string(status.message()), ContainsText("its version is 11.22, 13 or later is needed"));
}

TEST_CASE("postgres connection: a pooler in between is found out") {
  const absl::Status status = Open(
      DatabaseThatSays("pg_backend_pid() RETURNS integer LANGUAGE sql AS 'SELECT pg_catalog.pg_backend_pid() + 1'"));
  CHECK(Is(status, errors::kUnusableDatabase));
  CHECK_THAT(std::string(status.message()), ContainsText("pooler"));
}

TEST_CASE("postgres connection: a standby is none to write to, and says how to find the primary") {
  const absl::Status status =
      Open(DatabaseThatSays("pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'"));
  CHECK(Is(status, errors::kDatabaseUnavailable));
  CHECK_THAT(std::string(status.message()), ContainsText("target_session_attrs=read-write"));
}

TEST_CASE("postgres connection: a database that is set to read only is none to write to") {
  PostgresCluster& cluster = PostgresCluster::Shared();
  const std::string database = cluster.NewDatabase();
  cluster.Query("postgres", "ALTER DATABASE " + database + " SET default_transaction_read_only = on");
  const absl::Status status = Open(cluster.Url(database));
  CHECK(Is(status, errors::kDatabaseUnavailable));
  CHECK_THAT(std::string(status.message()), ContainsText("default_transaction_read_only"));
}

TEST_CASE("postgres connection: no time of database or role ends a session or its statements") {
  PostgresCluster& cluster = PostgresCluster::Shared();
  const std::string database = cluster.NewDatabase();
  // Those that this server knows.
  const std::string times =
      "('statement_timeout', 'lock_timeout', 'idle_session_timeout', 'transaction_timeout', "
      "'idle_in_transaction_session_timeout')";
  cluster.Query(database,
                "DO $$ DECLARE setting text; BEGIN FOR setting IN SELECT name FROM pg_settings WHERE name IN " + times +
                    " LOOP EXECUTE 'ALTER DATABASE " + database + " SET ' || setting || ' = ''1h'''; END LOOP; END $$");
  auto connection = Connection::Open(cluster.Url(database));
  REQUIRE(connection.ok());
  const std::string ask =
      "SELECT string_agg(name, ' ') FROM pg_settings WHERE setting = '3600000' AND name IN " + times;
  const auto left = (*connection)->Exec(ask.c_str());
  REQUIRE(left.ok());
  CHECK(std::string((*left)[0][0].c_str()) == "");
}

TEST_CASE("postgres connection: what PostgreSQL does not let in is told in its words") {
  PostgresCluster& cluster = PostgresCluster::Shared();
  cluster.Query("postgres", "CREATE ROLE stranger NOLOGIN");
  const auto refused = [](const std::string& connection_string, const std::string& words) {
    const absl::Status status = Open(connection_string);
    // libpq gives no code for what it could be told apart from an outage by.
    CHECK(Is(status, errors::kDatabaseUnavailable));
    CHECK_THAT(std::string(status.message()), ContainsText(words));
  };
  refused(cluster.Url("nothing"), "database \"nothing\" does not exist");
  refused(cluster.Url("postgres", "user=nobody_of_that_name"), "role \"nobody_of_that_name\" does not exist");
  refused(cluster.Url("postgres", "user=stranger"), "role \"stranger\" is not permitted to log in");
}

TEST_CASE("postgres connection: nothing that listens is an outage") {
  CHECK(Is(Open("host=/nonexistent dbname=kvs"), errors::kDatabaseUnavailable));
}

TEST_CASE("postgres connection: an error does not quote what the statement held") {
  auto connection = Connection::Open(PostgresCluster::Shared().Url("postgres"));
  REQUIRE(connection.ok());
  const absl::Status status = (*connection)->Exec("SELECT * FROM nothing WHERE x = 'a value'").status();
  CHECK(Is(status, errors::kUnusableDatabase));
  CHECK(std::string(status.message()).find("a value") == std::string::npos);
}

}  // namespace
}  // namespace kvs::txn
