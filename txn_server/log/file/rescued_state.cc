#include "txn_server/log/file/rescued_state.h"

#include <absl/functional/function_ref.h>

#include <algorithm>
#include <optional>

#include "common/limits.h"
#include "common/model/transaction_codec.h"
#include "common/model/transaction_list.h"

namespace kvs::txn {
namespace {

// Whether the value after it does not depend on the one before.
bool SetsAll(const Operation& operation) {
  return std::holds_alternative<operation::Put>(operation) ||
         std::holds_alternative<operation::IntIncrement>(operation) ||
         std::holds_alternative<operation::UintIncrement>(operation) ||
         std::holds_alternative<operation::FloatIncrement>(operation);
}

bool IsCollection(ValueType type) { return type == ValueType::kSet || type == ValueType::kMap; }

absl::Status ForEach(absl::string_view transactions, RequestWindow& requests,
                     absl::FunctionRef<void(const Transaction&)> use) {
  TransactionListReader list([&requests](const RememberedRequest& request) {
    requests.Add(request);
    return absl::OkStatus();
  });
  list.Reset(transactions);
  while (true) {
    const auto item = list.Next();
    if (!item.ok()) return item.status();
    if (!*item) return absl::OkStatus();
    if (const auto request = RequestOf((*item)->transaction)) requests.Add(*request);
    use((*item)->transaction);
  }
}

}  // namespace

// Emits the requests and the keys in order, as lists of about a frame's target size.
class RescuedState::Cursor : public SnapshotCursor {
 public:
  Cursor(const RequestWindow& requests, const Keys& keys) : next_(keys.begin()), end_(keys.end()) {
    requests.ForEach([this](const RememberedRequest& request) { requests_.push_back(Encode(request)); });
  }

  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    chunk_.clear();
    for (; next_request_ < requests_.size() && chunk_.size() < kTargetFrameBytes; ++next_request_) {
      chunk_ += requests_[next_request_];
    }
    for (; next_ != end_ && chunk_.size() < kTargetFrameBytes; ++next_) {
      next_->second.state.ForEachTransaction(next_->first.second, [this](const Transaction& transaction) {
        EncodedTransaction encoded(transaction);
        encoded.Stamp(transaction.revision, transaction.time_micros);
        chunk_ += encoded.bytes();
      });
    }
    if (chunk_.empty()) return std::nullopt;
    return SnapshotChunk{chunk_};
  }

 private:
  std::vector<std::string> requests_;
  size_t next_request_ = 0;
  Keys::const_iterator next_;
  const Keys::const_iterator end_;
  std::string chunk_;
};

void RescuedState::BeginSnapshot() {
  part_of_ = {};
  taking_ = false;
  snapshot_keys_ = 0;
}

absl::Status RescuedState::AddFromSnapshot(absl::string_view transactions, bool behind_loss) {
  // A large collection may have gone on in what is missing.
  const auto last = behind_loss && taking_ && IsCollection(part_of_.first) ? keys_.find(part_of_) : keys_.end();
  if (last != keys_.end()) last->second.doubtful = true;
  return ForEach(transactions, requests_, [this](const Transaction& transaction) { TakeFromSnapshot(transaction); });
}

absl::Status RescuedState::Add(const Frame& frame) {
  return ForEach(frame.transactions, requests_, [this](const Transaction& transaction) { Apply(transaction); });
}

void RescuedState::TakeFromSnapshot(const Transaction& transaction) {
  const bool begins = transaction.previous_revision == 0;
  if (begins) ++snapshot_keys_;
  std::pair<ValueType, std::string> key(transaction.type, std::string(transaction.key));
  if (key != part_of_) {
    const auto known = keys_.find(key);
    const uint64_t revision = known != keys_.end() ? known->second.last_revision : 0;
    taking_ = revision < transaction.revision || (revision == transaction.revision && begins && known->second.doubtful);
    if (taking_ && known != keys_.end()) keys_.erase(known);
    part_of_ = std::move(key);
  }
  if (taking_) Apply(transaction);
}

void RescuedState::Apply(Transaction transaction) {
  time_micros_ = std::max(time_micros_, transaction.time_micros);
  const auto it = keys_.try_emplace({transaction.type, std::string(transaction.key)}).first;
  Key& key = it->second;
  const bool follows = transaction.previous_revision == key.state.revision();
  if (std::holds_alternative<operation::Delete>(transaction.operation)) {
    keys_.erase(it);
    return;
  }
  transaction.previous_revision = key.state.revision();
  key.last_revision = transaction.revision;
  key.doubtful = !SetsAll(transaction.operation) && (key.doubtful || !follows);
  if (!key.doubtful) {
    // What follows from what it says cannot fail, and where it does, nothing is known of the key.
    if (!key.state.Apply(transaction).ok()) keys_.erase(it);
    return;
  }
  // It may not fit what there is, such as the removal of a member whose addition is missing. Then it still tells that
  // there was the key, of which nothing may be known.
  KeyState changed = key.state;
  if (changed.Apply(transaction).ok()) key.state = std::move(changed);
}

uint64_t RescuedState::transactions() const {
  uint64_t count = 0;
  for (const auto& [name, key] : keys_) {
    key.state.ForEachTransaction(name.second, [&](const Transaction&) { ++count; });
  }
  return count;
}

std::vector<DoubtfulKey> RescuedState::DoubtfulKeys() const {
  std::vector<DoubtfulKey> doubtful;
  for (const auto& [name, key] : keys_) {
    if (key.doubtful) doubtful.push_back({name.first, name.second, key.last_revision});
  }
  return doubtful;
}

std::unique_ptr<SnapshotCursor> RescuedState::Snapshot() const { return std::make_unique<Cursor>(requests_, keys_); }

}  // namespace kvs::txn
