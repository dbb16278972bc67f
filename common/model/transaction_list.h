// Takes serialized transactions apart without copying what they hold.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <functional>
#include <utility>

#include "common/model/transaction.h"

namespace kvs {

// Reads the transactions of a serialized txn.v1.TransactionList one by one. Used by one thread.
class TransactionListReader {
 public:
  // Borrows from the list.
  struct Item {
    Transaction transaction;
    absl::string_view entry;  // its bytes, as an entry of the list
  };

  // Takes a remembered request of a snapshot, which borrows from the list; its error is that of Next.
  using OnRequest = std::function<absl::Status(const RememberedRequest&)>;

  // For the lists of frames, which have no remembered requests.
  TransactionListReader() = default;
  // For those of snapshots.
  explicit TransactionListReader(OnRequest on_request) : on_request_(std::move(on_request)) {}

  // Begins with another list.
  void Reset(absl::string_view list) { rest_ = list; }

  // The next transaction, which is there until the next call; null at the end. What is remembered before it is given
  // away first. DataLoss if there is something else; the next call goes on behind that where it can be told where it
  // ends, and is at the end otherwise.
  absl::StatusOr<Item*> Next();

 private:
  OnRequest on_request_;
  absl::string_view rest_;
  Item item_;
};

}  // namespace kvs
