// PostgresView: a ledger in PostgreSQL as it is at one moment, whatever is written or removed meanwhile.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "txn_server/log/postgres/connection.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Used by one thread.
class PostgresView {
 public:
  // Where a replay begins.
  enum class Beginning { kNewestSnapshot, kOldestHistory };

  // Errors of Connection; kDamagedLog if the database does not say where the ledger ends.
  static absl::StatusOr<PostgresView> Open(const std::string& connection_string, Access access);

  // Without a snapshot's revision.
  const LogPosition& position() const { return position_; }
  Connection& connection() { return *connection_; }

  // The following end the use of the view; what they return keeps the moment.

  std::unique_ptr<LogCursor> Transactions(uint64_t first, uint64_t last) &&;
  // The state and what follows it, up to `last`.
  absl::StatusOr<StateReplay> State(Beginning beginning, uint64_t last) &&;

 private:
  PostgresView(const std::string& connection_string, Access access, std::unique_ptr<Connection> connection)
      : connection_string_(connection_string), access_(access), connection_(std::move(connection)) {}

  std::string connection_string_;
  Access access_;
  std::unique_ptr<Connection> connection_;
  LogPosition position_;
  std::string name_;  // by which another session sees the same
};

// What a copy is made of.
struct PostgresSource {
  LogPosition position;
  StateReplay history;
};

// Reads all of a ledger, which may be in use. Takes no lock and needs no more than the right to read, so a standby will
// do. Errors of Migrate() and PostgresView; kUnusableDatabase for a copy that was not finished, kDamagedLog if rows
// were changed by hand.
absl::StatusOr<PostgresSource> ReadPostgresSource(const std::string& url);

}  // namespace kvs::txn
