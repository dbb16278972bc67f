// Makes the next snapshot of a log in bounded memory: the last snapshot, and what was logged since.
//
// What was logged is gathered in a ChangeTable. When that has grown to its bound it is folded by key, and spilled as a
// sorted run if that does not make it small; in the end everything is merged. So each transaction is read once, a key
// that changes often costs no more than one that changed once, and memory depends neither on the number of keys nor on
// that of transactions; on top of the bound come one chunk of each run, the largest value of a key, and the remembered
// requests.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "txn_server/log/compaction/merge.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

struct FoldLogOptions {
  size_t table_bytes = 32 << 20;  // that the ChangeTable may take
  // Writes a run somewhere, and returns a cursor that reads it back.
  absl::FunctionRef<absl::StatusOr<std::unique_ptr<SnapshotCursor>>(SnapshotCursor& run)> spill;
  // Asked often; the fold ends with CANCELLED when it says so.
  absl::FunctionRef<bool()> cancelled;
};

struct FoldLogResult {
  uint64_t transactions = 0;    // read from the log
  int64_t time_micros = 0;      // of the last of them, 0 if there was none
  uint64_t oldest_request = 0;  // the revision of the oldest request that is still remembered, 0 if none is
};

// Gives the state after the last transaction of `log` to `sink`. `snapshot` is the state before its first one, null if
// that is empty. DataLoss if the log does not follow from the snapshot, but for what ChangeTable says of keys that
// came and went; errors of the cursors, of the spill and of the sink end the fold.
absl::StatusOr<FoldLogResult> FoldLog(std::unique_ptr<SnapshotCursor> snapshot, LogCursor& log,
                                      const FoldLogOptions& options, SnapshotSink sink);

}  // namespace kvs::txn
