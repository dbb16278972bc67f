#include "txn_server/log/postgres/connection.h"

#include <absl/container/flat_hash_map.h>
#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "common/errors.h"

// libpqxx 7.10 still has what 6.4 offers, but says that it will go.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace kvs::txn {
namespace {

constexpr int kOldestServer = 130000;

// A stopped txn_server must not hold the row of the ledger for ever. Plans do not depend on parameters.
constexpr char kSetUpSession[] =
    "SET client_min_messages = warning;"
    "SET statement_timeout = 0;"
    "SET lock_timeout = 0;"
    "SET idle_in_transaction_session_timeout = '10s';"
    "SET default_transaction_isolation = 'read committed';"
    "SET default_transaction_deferrable = off;"
    "SET jit = off;"
    "SET plan_cache_mode = force_generic_plan;"
    // Not every server has these: idle_session_timeout came with 14, transaction_timeout with 17.
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', "
    "'transaction_timeout')";

constexpr char kAskServer[] =
    "SELECT current_setting('server_version_num'), current_setting('server_version'), current_setting('fsync'),"
    " current_setting('server_encoding'), current_setting('synchronous_commit'), pg_backend_pid(),"
    " pg_is_in_recovery(), current_setting('default_transaction_read_only')";

bool IsTransient(absl::string_view sqlstate) {
  // Connections; rollbacks as of a deadlock; a server that shuts down or starts; too many connections; a query that was
  // cancelled; a server that has become a standby.
  return absl::StartsWith(sqlstate, "08") || absl::StartsWith(sqlstate, "40") || absl::StartsWith(sqlstate, "57") ||
         sqlstate == "53300" || sqlstate == "25006" || sqlstate == "25P03";
}

bool IsMissing(absl::string_view sqlstate) {
  // Rights, logins, databases, schemas, tables and columns.
  return sqlstate == "42501" || absl::StartsWith(sqlstate, "28") || absl::StartsWith(sqlstate, "3") ||
         sqlstate == "42P01" || sqlstate == "42703" || sqlstate == "42883";
}

// The first line: the ones that follow may quote a statement, and with it values.
std::string FirstLine(absl::string_view message) {
  return std::string(absl::StripAsciiWhitespace(message.substr(0, message.find('\n'))));
}

absl::Status Lost(absl::string_view why) {
  // What libpqxx asks first of a connection that the server has closed.
  if (absl::StrContains(why, "Could not obtain client encoding")) why = "the server closed the connection";
  return Error(errors::kDatabaseUnavailable, absl::StrCat("PostgreSQL: ", FirstLine(why)));
}

absl::Status FromSqlError(const pqxx::sql_error& error) {
  // libpqxx 6.4 loses the code of this one.
  const bool is_forbidden = dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr;
  const std::string sqlstate = is_forbidden ? "42501" : error.sqlstate();
  const std::string message = absl::StrCat("PostgreSQL: ", FirstLine(error.what()), " (", sqlstate, ")");
  if (sqlstate.empty() || IsTransient(sqlstate)) return Error(errors::kDatabaseUnavailable, message);
  if (sqlstate == "53100") return Error(errors::kNoSpace, message);
  // No UTF-8, or a 0. Everything else that the ledger could not keep was found before.
  if (sqlstate == "22021") return Error(errors::kMalformedFrame, message);
  // PostgreSQL's own words may quote the value.
  if (absl::StartsWith(sqlstate, "22")) {
    return absl::InternalError(absl::StrCat(
        "PostgreSQL: an index, a constraint or a trigger that was added to the tables cannot work with a value (",
        sqlstate, "): drop it"));
  }
  if (IsMissing(sqlstate)) return Error(errors::kUnusableDatabase, message);
  return absl::InternalError(message);
}

// Runs `call`, and turns what it throws into a status.
template <class Call>
absl::Status Catch(const Call& call) {
  try {
    call();
    return absl::OkStatus();
  } catch (const pqxx::sql_error& error) {
    return FromSqlError(error);
  } catch (const std::exception& error) {
    return Lost(error.what());
  }
}

absl::Status Unusable(absl::string_view why) {
  return Error(errors::kUnusableDatabase, absl::StrCat("this PostgreSQL cannot be used: ", why));
}

}  // namespace

// The order of the members is the one in which libpqxx wants them made.
class Connection::Session {
 public:
  // Notes whether the server said anything beside its answer.
  class Listener : public pqxx::errorhandler {
   public:
    explicit Listener(pqxx::connection& connection) : errorhandler(connection) {}

    bool operator()(const char message[]) noexcept override {
      message_ = message;
      return false;
    }

    void Reset() { message_.clear(); }
    const std::string& message() const { return message_; }

   private:
    std::string message_;
  };

