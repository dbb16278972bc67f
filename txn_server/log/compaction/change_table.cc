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
        status = WriteFirst(sorted_[next_++].change->second);
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
  // A key of the type in its place. Most comparisons need only the number.
  struct Place {
    uint64_t order = 0;
    const KeyChanges::value_type* change = nullptr;
  };

  void SortType() {
    const KeyChanges& changes = types_[type_];
    const size_t shared = SharedPrefix(changes);
    sorted_.clear();
    next_ = 0;
    sorted_.reserve(changes.size());
    for (const auto& change : changes) sorted_.push_back({OrderOf(change.first, shared), &change});
    std::sort(sorted_.begin(), sorted_.end(), [](const Place& a, const Place& b) {
      return a.order != b.order ? a.order < b.order : a.change->first < b.change->first;
    });
  }

  // How many bytes all keys begin with alike.
  static size_t SharedPrefix(const KeyChanges& changes) {
    absl::string_view shared;
    for (const auto& [key, change] : changes) {
      if (shared.data() == nullptr) shared = key;
      const auto differ = std::mismatch(shared.begin(), shared.end(), key.begin(), key.end());
      shared = shared.substr(0, static_cast<size_t>(differ.first - shared.begin()));
    }
    return shared.size();
  }

  // The eight bytes of a key from `begin` on, as a number: keys of different numbers are in the order of these.
  static uint64_t OrderOf(absl::string_view key, size_t begin) {
    uint64_t order = 0;
    for (size_t i = begin; i < begin + sizeof(order); ++i) {
      order = order << 8 | (i < key.size() ? static_cast<uint8_t>(key[i]) : 0);
    }
    return order;
  }

  // The first transaction has to name the revision before all that it stands for.
  absl::Status WriteFirst(const Changes& changes) {
    list_.Reset(changes.transactions);
    rest_ = changes.transactions;
    if (changes.first_previous == changes.revision_before) return WriteRest();
    const auto first = list_.Next();
    if (!first.ok()) return first.status();
    Transaction transaction = (*first)->transaction;
    transaction.previous_revision = changes.revision_before;
    EncodedTransaction encoded(transaction);
    encoded.Stamp(transaction.revision, transaction.time_micros);
    chunk_ += encoded.bytes();
    rest_.remove_prefix((*first)->entry.size());
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
  std::vector<Place> sorted_;  // of the type
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
  if (key.transactions.empty()) key.first_previous = transaction.previous_revision;
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
