// Snapshots in the tables snapshots and snapshot_parts. A snapshot counts when it has its row in snapshots; until then
// its parts are of no account, and whoever makes the next one removes them.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "txn_server/log/compaction/merge.h"
#include "txn_server/log/postgres/connection.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A row of snapshots.
struct PostgresSnapshot {
  uint64_t id = 0;
  uint64_t revision = 0;
  int64_t time_micros = 0;  // of that revision
  uint64_t transactions = 0;
  uint64_t parts = 0;
  uint64_t bytes = 0;
};

// The newest one, or nothing.
absl::StatusOr<std::optional<PostgresSnapshot>> NewestSnapshot(Connection& connection);

// An id that no snapshot has or will have.
absl::StatusOr<uint64_t> NewSnapshotId(Connection& connection);

// Adds its row: from then on it counts.
absl::Status InsertSnapshot(Connection& connection, const PostgresSnapshot& snapshot);

// Writes the parts of a snapshot, or of a sorted run of changes. Used by one thread.
class SnapshotPartWriter {
 public:
  // `connection` outlives the writer.
  SnapshotPartWriter(Connection* connection, uint64_t id);

  absl::Status Add(const SnapshotEntry& entry);
  absl::Status Add(const SnapshotChunk& chunk);
  // Writes what is left. Sets id, transactions, parts and bytes of what it returns.
  absl::StatusOr<PostgresSnapshot> Finish();

 private:
  absl::Status Append(absl::string_view transactions);
  absl::Status WritePart();

  Connection& connection_;
  PostgresSnapshot summary_;
  std::string part_;
};

// Reads the parts with this id. kDamagedLog if one is missing.
std::unique_ptr<SnapshotCursor> MakePartCursor(std::shared_ptr<Connection> connection, uint64_t id, uint64_t parts);

}  // namespace kvs::txn
