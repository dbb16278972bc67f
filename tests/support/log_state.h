// The state that transactions amount to, for comparison.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/model/key_state.h"
#include "common/model/request_window.h"
#include "common/model/transaction_codec.h"
#include "common/model/transaction_list.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

class LogState {
 public:
  using Key = std::pair<ValueType, std::string>;

  // DataLoss if it does not follow from the state.
  absl::Status Apply(const Transaction& transaction) {
    if (const auto request = RequestOf(transaction)) requests_->Add(*request);
    const Key key(transaction.type, std::string(transaction.key));
    KeyState& state = keys_[key];
    absl::Status status = state.Apply(transaction);
    if (!state.present()) keys_.erase(key);
    return status;
  }

  // Applies a serialized txn.v1.TransactionList and counts what it holds.
  absl::Status ApplyList(absl::string_view list, uint64_t* count = nullptr) {
    TransactionListReader reader([this](const RememberedRequest& request) {
      requests_->Add(request);
      return absl::OkStatus();
    });
    reader.Reset(list);
    while (true) {
      const auto item = reader.Next();
      if (!item.ok()) return item.status();
      if (!*item) return absl::OkStatus();
      if (absl::Status status = Apply((*item)->transaction); !status.ok()) return status;
      if (count != nullptr) ++*count;
    }
  }

  // Null if it is absent.
  const KeyState* Find(ValueType type, const std::string& key) const {
    const auto it = keys_.find({type, key});
    return it == keys_.end() ? nullptr : &it->second;
  }

  // In the order of snapshots.
  const std::map<Key, KeyState>& keys() const { return keys_; }

  // The requests and transactions of a snapshot of this state, as one list: equal for equal states, with their
  // revisions, times and actors.
  std::string Snapshot() const {
    std::string list;
    for (const std::string& part : SnapshotByKey()) list += part;
    return list;
  }
  // The same without the requests.
  std::string KeySnapshot() const {
    const std::vector<std::string> parts = SnapshotByKey();
    std::string list;
    for (size_t i = requests_->size(); i < parts.size(); ++i) list += parts[i];
    return list;
  }

  // The same, in a list for each key, and one for each request before them; counts the transactions.
  std::vector<std::string> SnapshotByKey(uint64_t* count = nullptr) const {
    std::vector<std::string> lists;
    requests_->ForEach([&](const RememberedRequest& request) { lists.push_back(Encode(request)); });
    if (count != nullptr) *count = 0;
    for (const auto& [key, state] : keys_) {
      lists.emplace_back();
      state.ForEachTransaction(key.second, [&](const Transaction& transaction) {
        EncodedTransaction encoded(transaction);
        encoded.Stamp(transaction.revision, transaction.time_micros);
        lists.back() += encoded.bytes();
        if (count != nullptr) ++*count;
      });
    }
    return lists;
  }

  const RequestWindow& requests() const { return *requests_; }

 private:
  std::map<Key, KeyState> keys_;
  std::unique_ptr<RequestWindow> requests_ = std::make_unique<RequestWindow>();
};

// The state after a list of transactions; the error of the first one that does not follow.
inline absl::StatusOr<LogState> StateOf(absl::string_view list) {
  LogState state;
  if (absl::Status status = state.ApplyList(list); !status.ok()) return status;
  return state;
}

inline absl::Status ReadSnapshot(StateReplay& replay, LogState& state) {
  uint64_t count = 0;
  while (replay.snapshot) {
    const auto chunk = replay.snapshot->Next();
    if (!chunk.ok()) return chunk.status();
    if (!*chunk) break;
    if (absl::Status status = state.ApplyList((*chunk)->transactions, &count); !status.ok()) return status;
  }
  for (const auto& [key, value] : state.keys()) {
    if (value.revision() > replay.snapshot_revision) return absl::InternalError("a key is newer than its snapshot");
  }
  if (count == replay.snapshot_transactions) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the snapshot has ", count, " transactions and announced ", replay.snapshot_transactions));
}

// The state of a log as a start gets it; an error if the snapshot and what follows it do not fit together.
inline absl::StatusOr<LogState> ReadState(TxnLog& log) {
  auto replay = log.ReplayState();
  if (!replay.ok()) return replay.status();
  LogState state;
  if (absl::Status status = ReadSnapshot(*replay, state); !status.ok()) return status;
  uint64_t next = replay->snapshot_revision + 1;
  while (true) {
    const auto frame = replay->tail->Next();
    if (!frame.ok()) return frame.status();
    if (!*frame) break;
    if ((*frame)->first_revision != next) return absl::InternalError("the tail does not follow");
    next += (*frame)->count;
    if (absl::Status status = state.ApplyList((*frame)->transactions); !status.ok()) return status;
  }
  return state;
}

}  // namespace kvs::txn
