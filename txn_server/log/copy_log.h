// Copies a log into another one, of whatever kinds they are.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>

#include "txn_server/log/progress.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

struct CopyReport {
  uint64_t revision = 0;  // the newest one
  uint64_t epoch = 0;
  uint64_t snapshot_revision = 0;      // up to which the copy has the state alone, 0 if it has all of history
  uint64_t snapshot_transactions = 0;  // that make up this state
  uint64_t transactions = 0;           // behind it
};

// Copies `history` of the log at `position` into `target`, which is empty: revisions stay what they are, and so do the
// epoch and the writer; the log id is the target's. `progress` counts revisions. kDamagedLog if the source cannot be
// read or does not reach the revision of `position`; errors of the target end the copy, which is thrown away then.
absl::StatusOr<CopyReport> CopyLog(const LogPosition& position, StateReplay history, TxnLog& target,
                                   const ProgressFunction& progress);

// The same for all of the history of `source`, to which nobody writes.
absl::StatusOr<CopyReport> CopyLog(TxnLog& source, TxnLog& target, const ProgressFunction& progress);

}  // namespace kvs::txn
