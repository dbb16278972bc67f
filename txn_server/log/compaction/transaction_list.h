// Takes serialized transactions apart without copying what they hold.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/arena.h>

#include <functional>
#include <optional>
#include <utility>

#include "common/model/transaction.h"

namespace kvs::txn {

// Reads the transactions of a serialized txn.v1.TransactionList one by one. Used by one thread.
class TransactionListReader {
 public:
  struct Item {
    Transaction transaction;
    absl::string_view entry;  // its bytes, as an entry of the list
  };

  // Takes a remembered request of a snapshot, which is valid during the call; its error is that of Next.
  using OnRequest = std::function<absl::Status(const RememberedRequest&)>;

  // For the lists of frames, which have no remembered requests.
  TransactionListReader() = default;
  // For those of snapshots.
  explicit TransactionListReader(OnRequest on_request) : on_request_(std::move(on_request)) {}

  // Begins with another list, which must live until the last of its items has been used.
  void Reset(absl::string_view list);

  // The next transaction, or nothing at the end. It is valid until the next call. What is remembered before it is given
  // away first. DataLoss if there is something else.
  absl::StatusOr<std::optional<Item>> Next();

 private:
  // Takes the message of the next entry off the list; `entry` is all of it.
  absl::StatusOr<absl::string_view> TakeMessage(absl::string_view* entry);

  const OnRequest on_request_;
  absl::string_view rest_;
  google::protobuf::Arena arena_;
};

}  // namespace kvs::txn
