// Removes the changes that deletes have hidden.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>

#include "txn_server/log/postgres/connection.h"

namespace kvs::txn {

// Removes what deletes up to `revision` have hidden, at most 1,000 rows at a time and each time in a database
// transaction of its own, so that no writer waits. There must be a snapshot at `revision` or later, and the ledger must
// say that it is compacted up to there. Returns how many changes were removed; ends early when `cancelled` says so.
absl::StatusOr<uint64_t> RemoveHiddenHistory(Connection& connection, uint64_t revision,
                                             absl::FunctionRef<bool()> cancelled);

}  // namespace kvs::txn