  explicit Session(const std::string& connection_string)
      : connection_(connection_string), listener_(connection_), work_(connection_) {
#if PQXX_VERSION_MAJOR < 7
    // A new connection in the middle of a transaction would be a new transaction.
    connection_.inhibit_reactivation(true);
#endif
  }

  int backend_pid() const { return connection_.backendpid(); }
  Listener& listener() { return listener_; }

  pqxx::result Exec(const char* sql) { return work_.exec(sql); }

  pqxx::result Exec(const std::string& sql, absl::Span<const std::string> parameters) {
    auto [statement, is_new] = statements_.try_emplace(&sql, "");
    if (is_new) {
      statement->second = absl::StrCat("s", statements_.size());
      connection_.prepare(statement->second, sql);
    }
#if PQXX_VERSION_MAJOR < 7
    std::vector<pqxx::binarystring> values;
    values.reserve(parameters.size());
    for (const std::string& parameter : parameters) values.emplace_back(parameter);
    return work_.exec_prepared(statement->second, pqxx::prepare::make_dynamic_params(values));
#else
    pqxx::params values;
    values.reserve(parameters.size());
    for (const std::string& parameter : parameters) values.append(pqxx::binary_cast(parameter));
    return work_.exec_prepared(statement->second, values);
#endif
  }

 private:
  pqxx::connection connection_;
  Listener listener_;
  pqxx::nontransaction work_;
  absl::flat_hash_map<const std::string*, std::string> statements_;
};

Connection::Connection(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Connection::~Connection() = default;

namespace {

std::string AnswerOf(const pqxx::result& answer, int column) { return answer[0][column].c_str(); }

absl::Status CheckServer(const pqxx::result& answer, int backend_pid) {
  const auto text = [&](int column) { return AnswerOf(answer, column); };
  if (std::atoi(text(0).c_str()) < kOldestServer) {
    return Unusable(absl::StrCat("its version is ", text(1), ", 13 or later is needed"));
  }
  if (text(3) != "UTF8") {
    return Unusable(absl::StrCat("the encoding of the database is ", text(3),
                                 "; make one with: CREATE DATABASE kvs ENCODING 'UTF8' TEMPLATE template0"));
  }
  if (std::atoi(text(5).c_str()) != backend_pid) {
    return Unusable(
        "there is a connection pooler in between, which may give each transaction another session; "
        "connect to PostgreSQL itself");
  }
  return absl::OkStatus();
}

absl::Status CheckCanWrite(const pqxx::result& answer) {
  const auto text = [&](int column) { return AnswerOf(answer, column); };
  if (text(2) != "on") return Unusable("fsync is off, so that a power cut loses or damages what it acknowledged");
  if (text(6) == "t") {
    return Error(errors::kDatabaseUnavailable,
                 "PostgreSQL: this server is a standby; with target_session_attrs=read-write in --postgres-url the "
                 "primary is looked for among several hosts");
  }
  if (text(7) == "on") {
    return Error(
        errors::kDatabaseUnavailable,
        "PostgreSQL: default_transaction_read_only is on for this server, database or role, so that nothing can "
        "be written; set it to off");
  }
  return absl::OkStatus();
}

bool IsWeak(absl::string_view synchronous_commit) {
  return synchronous_commit != "on" && synchronous_commit != "remote_apply";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& connection_string, Access access) {
  std::unique_ptr<Connection> connection;
  absl::Status status = Catch([&] { connection.reset(new Connection(std::make_unique<Session>(connection_string))); });
  if (!status.ok()) return status;
  // First of all: older servers do not know all of the settings.
  const auto answer = connection->Exec(kAskServer);
  if (!answer.ok()) return answer.status();
  status = CheckServer(*answer, connection->session_->backend_pid());
  if (status.ok() && access == Access::kWrite) status = CheckCanWrite(*answer);
  if (!status.ok()) return status;
  const auto set_up = connection->Exec(kSetUpSession);
  if (!set_up.ok()) return set_up.status();
  if (access == Access::kWrite && IsWeak((*answer)[0][4].c_str())) {
    const auto stronger = connection->Exec("SET synchronous_commit = on");
    if (!stronger.ok()) return stronger.status();
  }
  return connection;
}

absl::StatusOr<pqxx::result> Connection::Exec(const char* sql) {
  pqxx::result rows;
  absl::Status status = Catch([&] { rows = session_->Exec(sql); });
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<pqxx::result> Connection::Exec(const std::string& sql, absl::Span<const std::string> parameters) {
  pqxx::result rows;
  absl::Status status = Catch([&] { rows = session_->Exec(sql, parameters); });
  if (!status.ok()) return status;
  return rows;
}

absl::Status Connection::Commit() {
  session_->listener().Reset();
  const auto committed = Exec("COMMIT");
  if (!committed.ok()) return committed.status();
  if (const std::string& warning = session_->listener().message(); !warning.empty()) return Lost(warning);
  return absl::OkStatus();
}

}  // namespace kvs::txn
