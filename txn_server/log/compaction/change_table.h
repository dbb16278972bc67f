// ChangeTable: what a run of transactions did to each key, in as few transactions as tell it.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "common/model/transaction.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Keeps, of each key, the transactions from the last one that tells its whole state: a put, a delete, or a number's
// increment, which has its result. A key that came and went within the run is forgotten. Used by one thread.
class ChangeTable {
 public:
  // Takes the next transaction, and its bytes as an entry of a serialized txn.v1.TransactionList. DataLoss, naming the
  // revision, if it does not follow from what is known of its key.
  absl::Status Add(const Transaction& transaction, absl::string_view entry);

  bool empty() const;

  // About what the table takes in memory.
  size_t memory_bytes() const { return memory_bytes_; }

  // Gives the transactions by type and key, and those of a key in their order, and leaves the table empty. The first
  // one of a key names the key's revision before the run as its previous revision.
  std::unique_ptr<SnapshotCursor> TakeSorted();

 private:
  struct Changes {
    uint64_t revision_before = 0;  // 0 if the key was absent
    uint64_t revision = 0;         // 0 if the key is absent now
    uint64_t first_previous = 0;   // the previous revision that the first of `transactions` names
    std::string transactions;      // a serialized txn.v1.TransactionList
  };
  using KeyChanges = absl::flat_hash_map<std::string, Changes>;
  class Sorted;

  std::array<KeyChanges, kValueTypeCount> types_;
  size_t memory_bytes_ = 0;
};

}  // namespace kvs::txn
