// RescuedState: the keys and values that the readable part of a damaged history amounts to.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/model/key_state.h"
#include "common/model/request_window.h"
#include "common/model/transaction.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A key of which a change was missing, and whose value was not set as a whole since. It may be absent from the state.
struct DoubtfulKey {
  ValueType type = ValueType::kInt;
  std::string key;
  uint64_t revision = 0;  // of the last change that was found
};

// Where a change is missing, the next one is applied to what there is; the requests that are found are remembered. All
// keys are in memory, as in kvs_server. Used by one thread.
class RescuedState {
 public:
  // What AddFromSnapshot gets from now on is of another snapshot.
  void BeginSnapshot();

  // Takes the next transactions of the snapshot, those of keys that are newer there than here. `behind_loss` if some
  // are missing before them. DataLoss if they cannot be decoded.
  absl::Status AddFromSnapshot(absl::string_view transactions, bool behind_loss);

  // The keys of the snapshot so far, newer or not.
  uint64_t snapshot_keys() const { return snapshot_keys_; }

  // Takes the next transactions of the log. DataLoss if they cannot be decoded.
  absl::Status Add(const Frame& frame);

  int64_t time_micros() const { return time_micros_; }  // of the newest transaction
  uint64_t transactions() const;                        // that Snapshot has
  std::vector<DoubtfulKey> DoubtfulKeys() const;

  // The state as a snapshot. It refers to this.
  std::unique_ptr<SnapshotCursor> Snapshot() const;

 private:
  struct Key {
    KeyState state;              // absent where nothing is known but that there was the key
    uint64_t last_revision = 0;  // of the last change that was found, also if it could not be applied
    bool doubtful = false;
  };
  using Keys = std::map<std::pair<ValueType, std::string>, Key>;  // in the order of snapshots
  class Cursor;

  void TakeFromSnapshot(const Transaction& transaction);
  void Apply(Transaction transaction);

  Keys keys_;
  RequestWindow requests_;
  // The key that the snapshot came to, and whether it is taken.
  std::pair<ValueType, std::string> part_of_;
  bool taking_ = false;
  uint64_t snapshot_keys_ = 0;
  int64_t time_micros_ = 0;
};

}  // namespace kvs::txn
