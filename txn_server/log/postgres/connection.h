// Connection: one session of a PostgreSQL server, set up for a ledger. The only code that knows libpqxx, whose versions
// differ.
//
// Errors: kDatabaseUnavailable where the connection is lost or another attempt may succeed, kNoSpace, kMalformedFrame
// for text that PostgreSQL cannot keep, kUnusableDatabase where rights or objects are missing, Internal for the rest,
// which others may have made and may mend.
// After an error the session is not used again.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <memory>
#include <pqxx/pqxx>
#include <string>

namespace kvs::txn {

// A text of a row. REQUIRES: `rows` lives, and the value is not null.
inline absl::string_view TextOf(const pqxx::field& field) { return {field.c_str(), field.size()}; }

enum class Access {
  kWrite,
  kRead,  // from a standby too
};

// Used by one thread at a time.
class Connection {
 public:
  // Connects, and checks that the server keeps what it acknowledges, where anything is to be written. kUnusableDatabase
  // if it does not, or is none that this program works with. `connection_string` is from ConnectionString().
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& connection_string,
                                                          Access access = Access::kWrite);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs SQL without parameters.
  absl::StatusOr<pqxx::result> Exec(const char* sql);

  // Runs a statement that is prepared when it is run first, with parameters in PostgreSQL's binary form
  // (binary_parameters.h). `sql` is always the same object for the same statement.
  absl::StatusOr<pqxx::result> Exec(const std::string& sql, absl::Span<const std::string> parameters);

  // Ends a database transaction. After an error its outcome is not known; a warning is one too.
  absl::Status Commit();

 private:
  class Session;

  explicit Connection(std::unique_ptr<Session> session);

  const std::unique_ptr<Session> session_;
};

}  // namespace kvs::txn
