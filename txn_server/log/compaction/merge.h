// Folds a snapshot and the changes after it into the next snapshot.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <memory>
#include <optional>
#include <vector>

#include "common/model/request_window.h"
#include "common/model/value.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// One transaction of a snapshot, or a request that it remembers, as an entry of a serialized txn.v1.TransactionList.
struct SnapshotEntry {
  std::optional<ValueType> type;  // of its key; nothing for a request
  bool begins_key = false;        // whether it is the first transaction of its key
  absl::string_view bytes;
};

using SnapshotSink = absl::FunctionRef<absl::Status(const SnapshotEntry&)>;

// Reads `sources`, each sorted by type and key, and gives what they amount to, in the same order, to `sink`; an error
// of the sink ends the merge. The first source is a snapshot, or null; the others are changes, oldest first. In front
// of everything come the remembered requests: `requests` has those of the changes, and gets those of the snapshot.
// Keeps a chunk of each source and the state of one key in memory. DataLoss if the changes do not follow from the
// snapshot.
absl::Status Merge(std::vector<std::unique_ptr<SnapshotCursor>> sources, RequestWindow* requests, SnapshotSink sink);

}  // namespace kvs::txn
