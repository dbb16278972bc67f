// Transactions to and from their stored form, txn.v1.Transaction. The only code that knows both.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "common/model/transaction.h"
#include "txn/v1/transaction.pb.h"

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

// Borrows from `stored`. DataLoss if it is not a transaction that Encode could have written.
absl::StatusOr<Transaction> Decode(const ::txn::v1::Transaction& stored);

// A request that is remembered, as an entry of a serialized txn.v1.TransactionList.
std::string Encode(const RememberedRequest& request);

// Borrows from `stored`. DataLoss if it is not a request that Encode could have written.
absl::StatusOr<RememberedRequest> Decode(const ::txn::v1::RememberedRequest& stored);

}  // namespace kvs
