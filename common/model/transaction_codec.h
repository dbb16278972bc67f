// Transactions to and from their stored form, txn.v1.Transaction. The only code that knows both.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <string>

#include "common/model/transaction.h"

namespace kvs {

// One transaction as an entry of a serialized txn.v1.TransactionList, so that joining the bytes of several gives a
// list. Its revision and time are filled in by Stamp when they are known.
class EncodedTransaction {
 public:
  // With `previous_distance` not 0, the key's change before is the transaction that is so many revisions earlier, and
  // Stamp fills in the previous revision as well; that of `transaction` is ignored.
  explicit EncodedTransaction(const Transaction& transaction, uint64_t previous_distance = 0);

  void Stamp(uint64_t revision, int64_t time_micros);

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  size_t revision_offset_ = 0;
  uint64_t previous_distance_ = 0;
};

// Reads a serialized txn.v1.Transaction into `transaction`, which borrows from it. DataLoss if EncodedTransaction could
// not have made it; `transaction` is meaningless then.
absl::Status DecodeTransaction(absl::string_view stored, Transaction* transaction);

// A request that is remembered, as an entry of a serialized txn.v1.TransactionList.
std::string Encode(const RememberedRequest& request);

// Takes a serialized txn.v1.RememberedRequest, and borrows from it. DataLoss if Encode could not have made it.
absl::StatusOr<RememberedRequest> DecodeRequest(absl::string_view stored);

}  // namespace kvs
