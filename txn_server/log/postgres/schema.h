// The tables of the ledger: the numbered files of sql/, which are part of the program.
//
// Which ones a database has is recorded in its table schema_migrations, with a checksum of each. They are applied in
// one transaction under a lock of that table, so that of several programs that start at once one does it.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <string>

#include "txn_server/log/postgres/connection.h"

namespace kvs::txn {

struct Migration {
  int number = 0;  // from 1, without gaps
  absl::string_view name;
  absl::string_view sql;
};

// Those of this program, in their order.
absl::Span<const Migration> Migrations();

enum class MigrateMode {
  kAuto,   // apply what is missing
  kCheck,  // refuse if something is missing; needs no right to change tables
};

// Makes sure that the database has what this program works with. kUnusableDatabase if it does not, or has more, or if
// what was applied is not what this program would apply.
absl::Status Migrate(Connection& connection, MigrateMode mode, absl::Span<const Migration> migrations = Migrations());

}  // namespace kvs::txn
