#include "txn_server/log/compaction/change_table.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/model/transaction_codec.h"
#include "common/model/transaction_list.h"

namespace kvs::txn {
namespace {

// What a key costs beside its bytes and its transactions.
constexpr size_t kKeyOverheadBytes = 120;

// Whether the value after a transaction does not depend on the one before it.
struct IsWhole {
  bool operator()(const operation::Put&) const { return true; }
  bool operator()(const operation::Delete&) const { return true; }
  bool operator()(const operation::IntIncrement&) const { return true; }
  bool operator()(const operation::UintIncrement&) const { return true; }
  bool operator()(const operation::FloatIncrement&) const { return true; }
  bool operator()(const operation::Append&) const { return false; }
  bool operator()(const operation::AddMembers&) const { return false; }
  bool operator()(const operation::RemoveMembers&) const { return false; }
  bool operator()(const operation::PutFields&) const { return false; }
  bool operator()(const operation::RemoveFields&) const { return false; }
  bool operator()(const operation::SetExpiry&) const { return false; }
};

}  // namespace

// The entries of the table, sorted, as lists of about a frame's target size.
class ChangeTable::Sorted : public SnapshotCursor {
 public:
  explicit Sorted(std::array<KeyChanges, kValueTypeCount> types) : types_(std::move(types)) { SortType(); }

  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    chunk_.clear();
    while (chunk_.size() < kTargetFrameBytes) {
      absl::Status status;
      if (!rest_.empty()) {
        status = WriteRest();
      } else if (next_ < sorted_.size()) {
        status = WriteFirst(sorted_[next_++]->second);
      } else if (type_ + 1 < types_.size()) {
        ++type_;
        SortType();
      } else {
        break;
      }
      if (!status.ok()) return status;
    }
    if (chunk_.empty()) return std::nullopt;
    return SnapshotChunk{chunk_};
  }

 private:
  void SortType() {
    sorted_.clear();
    next_ = 0;
    sorted_.reserve(types_[type_].size());
    for (const auto& change : types_[type_]) sorted_.push_back(&change);
    std::sort(sorted_.begin(), sorted_.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  }

  // The first transaction has to name the revision before all that it stands for.
  absl::Status WriteFirst(const Changes& changes) {
    list_.Reset(changes.transactions);
    const auto first = list_.Next();
    if (!first.ok()) return first.status();
    Transaction transaction = (*first)->transaction;
    transaction.previous_revision = changes.revision_before;
    EncodedTransaction encoded(transaction);
    encoded.Stamp(transaction.revision, transaction.time_micros);
    chunk_ += encoded.bytes();
    rest_ = absl::string_view(changes.transactions).substr((*first)->entry.size());
    return absl::OkStatus();
  }

  // A key may have more transactions than a chunk can hold.
  absl::Status WriteRest() {
    absl::string_view piece = rest_;
    if (piece.size() > kTargetFrameBytes) {
      const auto next = list_.Next();
      if (!next.ok()) return next.status();
      piece = (*next)->entry;
    }
    chunk_.append(piece.data(), piece.size());
    rest_.remove_prefix(piece.size());
    return absl::OkStatus();
  }

  const std::array<KeyChanges, kValueTypeCount> types_;
  TransactionListReader list_;
  size_t type_ = 0;
  std::vector<const KeyChanges::value_type*> sorted_;  // of the type
  size_t next_ = 0;
  absl::string_view rest_;  // transactions of the key before that were not written yet
  std::string chunk_;
};

absl::Status ChangeTable::Add(const Transaction& transaction, absl::string_view entry) {
  KeyChanges& changes = types_[static_cast<size_t>(transaction.type)];
  const auto [it, inserted] = changes.try_emplace(transaction.key);
  Changes& key = it->second;
  if (inserted) {
    key.revision_before = key.revision = transaction.previous_revision;
    memory_bytes_ += kKeyOverheadBytes + transaction.key.size() + key.transactions.capacity();
  }
  if (transaction.previous_revision != key.revision) {
    return absl::DataLossError(absl::StrCat("at revision ", transaction.revision, " (", TypeName(transaction.type),
                                            "), the history has a hole: the key's change before should be ",
                                            transaction.previous_revision, " but is ", key.revision));
  }
  const bool deleted = std::holds_alternative<operation::Delete>(transaction.operation);
  memory_bytes_ -= key.transactions.capacity();
  if (deleted && key.revision_before == 0) {
    memory_bytes_ -= kKeyOverheadBytes + transaction.key.size();
    changes.erase(it);
    return absl::OkStatus();
  }
  key.revision = deleted ? 0 : transaction.revision;
  if (std::visit(IsWhole(), transaction.operation)) key.transactions.clear();
  key.transactions.append(entry.data(), entry.size());
  memory_bytes_ += key.transactions.capacity();
  return absl::OkStatus();
}

bool ChangeTable::empty() const {
  return std::all_of(types_.begin(), types_.end(), [](const KeyChanges& changes) { return changes.empty(); });
}

std::unique_ptr<SnapshotCursor> ChangeTable::TakeSorted() {
  memory_bytes_ = 0;
  return std::make_unique<Sorted>(std::exchange(types_, {}));
}

}  // namespace kvs::txn
