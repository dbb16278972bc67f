#include "txn_server/log/postgres/postgres_snapshot.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "common/errors.h"
#include "common/hex.h"
#include "common/limits.h"
#include "txn_server/log/postgres/binary_parameters.h"

namespace kvs::txn {
namespace {

// Of a part; a larger transaction has a part of its own.
constexpr size_t kTargetPartBytes = 512 * kKiB;

constexpr char kNewest[] =
    "SELECT id, revision, time_micros, transactions, parts, bytes FROM snapshots ORDER BY revision DESC, id DESC LIMIT "
    "1";
constexpr char kNewId[] = "SELECT nextval('snapshot_ids')";

const std::string& kWritePart = *new std::string(
    "INSERT INTO snapshot_parts (snapshot_id, part, transactions) VALUES ($1::bigint, $2::bigint, $3::bytea)");
const std::string& kInsertSnapshot = *new std::string(
    "INSERT INTO snapshots (id, revision, time_micros, transactions, parts, bytes)"
    " VALUES ($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint)");
const std::string& kReadPart = *new std::string(
    "SELECT encode(transactions, 'hex') FROM snapshot_parts WHERE snapshot_id = $1::bigint AND part = $2::bigint");

absl::Status Damaged(absl::string_view what) {
  return Error(errors::kDamagedLog, absl::StrCat("PostgreSQL: the table ", what));
}

class PartCursor : public SnapshotCursor {
 public:
  PartCursor(std::shared_ptr<Connection> connection, uint64_t id, uint64_t parts)
      : connection_(std::move(connection)), id_(id), parts_(parts) {}

  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    if (part_ == parts_) return std::nullopt;
    const auto rows = connection_->Exec(kReadPart, {BinaryBigint(id_), BinaryBigint(part_)});
    if (!rows.ok()) return rows.status();
    if (rows->empty()) return Damaged(absl::StrCat("snapshot_parts lacks part ", part_, " of snapshot ", id_));
    bytes_ = BytesOfHex(TextOf((*rows)[0][0])).value_or("");
    ++part_;
    return SnapshotChunk{bytes_};
  }

 private:
  const std::shared_ptr<Connection> connection_;
  const uint64_t id_;
  const uint64_t parts_;
  uint64_t part_ = 0;
  std::string bytes_;
};

}  // namespace

absl::StatusOr<std::optional<PostgresSnapshot>> NewestSnapshot(Connection& connection) {
  const auto rows = connection.Exec(kNewest);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return std::nullopt;
  const auto row = (*rows)[0];
  PostgresSnapshot snapshot;
  const bool are_numbers =
      absl::SimpleAtoi(TextOf(row[0]), &snapshot.id) && absl::SimpleAtoi(TextOf(row[1]), &snapshot.revision) &&
      absl::SimpleAtoi(TextOf(row[2]), &snapshot.time_micros) &&
      absl::SimpleAtoi(TextOf(row[3]), &snapshot.transactions) && absl::SimpleAtoi(TextOf(row[4]), &snapshot.parts) &&
      absl::SimpleAtoi(TextOf(row[5]), &snapshot.bytes);
  if (!are_numbers) return Damaged("snapshots has a negative number");
  return snapshot;
}

absl::StatusOr<uint64_t> NewSnapshotId(Connection& connection) {
  const auto rows = connection.Exec(kNewId);
  if (!rows.ok()) return rows.status();
  uint64_t id = 0;
  if (!absl::SimpleAtoi(TextOf((*rows)[0][0]), &id)) return Damaged("snapshot_ids has a negative number");
  return id;
}

absl::Status InsertSnapshot(Connection& connection, const PostgresSnapshot& snapshot) {
  return connection
      .Exec(kInsertSnapshot,
            {BinaryBigint(snapshot.id), BinaryBigint(snapshot.revision),
             BinaryBigint(static_cast<uint64_t>(snapshot.time_micros)), BinaryBigint(snapshot.transactions),
             BinaryBigint(snapshot.parts), BinaryBigint(snapshot.bytes)})
      .status();
}

SnapshotPartWriter::SnapshotPartWriter(Connection* connection, uint64_t id) : connection_(*connection) {
  summary_.id = id;
}

absl::Status SnapshotPartWriter::Add(const SnapshotEntry& entry) {
  if (entry.type) ++summary_.transactions;
  return Append(entry.bytes);
}

absl::Status SnapshotPartWriter::Add(const SnapshotChunk& chunk) { return Append(chunk.transactions); }

absl::Status SnapshotPartWriter::Append(absl::string_view transactions) {
  part_.append(transactions.data(), transactions.size());
  return part_.size() < kTargetPartBytes ? absl::OkStatus() : WritePart();
}

absl::Status SnapshotPartWriter::WritePart() {
  if (part_.empty()) return absl::OkStatus();
  summary_.bytes += part_.size();
  const auto written = connection_.Exec(
      kWritePart, {BinaryBigint(summary_.id), BinaryBigint(summary_.parts++), std::exchange(part_, std::string())});
  return written.status();
}

absl::StatusOr<PostgresSnapshot> SnapshotPartWriter::Finish() {
  if (absl::Status status = WritePart(); !status.ok()) return status;
  return summary_;
}

std::unique_ptr<SnapshotCursor> MakePartCursor(std::shared_ptr<Connection> connection, uint64_t id, uint64_t parts) {
  return std::make_unique<PartCursor>(std::move(connection), id, parts);
}

}  // namespace kvs::txn
