// PostgresTxnLog: the ledger whose transactions are rows of the user's own PostgreSQL.
//
// A group is one database transaction, which first moves the one row of the table `ledger` from the revision before it
// to its last one. That row is what two programs on one database, and two sessions of one program, meet at: whoever
// holds its lock is alone, and whoever gets it sees what the others have done.
//
// A lost connection is made again within the call, and the group is tried again. Where it is lost during COMMIT, the
// next session locks and changes the row: then the old one has ended, one way or the other, and the row tells which.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/limits.h"
#include "txn_server/log/compaction/compaction_options.h"
#include "txn_server/log/postgres/postgres_compactor.h"
#include "txn_server/log/postgres/schema.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

struct PostgresTxnLogOptions {
  // A URL or a connection string; what it leaves out comes from the environment, as with every client of PostgreSQL.
  std::string url;
  MigrateMode migrate = MigrateMode::kAuto;
  // An empty database becomes one that cannot be opened again until FinishPostgresImport(), so that half a copy is not
  // taken for a ledger.
  bool is_import_target = false;
  // How long a call tries to get a lost connection back before it fails with kDatabaseUnavailable: as long as a restart
  // of PostgreSQL takes, and less than what callers wait for.
  absl::Duration reconnect_timeout = absl::Seconds(4);
  // The same where the outcome of a COMMIT is not known, and then with kLogFailed.
  absl::Duration resolve_timeout = absl::Seconds(15);
  // What the ids of keys may take in memory.
  size_t key_cache_bytes = 128 * kMiB;
  CompactionOptions compaction;
  // How long what a delete has hidden stays in the database, if nothing else is written; longer where a snapshot takes
  // more than one percent of this.
  absl::Duration removal_interval = absl::Minutes(1);
  // Told when the connection was lost and when it is back, and of every snapshot that was made, and that could not be
  // made; by any thread.
  std::function<void(const std::string&)> notice = [](const std::string&) {};
  std::function<void(const PostgresCompactionReport&)> compacted = [](const PostgresCompactionReport&) {};
  CompactionFailed compaction_failed = [](const absl::Status&, bool) {};
};

// Opens the ledger; makes its tables where the database has none. Errors of Migrate() and Connection, and
// InvalidArgument for a URL that cannot be read.
absl::StatusOr<std::unique_ptr<TxnLog>> OpenPostgresTxnLog(PostgresTxnLogOptions options);

// Makes the database of an import a ledger like any other.
absl::Status FinishPostgresImport(const std::string& url);

// Makes the tables, or brings them up to date, and does nothing else.
absl::Status MigratePostgres(const std::string& url);

}  // namespace kvs::txn
