#include "txn_server/log/compaction/change_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "common/model/key_state.h"
#include "common/model/transaction_codec.h"
#include "common/model/transaction_list.h"
#include "common/prefetch.h"

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

// So many bytes of a key are compared at a time.
constexpr size_t kOrderBytes = 7;

// These bytes of a key from `begin` on, and how many it has, as a number: keys of different numbers are in the order of
// these, and keys of the same one have the same end, or all go on.
uint64_t OrderOf(absl::string_view key, size_t begin) {
  uint64_t order = 0;
  for (size_t i = begin; i < begin + kOrderBytes; ++i) {
    order = order << 8 | (i < key.size() ? static_cast<uint8_t>(key[i]) : 0);
  }
  return order << 8 | std::min(key.size() - begin, kOrderBytes + 1);
}

bool GoesOn(uint64_t order) { return (order & 0xff) > kOrderBytes; }

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
    const Changes& changes = table_.changes_;
    chunk_.clear();
    for (; chunk_.size() < kTargetFrameBytes && next_ < changes.size(); ++next_) {
      if (next_ + kFetchAhead < changes.size()) {
        Prefetch(table_.EntryOf(changes[next_ + kFetchAhead]).data());
      }
      if (absl::Status status = Write(changes[next_]); !status.ok()) return status;
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
  size_t next_ = 0;
  std::string chunk_;
};

void ChangeTable::Add(const Transaction& transaction, absl::string_view entry) {
  Change change{};
  change.revision = transaction.revision;
  change.previous_revision = transaction.previous_revision;
  change.entry_offset = static_cast<uint32_t>(list_.size());
  change.entry_size = static_cast<uint32_t>(entry.size());
  change.key_size = static_cast<uint32_t>(transaction.key.size());
  change.key_offset = static_cast<uint32_t>(transaction.key.data() - entry.data());
  change.type = static_cast<uint32_t>(transaction.type);
  change.is_whole = std::visit(IsWhole(), transaction.operation);
  change.is_removal = std::holds_alternative<operation::Delete>(transaction.operation);
  changes_.push_back(change);
  list_.append(entry.data(), entry.size());
  used_bytes_ += entry.size();
}

absl::Status ChangeTable::Fold() {
  Changes kept;
  kept.reserve(changes_.size());
  size_t key_begin = 0;          // in `kept`
  uint64_t revision_before = 0;  // of the key, 0 if it was absent
  uint64_t revision = 0;         // of the key now, 0 if it is absent
  for (const Place& place : Sorted()) {
    const Change& change = changes_[place.index];
    if (!place.same_key) {
      key_begin = kept.size();
      revision_before = revision = change.previous_revision;
    }
    if (change.previous_revision != revision) {
      return WrongChangeBefore(change.revision, static_cast<ValueType>(change.type), change.previous_revision,
                               revision);
    }
    revision = change.is_removal ? 0 : change.revision;
    Keep(change, revision_before, key_begin, &kept);
  }
  changes_ = std::move(kept);
  // Copying is worth it where much is gained, and takes little memory then.
  if (used_bytes_ <= list_.size() / 2) DropUnused();
  return absl::OkStatus();
}

// Takes the next change of the key whose kept ones begin at `key_begin`.
void ChangeTable::Keep(Change change, uint64_t revision_before, size_t key_begin, Changes* kept) {
  if (change.is_whole) {
    for (size_t i = key_begin; i < kept->size(); ++i) used_bytes_ -= (*kept)[i].entry_size;
    kept->resize(key_begin);
  }
  if (change.is_removal && revision_before == 0) {
    used_bytes_ -= change.entry_size;
    return;
  }
  if (kept->size() == key_begin && change.previous_revision != revision_before) {
    change.previous_revision = revision_before;
    change.is_renamed = 1;
  }
  kept->push_back(change);
}

// All changes by type, key, and the order in which they came.
std::vector<ChangeTable::Place> ChangeTable::Sorted() const {
  std::vector<Place> sorted;
  sorted.reserve(changes_.size());
  for (const ValueType type : kValueTypes) {
    const size_t begin = sorted.size();
    for (size_t i = 0; i < changes_.size(); ++i) {
      if (changes_[i].type == static_cast<uint32_t>(type)) sorted.push_back({0, static_cast<uint32_t>(i)});
    }
    SortByKey(absl::MakeSpan(sorted).subspan(begin));
  }
  return sorted;
}

// Sorts a part of the key at a time, whose numbers are at hand where keys are not; most keys need one.
void ChangeTable::SortByKey(Places places) const {
  const size_t shared = SharedPrefix(places);
  for (Place& place : places) place.order = OrderOf(KeyOf(place), shared);
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.order != b.order ? a.order < b.order : a.index < b.index; });
  for (size_t begin = 0, end = 0; begin < places.size(); begin = end) {
    const uint64_t order = places[begin].order;
    for (end = begin + 1; end < places.size() && places[end].order == order; ++end) {
      places[end].same_key = !GoesOn(order);
    }
    if (GoesOn(order) && end - begin > 1) SortByKey(places.subspan(begin, end - begin));
  }
}

// How many bytes all keys begin with alike.
size_t ChangeTable::SharedPrefix(Places places) const {
  if (places.empty()) return 0;
  absl::string_view shared = KeyOf(places.front());
  for (const Place& place : places) {
    const absl::string_view key = KeyOf(place);
    const auto differ = std::mismatch(shared.begin(), shared.end(), key.begin(), key.end());
    shared = shared.substr(0, static_cast<size_t>(differ.first - shared.begin()));
  }
  return shared.size();
}

// Copies what is used of list_, in the order of the changes.
void ChangeTable::DropUnused() {
  std::string used;
  used.reserve(used_bytes_);
  for (Change& change : changes_) {
    const absl::string_view entry = EntryOf(change);
    change.entry_offset = static_cast<uint32_t>(used.size());
    used.append(entry.data(), entry.size());
  }
  list_ = std::move(used);
}

size_t ChangeTable::memory_bytes() const {
  return list_.size() + changes_.size() * (2 * sizeof(Change) + sizeof(Place));
}

std::unique_ptr<SnapshotCursor> ChangeTable::Read() const { return std::make_unique<Reader>(*this); }

void ChangeTable::Clear() {
  changes_.clear();
  list_.clear();
  used_bytes_ = 0;
}

}  // namespace kvs::txn
