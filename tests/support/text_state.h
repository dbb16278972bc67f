// The keys and values that a log amounts to.
#pragma once

#include <map>
#include <string>

#include "tests/support/catch.h"
#include "txn/v1/transaction.pb.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Of each key, the revision of its last put and the text, for logs of nothing but puts of texts.
using TextState = std::map<std::string, std::pair<uint64_t, std::string>>;

inline void AddPuts(absl::string_view transactions, TextState& state) {
  ::txn::v1::TransactionList list;
  REQUIRE(list.ParseFromString(std::string(transactions)));
  for (const auto& transaction : list.transactions()) {
    state[transaction.key()] = {transaction.revision(), transaction.put().string_value()};
  }
}

// As a start reads it; the last revision is in `last`.
inline TextState StateOf(TxnLog& log) {
  TextState state;
  auto replay = log.ReplayState();
  REQUIRE(replay.status() == absl::OkStatus());
  while (replay->snapshot) {
    const auto chunk = replay->snapshot->Next();
    REQUIRE(chunk.status() == absl::OkStatus());
    if (!*chunk) break;
    AddPuts((*chunk)->transactions, state);
  }
  while (true) {
    const auto frame = replay->tail->Next();
    REQUIRE(frame.status() == absl::OkStatus());
    if (!*frame) break;
    AddPuts((*frame)->transactions, state);
  }
  return state;
}

}  // namespace kvs::txn
