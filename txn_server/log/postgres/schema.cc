#include "txn_server/log/postgres/schema.h"

#include <absl/strings/str_cat.h>

#include <cstdlib>

#include "common/errors.h"
#include "txn_server/log/postgres/binary_parameters.h"

namespace kvs::txn {
namespace {

constexpr char kRecords[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " number integer PRIMARY KEY,"
    " name text NOT NULL,"
    " checksum text NOT NULL,"
    " applied_time timestamptz NOT NULL DEFAULT now(),"
    " applied_by text NOT NULL DEFAULT current_user);"
    "COMMENT ON TABLE schema_migrations IS 'The files of sql/ that made these tables.';"
    "COMMENT ON COLUMN schema_migrations.number IS 'The number of the file; they were applied in this order.';"
    "COMMENT ON COLUMN schema_migrations.name IS 'The name of the file.';"
    "COMMENT ON COLUMN schema_migrations.checksum IS 'The SHA-256 of what it held, in hexadecimal.';"
    "COMMENT ON COLUMN schema_migrations.applied_time IS 'When it was applied.';"
    "COMMENT ON COLUMN schema_migrations.applied_by IS 'The role that applied it.'";

const std::string& kChecksum = *new std::string("SELECT encode(sha256($1::bytea), 'hex')");
const std::string& kRecord = *new std::string(
    "INSERT INTO schema_migrations (number, name, checksum)"
    " VALUES ($1::bigint, $2::text, encode(sha256($3::bytea), 'hex'))");

absl::Status UnusableTables(absl::string_view why) { return Error(errors::kUnusableDatabase, why); }

// The schema, and whether it has all columns of kRecords. Other programs name a table like this too.
constexpr char kFindRecords[] =
    "SELECT relnamespace::regnamespace, (SELECT count(*) = 5 FROM pg_attribute WHERE attrelid = pg_class.oid AND"
    "  attname IN ('number', 'name', 'checksum', 'applied_time', 'applied_by'))"
    " FROM pg_class WHERE oid = to_regclass('schema_migrations')";

absl::StatusOr<bool> HasRecords(Connection& connection) {
  const auto found = connection.Exec(kFindRecords);
  if (!found.ok()) return found.status();
  if (found->empty()) return false;
  if (TextOf((*found)[0][1]) == "t") return true;
  return UnusableTables(absl::StrCat("the table schema_migrations in the schema ", TextOf((*found)[0][0]),
                                     " is of another program; keep the ledger in another database, or in a schema of "
                                     "its own: options=-csearch_path=SCHEMA in --postgres-url"));
}

absl::Status CheckRecord(Connection& connection, const Migration& migration, absl::string_view checksum) {
  const auto expected = connection.Exec(kChecksum, {std::string(migration.sql)});
  if (!expected.ok()) return expected.status();
  if (TextOf((*expected)[0][0]) == checksum) return absl::OkStatus();
  return UnusableTables(absl::StrCat("the tables were made by another ", migration.name,
                                     " than the one of this txn_server; start the version that made them"));
}

// How many of the migrations the database has. Checks that they are these.
absl::StatusOr<size_t> CountApplied(Connection& connection, absl::Span<const Migration> migrations) {
  const auto rows = connection.Exec("SELECT number, checksum FROM schema_migrations ORDER BY number");
  if (!rows.ok()) return rows.status();
  const size_t count = rows->size();
  if (count > migrations.size()) {
    return UnusableTables(absl::StrCat("the tables are of version ", count, ", this txn_server knows version ",
                                       migrations.size(), ": start a newer one"));
  }
  for (size_t i = 0; i < count; ++i) {
    const auto row = (*rows)[static_cast<int>(i)];
    if (std::atoi(row[0].c_str()) != migrations[i].number) {
      return UnusableTables(absl::StrCat("schema_migrations has no record of ", migrations[i].name));
    }
    if (absl::Status status = CheckRecord(connection, migrations[i], TextOf(row[1])); !status.ok()) return status;
  }
  return count;
}

absl::StatusOr<size_t> CountAppliedIfAny(Connection& connection, absl::Span<const Migration> migrations) {
  const auto has_records = HasRecords(connection);
  if (!has_records.ok()) return has_records.status();
  return *has_records ? CountApplied(connection, migrations) : 0;
}

absl::Status Incomplete(size_t applied, size_t needed) {
  return UnusableTables(absl::StrCat("the tables are of version ", applied, ", this txn_server needs version ", needed,
                                     "; make them with the rights of their owner: txn_server migrate "
                                     "--postgres-url=postgresql://OWNER@HOST/DATABASE"));
}

absl::Status Apply(Connection& connection, const Migration& migration) {
  const auto applied = connection.Exec(std::string(migration.sql).c_str());
  if (!applied.ok()) {
    return UnusableTables(absl::StrCat("cannot apply ", migration.name, ": ", applied.status().message()));
  }
  return connection
      .Exec(kRecord, {BinaryBigint(static_cast<uint64_t>(migration.number)), std::string(migration.name),
                      std::string(migration.sql)})
      .status();
}

absl::Status ApplyMissing(Connection& connection, absl::Span<const Migration> migrations) {
  // Of two programs that make the table at once one fails, and finds it the next time.
  if (!connection.Exec(kRecords).ok()) {
    if (const auto made = connection.Exec(kRecords); !made.ok()) return made.status();
  }
  const auto locked = connection.Exec("BEGIN; LOCK TABLE schema_migrations IN EXCLUSIVE MODE");
  if (!locked.ok()) return locked.status();
  const auto applied = CountApplied(connection, migrations);
  if (!applied.ok()) return applied.status();
  for (const Migration& migration : migrations.subspan(*applied)) {
    if (absl::Status status = Apply(connection, migration); !status.ok()) return status;
  }
  return connection.Commit();
}

}  // namespace

absl::Status Migrate(Connection& connection, MigrateMode mode, absl::Span<const Migration> migrations) {
  // What is there may be wrong, and then it needs no rights to say so.
  const auto applied = CountAppliedIfAny(connection, migrations);
  if (!applied.ok()) return applied.status();
  if (*applied == migrations.size()) return absl::OkStatus();
  if (mode == MigrateMode::kCheck) return Incomplete(*applied, migrations.size());
  return ApplyMissing(connection, migrations);
}

}  // namespace kvs::txn
