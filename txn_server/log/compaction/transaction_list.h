// Takes serialized transactions apart without copying what they hold.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/arena.h>

#include <optional>

#include "common/model/transaction.h"

namespace kvs::txn {

// Reads the transactions of a serialized txn.v1.TransactionList one by one. Used by one thread.
class TransactionListReader {
 public:
  struct Item {
    Transaction transaction;
    absl::string_view entry;  // its bytes, as an entry of the list
  };

  // Begins with another list, which must live until the last of its items has been used.
  void Reset(absl::string_view list);

  // The next transaction, or nothing at the end. It is valid until the next call. DataLoss if there is something else.
  absl::StatusOr<std::optional<Item>> Next();

 private:
  absl::string_view rest_;
  google::protobuf::Arena arena_;
};

}  // namespace kvs::txn
