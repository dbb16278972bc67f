#include "kvs_server/store/store.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/model/fold.h"

namespace kvs::server {
namespace {

absl::Status DoesNotFollow(const Transaction& transaction, absl::string_view why) {
  return absl::DataLossError(absl::StrCat("the ledger is not the history of this state: at revision ",
                                          transaction.revision, " (", TypeName(transaction.type), "), ", why));
}

}  // namespace

template <class T>
absl::Status Shard::ApplyTo(Table<T>& table, const Transaction& transaction, size_t hash) {
  Entry<T>* entry = table.Find(transaction.key, hash);
  const uint64_t revision = entry ? entry->revision : 0;
  if (transaction.previous_revision != revision) {
    return DoesNotFollow(transaction, absl::StrCat("the key's change before should be ", transaction.previous_revision,
                                                   " but is ", revision));
  }
  if (std::holds_alternative<operation::Delete>(transaction.operation)) {
    if (!entry) return DoesNotFollow(transaction, "an absent key is deleted");
    table.Erase(entry, hash);
    newest_delete_ = transaction.revision;
    return absl::OkStatus();
  }
  if (!entry) entry = table.Insert(transaction.key, hash);
  if (absl::Status status = Fold(entry->value, transaction.operation); !status.ok()) {
    return DoesNotFollow(transaction, status.message());
  }
  entry->revision = transaction.revision;
  return absl::OkStatus();
}

absl::Status Shard::Apply(const Transaction& transaction, size_t hash) {
  newest_revision_ = transaction.revision;
  switch (transaction.type) {
    case ValueType::kInt:
      return ApplyTo(table<int64_t>(), transaction, hash);
    case ValueType::kUint:
      return ApplyTo(table<uint64_t>(), transaction, hash);
    case ValueType::kFloat:
      return ApplyTo(table<double>(), transaction, hash);
    case ValueType::kString:
      return ApplyTo(table<std::string>(), transaction, hash);
    case ValueType::kSet:
      return ApplyTo(table<SetValue>(), transaction, hash);
    case ValueType::kMap:
      return ApplyTo(table<MapValue>(), transaction, hash);
  }
  return DoesNotFollow(transaction, "the type is not known");
}

size_t Shard::size(ValueType type) const {
  switch (type) {
    case ValueType::kInt:
      return std::get<Table<int64_t>>(tables_).size();
    case ValueType::kUint:
      return std::get<Table<uint64_t>>(tables_).size();
    case ValueType::kFloat:
      return std::get<Table<double>>(tables_).size();
    case ValueType::kString:
      return std::get<Table<std::string>>(tables_).size();
    case ValueType::kSet:
      return std::get<Table<SetValue>>(tables_).size();
    case ValueType::kMap:
      return std::get<Table<MapValue>>(tables_).size();
  }
  return 0;
}

absl::Status Store::Apply(const Transaction& transaction) {
  const size_t hash = HashKey(transaction.key);
  Shard& owner = shard(hash);
  MutexLock lock(&owner.mutex());
  return owner.Apply(transaction, hash);
}

Store::Sizes Store::CountKeys() {
  Sizes sizes;
  for (Shard& shard : shards_) {
    MutexLock lock(&shard.mutex());
    for (const ValueType type : kValueTypes) sizes.keys[static_cast<size_t>(type)] += shard.size(type);
    sizes.newest_revision = std::max(sizes.newest_revision, shard.newest_revision());
  }
  return sizes;
}

}  // namespace kvs::server
