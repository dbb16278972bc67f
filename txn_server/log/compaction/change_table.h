// ChangeTable: what a run of transactions did to each key, in as few transactions as tell it.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/model/transaction.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Takes transactions as they come, and sorts them when that is asked for: to look up the key of each as it comes would
// wait for memory every time. Of a key it keeps what begins with the last transaction that tells its whole state: a
// put, a delete, or a number's increment, which has its result. A key that came and went is forgotten. Used by one
// thread.
class ChangeTable {
 public:
  // Takes the next transaction, and its bytes as an entry of a serialized txn.v1.TransactionList; REQUIRES: these have
  // less than 4 GiB in all. Only Fold tells whether it follows from what is known of its key.
  void Add(const Transaction& transaction, absl::string_view entry);

  // Sorts what was added, and drops what later transactions stand for. DataLoss, naming the revision, if one does not
  // follow from the one before of its key; only Clear may follow then. Of a key that came and went nobody finds out
  // that it was there before.
  absl::Status Fold();

  bool empty() const { return changes_.empty(); }

  // About what the table takes in memory, with what folding it takes.
  size_t memory_bytes() const;

  // Gives the transactions by type and key, and those of a key in their order. The first one of a key names the key's
  // revision before the run as its previous revision. The cursor must not outlive the table, nor a change of it.
  // REQUIRES: nothing was added since Fold.
  std::unique_ptr<SnapshotCursor> Read() const;

  // Forgets everything, and keeps the memory for what comes next.
  void Clear();

 private:
  // A transaction; its texts are in list_.
  struct Change {
    uint64_t revision = 0;
    uint64_t previous_revision = 0;  // that it has to name
    uint32_t entry_offset = 0;
    uint32_t entry_size = 0;
    uint32_t key_size = 0;
    uint32_t key_offset : 26;  // in the entry
    uint32_t type : 3;
    uint32_t is_whole : 1;    // the state after it does not depend on the one before
    uint32_t is_removal : 1;  // the key is absent after it
    uint32_t is_renamed : 1;  // its entry names another previous revision
  };
  using Changes = std::vector<Change>;
  // A change that is being sorted.
  struct Place {
    uint64_t order = 0;     // of a part of its key
    uint32_t index = 0;     // in changes_
    bool same_key = false;  // as the place before
  };
  using Places = absl::Span<Place>;
  class Reader;

  absl::string_view EntryOf(const Change& change) const {
    return {list_.data() + change.entry_offset, change.entry_size};
  }
  absl::string_view KeyOf(const Change& change) const {
    return {EntryOf(change).data() + change.key_offset, change.key_size};
  }
  absl::string_view KeyOf(const Place& place) const { return KeyOf(changes_[place.index]); }
  std::vector<Place> Sorted() const;
  void SortByKey(Places places) const;
  size_t SharedPrefix(Places places) const;
  void Keep(Change change, uint64_t revision_before, size_t key_begin, Changes* kept);
  void DropUnused();

  Changes changes_;
  std::string list_;       // the entries of all changes, and of some that were dropped
  size_t used_bytes_ = 0;  // of list_
};

}  // namespace kvs::txn
