#include "txn_server/log/compaction/change_table.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "common/model/transaction_codec.h"
#include "common/model/transaction_list.h"

namespace kvs::txn {
namespace {

// Entries lie in memory as they came. So far ahead of its use is an entry fetched when they are read by key.
constexpr size_t kFetchAhead = 8;

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

// The eight bytes of a key from `begin` on, as a number: keys of different numbers are in the order of these.
uint64_t OrderOf(absl::string_view key, size_t begin) {
  uint64_t order = 0;
  for (size_t i = begin; i < begin + sizeof(order); ++i) {
    order = order << 8 | (i < key.size() ? static_cast<uint8_t>(key[i]) : 0);
  }
  return order;
}

// An entry with the same transaction, but for its previous revision.
absl::StatusOr<std::string> Rename(absl::string_view entry, uint64_t previous_revision) {
  TransactionListReader list;
  list.Reset(entry);
  const auto item = list.Next();
  if (!item.ok()) return item.status();
  Transaction transaction = (*item)->transaction;
  transaction.previous_revision = previous_revision;
  EncodedTransaction encoded(transaction);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  return encoded.bytes();
}

}  // namespace

// Gives the changes as lists of about a frame's target size.
class ChangeTable::Reader : public SnapshotCursor {
 public:
  explicit Reader(const ChangeTable& table) : table_(table) {}

  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    chunk_.clear();
    while (chunk_.size() < kTargetFrameBytes && type_ < table_.types_.size()) {
      const Changes& changes = table_.types_[type_];
      if (next_ == changes.size()) {
        ++type_;
        next_ = 0;
        continue;
      }
      if (next_ + kFetchAhead < changes.size()) {
        __builtin_prefetch(table_.list_.data() + changes[next_ + kFetchAhead].entry_offset);
      }
      if (absl::Status status = Write(changes[next_++]); !status.ok()) return status;
    }
    if (chunk_.empty()) return std::nullopt;
    return SnapshotChunk{chunk_};
  }

 private:
  absl::Status Write(const Change& change) {
    const absl::string_view entry = table_.EntryOf(change);
    if (!change.is_renamed) {
      chunk_.append(entry.data(), entry.size());
      return absl::OkStatus();
    }
    const auto renamed = Rename(entry, change.previous_revision);
    if (!renamed.ok()) return renamed.status();
    chunk_ += *renamed;
    return absl::OkStatus();
  }

  const ChangeTable& table_;
  size_t type_ = 0;
  size_t next_ = 0;  // of the type's changes
  std::string chunk_;
};

void ChangeTable::Add(const Transaction& transaction, absl::string_view entry) {
  Change change{};
  change.revision = transaction.revision;
  change.previous_revision = transaction.previous_revision;
  change.entry_offset = static_cast<uint32_t>(list_.size());
  change.entry_size = static_cast<uint32_t>(entry.size());
  change.key_offset = static_cast<uint32_t>(transaction.key.data() - entry.data());
  change.key_size = static_cast<uint32_t>(transaction.key.size());
  change.is_whole = std::visit(IsWhole(), transaction.operation);
  change.is_removal = std::holds_alternative<operation::Delete>(transaction.operation);
  types_[static_cast<size_t>(transaction.type)].push_back(change);
  list_.append(entry.data(), entry.size());
  used_bytes_ += entry.size();
}

absl::Status ChangeTable::Fold() {
  for (const ValueType type : kValueTypes) {
    if (absl::Status status = FoldType(type); !status.ok()) return status;
  }
  // Copying is worth it where much is gained, and takes little memory then.
  if (used_bytes_ <= list_.size() / 2) DropUnused();
  return absl::OkStatus();
}

absl::Status ChangeTable::FoldType(ValueType type) {
  Changes& changes = types_[static_cast<size_t>(type)];
  Sort(changes);
  kept_.clear();
  size_t key_begin = 0;          // in kept_
  uint64_t revision_before = 0;  // of the key, 0 if it was absent
  uint64_t revision = 0;         // of the key now, 0 if it is absent
  for (size_t i = 0; i < sorted_.size(); ++i) {
    const Change& change = changes[sorted_[i].index];
    // Different numbers spare looking at the keys, which are not at hand.
    const bool is_first =
        i == 0 || sorted_[i - 1].order != sorted_[i].order || KeyOf(changes[sorted_[i - 1].index]) != KeyOf(change);
    if (is_first) {
      key_begin = kept_.size();
      revision_before = revision = change.previous_revision;
    }
    if (change.previous_revision != revision) {
      return absl::DataLossError(absl::StrCat("at revision ", change.revision, " (", TypeName(type),
                                              "), the history has a hole: the key's change before should be ",
                                              change.previous_revision, " but is ", revision));
    }
    revision = change.is_removal ? 0 : change.revision;
    Keep(change, revision_before, key_begin);
  }
  changes.swap(kept_);
  return absl::OkStatus();
}

// Takes the next change of the key whose kept ones begin at `key_begin`.
void ChangeTable::Keep(Change change, uint64_t revision_before, size_t key_begin) {
  if (change.is_whole) {
    for (size_t i = key_begin; i < kept_.size(); ++i) used_bytes_ -= kept_[i].entry_size;
    kept_.resize(key_begin);
  }
  if (change.is_removal && revision_before == 0) {
    used_bytes_ -= change.entry_size;
    return;
  }
  if (kept_.size() == key_begin && change.previous_revision != revision_before) {
    change.previous_revision = revision_before;
    change.is_renamed = 1;
  }
  kept_.push_back(change);
}

void ChangeTable::Sort(const Changes& changes) {
  const size_t shared = SharedPrefix(changes);
  sorted_.clear();
  sorted_.reserve(changes.size());
  for (const Change& change : changes)
    sorted_.push_back({OrderOf(KeyOf(change), shared), static_cast<uint32_t>(sorted_.size())});
  std::sort(sorted_.begin(), sorted_.end(), [&](const Place& a, const Place& b) {
    if (a.order != b.order) return a.order < b.order;
    const int order = KeyOf(changes[a.index]).compare(KeyOf(changes[b.index]));
    return order != 0 ? order < 0 : a.index < b.index;
  });
}

// How many bytes all keys begin with alike.
size_t ChangeTable::SharedPrefix(const Changes& changes) const {
  if (changes.empty()) return 0;
  absl::string_view shared = KeyOf(changes.front());
  for (const Change& change : changes) {
    const absl::string_view key = KeyOf(change);
    const auto differ = std::mismatch(shared.begin(), shared.end(), key.begin(), key.end());
    shared = shared.substr(0, static_cast<size_t>(differ.first - shared.begin()));
  }
  return shared.size();
}

// Copies what is used of list_, in the order of the changes.
void ChangeTable::DropUnused() {
  std::string used;
  used.reserve(used_bytes_);
  for (Changes& changes : types_) {
    for (Change& change : changes) {
      const absl::string_view entry = EntryOf(change);
      change.entry_offset = static_cast<uint32_t>(used.size());
      used.append(entry.data(), entry.size());
    }
  }
  list_ = std::move(used);
}

size_t ChangeTable::memory_bytes() const {
  size_t changes = 0;
  for (const Changes& type : types_) changes += type.size();
  return list_.size() + changes * (2 * sizeof(Change) + sizeof(Place));
}

std::unique_ptr<SnapshotCursor> ChangeTable::Read() const { return std::make_unique<Reader>(*this); }

void ChangeTable::Clear() {
  for (Changes& changes : types_) changes.clear();
  list_.clear();
  used_bytes_ = 0;
}

}  // namespace kvs::txn
