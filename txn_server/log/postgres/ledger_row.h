// The one row of the table ledger: where the ledger in a database ends, and whether it is one.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <pqxx/pqxx>

#include "txn_server/log/postgres/connection.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Of a row that begins with log_id, epoch, writer_id in hexadecimal and durable_revision. kDamagedLog unless it is the
// only one.
absl::StatusOr<LogPosition> ReadPosition(const pqxx::result& rows);

// kUnusableDatabase if a copy of another ledger into the database was not finished.
absl::Status CheckNotImporting(Connection& connection);

// kDamagedLog if there is a transaction that the row does not know: a new one would get its revision.
absl::Status CheckNothingIsAbove(Connection& connection);

}  // namespace kvs::txn
