// Transactions as entries of a serialized txn.v1.TransactionList.
#pragma once

#include <absl/strings/string_view.h>

#include <string>
#include <utility>

#include "common/model/transaction_codec.h"

namespace kvs {

inline std::string Entry(const Transaction& transaction) {
  EncodedTransaction encoded(transaction);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  return encoded.bytes();
}

// A transaction as an entry of a list; its time is its revision.
inline std::string Entry(uint64_t revision, uint64_t previous_revision, ValueType type, absl::string_view key,
                         Operation operation) {
  Transaction transaction;
  transaction.revision = revision;
  transaction.time_micros = static_cast<int64_t>(revision);
  transaction.previous_revision = previous_revision;
  transaction.actor = "spiffe://kvs/client/test";
  transaction.type = type;
  transaction.key = key;
  transaction.operation = std::move(operation);
  return Entry(transaction);
}

}  // namespace kvs
