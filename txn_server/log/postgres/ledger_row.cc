#include "txn_server/log/postgres/ledger_row.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <string>

#include "common/errors.h"
#include "common/hex.h"

namespace kvs::txn {
namespace {

constexpr char kIsImporting[] = "SELECT importing FROM ledger";
// One statement, so that what another txn_server writes meanwhile is seen as a whole or not at all.
constexpr char kAskAbove[] =
    "SELECT newest, durable_revision FROM ledger, greatest((SELECT max(id) FROM int_transactions),"
    " (SELECT max(id) FROM uint_transactions), (SELECT max(id) FROM float_transactions),"
    " (SELECT max(id) FROM string_transactions), (SELECT max(id) FROM set_transactions),"
    " (SELECT max(id) FROM map_transactions)) AS newest WHERE newest > durable_revision";

}  // namespace

absl::StatusOr<LogPosition> ReadPosition(const pqxx::result& rows) {
  if (rows.size() != 1) return Error(errors::kDamagedLog, "PostgreSQL: the table ledger does not have its one row");
  const auto row = rows[0];
  LogPosition position;
  position.log_id = BytesOfHex(absl::StrReplaceAll(TextOf(row[0]), {{"-", ""}})).value_or("");
  position.writer_id = BytesOfHex(TextOf(row[2])).value_or("");
  if (!absl::SimpleAtoi(TextOf(row[1]), &position.epoch) ||
      !absl::SimpleAtoi(TextOf(row[3]), &position.durable_revision)) {
    return Error(errors::kDamagedLog, "PostgreSQL: the row of the table ledger has no numbers");
  }
  return position;
}

absl::Status CheckNotImporting(Connection& connection) {
  const auto importing = connection.Exec(kIsImporting);
  if (!importing.ok()) return importing.status();
  if (importing->empty() || TextOf((*importing)[0][0]) != "t") return absl::OkStatus();
  return Error(errors::kUnusableDatabase,
               "a copy of another ledger into this database was not finished: drop the database, make it again and "
               "repeat the copy");
}

absl::Status CheckNothingIsAbove(Connection& connection) {
  const auto rows = connection.Exec(kAskAbove);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return absl::OkStatus();
  const std::string revision((*rows)[0][0].c_str());
  return Error(errors::kDamagedLog,
               absl::StrCat("PostgreSQL: there is a change of revision ", revision, ", but the table ledger says that ",
                            (*rows)[0][1].c_str(), " is the newest: rows were changed by hand; restore a backup"),
               {{"revision", revision}});
}

}  // namespace kvs::txn
