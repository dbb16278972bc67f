#include "txn_server/log/postgres/postgres_view.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "common/errors.h"
#include "txn_server/log/postgres/connection_string.h"
#include "txn_server/log/postgres/ledger_row.h"
#include "txn_server/log/postgres/postgres_cursor.h"
#include "txn_server/log/postgres/postgres_snapshot.h"
#include "txn_server/log/postgres/schema.h"

namespace kvs::txn {
namespace {

// What is asked for in an order has an index in that order. Without fresh statistics PostgreSQL expects few rows, and
// would rather sort them.
constexpr char kBeginView[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0;"
    " SET LOCAL enable_sort = off";
constexpr char kAsk[] =
    "SELECT log_id, epoch, encode(writer_id, 'hex'), durable_revision, compacted_revision, pg_export_snapshot()"
    " FROM ledger";

}  // namespace

absl::StatusOr<PostgresView> PostgresView::Open(const std::string& connection_string, Access access) {
  auto connection = Connection::Open(connection_string, access);
  if (!connection.ok()) return connection.status();
  PostgresView view(connection_string, access, *std::move(connection));
  if (const auto begun = view.connection_->Exec(kBeginView); !begun.ok()) return begun.status();
  const auto rows = view.connection_->Exec(kAsk);
  if (!rows.ok()) return rows.status();
  auto position = ReadPosition(*rows);
  if (!position.ok()) return position.status();
  view.position_ = *std::move(position);
  if (!absl::SimpleAtoi(TextOf((*rows)[0][4]), &view.position_.compacted_revision)) {
    return Error(errors::kDamagedLog, "PostgreSQL: the row of the table ledger has no numbers");
  }
  view.name_ = std::string(TextOf((*rows)[0][5]));
  return view;
}

std::unique_ptr<LogCursor> PostgresView::Transactions(uint64_t first, uint64_t last) && {
  return MakePostgresCursor(std::move(connection_), first, last);
}

absl::StatusOr<StateReplay> PostgresView::State(Beginning beginning, uint64_t last) && {
  const auto snapshot = NewestSnapshot(*connection_);
  if (!snapshot.ok()) return snapshot.status();
  auto tail = Connection::Open(connection_string_, access_);
  if (!tail.ok()) return tail.status();
  const auto joined = (*tail)->Exec(absl::StrCat(kBeginView, "; SET TRANSACTION SNAPSHOT '", name_, "'").c_str());
  if (!joined.ok()) return joined.status();
  StateReplay state;
  const bool has_all = position_.compacted_revision == 0;
  if (*snapshot && !(has_all && beginning == Beginning::kOldestHistory)) {
    state.snapshot_revision = (*snapshot)->revision;
    state.snapshot_time_micros = (*snapshot)->time_micros;
    state.snapshot_transactions = (*snapshot)->transactions;
    state.snapshot = MakePartCursor(std::move(connection_), (*snapshot)->id, (*snapshot)->parts);
  }
  state.tail = MakePostgresCursor(*std::move(tail), state.snapshot_revision + 1, last);
  return state;
}

absl::StatusOr<PostgresSource> ReadPostgresSource(const std::string& url) {
  const auto connection_string = ConnectionString(url);
  if (!connection_string.ok()) return connection_string.status();
  {
    const auto connection = Connection::Open(*connection_string, Access::kRead);
    if (!connection.ok()) return connection.status();
    if (absl::Status status = Migrate(**connection, MigrateMode::kCheck); !status.ok()) return status;
  }
  auto view = PostgresView::Open(*connection_string, Access::kRead);
  if (!view.ok()) return view.status();
  if (absl::Status status = CheckNotImporting(view->connection()); !status.ok()) return status;
  if (absl::Status status = CheckNothingIsAbove(view->connection()); !status.ok()) return status;
  PostgresSource source;
  source.position = view->position();
  auto history = (*std::move(view)).State(PostgresView::Beginning::kOldestHistory, source.position.durable_revision);
  if (!history.ok()) return history.status();
  source.history = *std::move(history);
  return source;
}

}  // namespace kvs::txn
