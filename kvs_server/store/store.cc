#include "kvs_server/store/store.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/model/fold.h"
#include "common/prefetch.h"
#include "kvs_server/store/footprint.h"

namespace kvs::server {
namespace {

absl::Status DoesNotFollow(const Transaction& transaction, absl::string_view why) {
  return absl::DataLossError(absl::StrCat("the ledger is not the history of this state: at revision ",
                                          transaction.revision, " (", TypeName(transaction.type), "), ", why));
}

// Of one key, null if it is absent.
template <class T>
Size SizeOfEntry(const Entry<T>* entry) {
  return entry ? Size{1, static_cast<int64_t>(Footprint(*entry))} : Size();
}

}  // namespace

template <class T>
absl::Status Shard::ApplyTo(Table<T>& table, const Transaction& transaction, size_t hash, Size& growth) {
  Entry<T>* entry = table.Find(transaction.key, hash);
  const uint64_t revision = entry ? entry->revision : 0;
  const Size before = SizeOfEntry(entry);
  if (transaction.previous_revision != revision) {
    return DoesNotFollow(transaction, absl::StrCat("the key's change before should be ", transaction.previous_revision,
                                                   " but is ", revision));
  }
  if (!entry && NeedsKey(transaction.operation)) return DoesNotFollow(transaction, "the key is absent");
  if (entry && !views_.empty()) KeepForViews(table, *entry, transaction.operation);
  if (std::holds_alternative<operation::Delete>(transaction.operation)) {
    const bool expired = entry->expires();
    table.Erase(entry, hash);
    if (expired) NoteNextExpiry();
    growth += Size() - before;
    newest_delete_ = transaction.revision;
    return absl::OkStatus();
  }
  if (!entry) entry = table.Insert(transaction.key, hash);
  if (absl::Status status = Fold(entry->value, transaction.operation); !status.ok()) {
    return DoesNotFollow(transaction, status.message());
  }
  entry->revision = transaction.revision;
  entry->last_use = UseTime(transaction.time_micros);
  if (entry->expires() || transaction.expires_at_micros != 0) {
    table.SetExpiry(entry, transaction.expires_at_micros);
    NoteNextExpiry();
  }
  growth += SizeOfEntry(entry) - before;
  return absl::OkStatus();
}

template <class T>
void Shard::KeepForViews(const Table<T>& table, Entry<T>& entry, const Operation& operation) {
  std::shared_ptr<const T> moved;
  for (ShardView* view : views_) view->Keep(table, entry, operation, moved);
}

void Shard::NoteNextExpiry() {
  int64_t next = kNever;
  const auto note = [&next](const auto& by_time) {
    if (!by_time.empty()) next = std::min(next, by_time.begin()->first);
  };
  std::apply([&](const auto&... table) { (note(table.expiries().by_time()), ...); }, tables_);
  next_expiry_.store(next, std::memory_order_relaxed);
}

Shard::KeyUse Shard::UseOf(ValueType type, absl::string_view key, size_t hash) {
  KeyUse use{type, key, hash, 0, 0};
  WithTable(type, [&](auto& table) {
    if (const auto* entry = table.Find(key, hash)) {
      use.revision = entry->revision;
      use.last_use = entry->last_use;
    }
  });
  return use;
}

Size Shard::SizeOf(size_t hash, int64_t now_micros) const {
  Size size;
  const auto add = [&](const auto& table) {
    const auto* entry = table.FindAny(hash);
    if (entry && !table.IsExpired(entry, now_micros)) size += SizeOfEntry(entry);
  };
  std::apply([&add](const auto&... table) { (add(table), ...); }, tables_);
  return size;
}

absl::Status Shard::ApplyUncounted(const Transaction& transaction, size_t hash, Size& growth) {
  // The keys of a snapshot are not in the order of their revisions.
  newest_revision_ = std::max(newest_revision_, transaction.revision);
  if (const auto request = RequestOf(transaction)) requests_->Add(*request);
  switch (transaction.type) {
    case ValueType::kInt:
      return ApplyTo(table<int64_t>(), transaction, hash, growth);
    case ValueType::kUint:
      return ApplyTo(table<uint64_t>(), transaction, hash, growth);
    case ValueType::kFloat:
      return ApplyTo(table<double>(), transaction, hash, growth);
    case ValueType::kString:
      return ApplyTo(table<StringValue>(), transaction, hash, growth);
    case ValueType::kSet:
      return ApplyTo(table<SetValue>(), transaction, hash, growth);
    case ValueType::kMap:
      return ApplyTo(table<MapValue>(), transaction, hash, growth);
  }
  return DoesNotFollow(transaction, "the type is not known");
}

absl::Status Shard::Apply(const Transaction& transaction, size_t hash) {
  Size growth;
  const absl::Status status = ApplyUncounted(transaction, hash, growth);
  usage_->Add(transaction.type, growth);
  return status;
}

void Shard::PrefetchSlots(Run run) {
  MutexLock lock(&mutex_);
  for (const HashedTransaction& item : run) PrefetchSlot(item.transaction->type, item.hash);
}

void Shard::PrefetchEntries(Run run) {
  MutexLock lock(&mutex_);
  for (const HashedTransaction& item : run) PrefetchEntry(item.transaction->type, item.hash);
}

absl::Status Shard::ApplyRun(Run run, size_t& applied) {
  MutexLock lock(&mutex_);
  // All threads count in the same places, which would go from one processor's cache to the other's each time.
  std::array<Size, kValueTypeCount> growth{};
  absl::Status status;
  for (const HashedTransaction& item : run) {
    status = ApplyUncounted(*item.transaction, item.hash, growth[static_cast<size_t>(item.transaction->type)]);
    if (!status.ok()) break;
    ++applied;
  }
  for (const ValueType type : kValueTypes) usage_->Add(type, growth[static_cast<size_t>(type)]);
  return status;
}

Store::Store(size_t shard_count, const StoreBounds& bounds)
    : usage_(bounds.usage), requests_(bounds.requests), shards_(shard_count), views_(bounds.views) {
  for (Shard& shard : shards_) {
    shard.usage_ = &usage_;
    shard.requests_ = &requests_;
  }
}

absl::Status Store::Apply(const Transaction& transaction) {
  const size_t hash = HashKey(transaction.key);
  Shard& owner = shard(hash);
  MutexLock lock(&owner.mutex());
  return owner.Apply(transaction, hash);
}

template <class Fn>
void Store::ForEachRun(absl::Span<const HashedTransaction> transactions, Fn fn) {
  while (!transactions.empty()) {
    const size_t shard = transactions.front().shard;
    size_t count = 1;
    while (count < transactions.size() && transactions[count].shard == shard) ++count;
    fn(shards_[shard], transactions.first(count));
    transactions.remove_prefix(count);
  }
}

absl::Status Store::Apply(absl::Span<const HashedTransaction>* transactions) {
  while (!transactions->empty()) {
    const auto some = transactions->first(std::min(transactions->size(), kKeysFetchedTogether));
    // What another thread has read is in its processor's cache.
    for (const HashedTransaction& item : some) PrefetchAll(*item.transaction);
    for (const HashedTransaction& item : some) kvs::Prefetch(item.transaction->key.data());
    ForEachRun(some, [](Shard& shard, Shard::Run run) { shard.PrefetchSlots(run); });
    ForEachRun(some, [](Shard& shard, Shard::Run run) { shard.PrefetchEntries(run); });
    size_t applied = 0;
    absl::Status status;
    ForEachRun(some, [&](Shard& shard, Shard::Run run) {
      if (status.ok()) status = shard.ApplyRun(run, applied);
    });
    transactions->remove_prefix(applied);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void Store::Prefetch(absl::Span<const KeyPlace> keys) {
  for (const KeyPlace& key : keys) {
    Shard& owner = shard(key.hash);
    MutexLock lock(&owner.mutex());
    owner.PrefetchSlot(key.type, key.hash);
  }
  for (const KeyPlace& key : keys) {
    Shard& owner = shard(key.hash);
    MutexLock lock(&owner.mutex());
    owner.PrefetchEntry(key.type, key.hash);
  }
}

void Store::Clear() {
  for (Shard& shard : shards_) {
    MutexLock lock(&shard.mutex());
    std::apply([](auto&... table) { (table.Clear(), ...); }, shard.tables_);
    shard.newest_delete_ = shard.newest_revision_ = 0;
    shard.next_expiry_ = Shard::kNever;
  }
  usage_.Clear();
  requests_.Clear();
}

Store::Sizes Store::CountKeys() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // All locks at a time, or a count could see half of what is to happen at one moment.
  for (Shard& shard : shards_) shard.mutex().Lock();
  Sizes sizes;
  for (const ValueType type : kValueTypes) sizes.keys[static_cast<size_t>(type)] = usage_.of(type).keys;
  for (Shard& shard : shards_) {
    sizes.newest_revision = std::max(sizes.newest_revision, shard.newest_revision());
    shard.mutex().Unlock();
  }
  return sizes;
}

absl::StatusOr<std::unique_ptr<View>> Store::OpenView(Selection selection, absl::FunctionRef<int64_t()> now_micros,
                                                      std::function<void()> ended) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  auto view = std::make_unique<View>(std::move(selection), &views_, shards_.size(), std::move(ended));
  if (absl::Status status = views_.Add(view.get()); !status.ok()) return status;
  for (Shard& shard : shards_) shard.mutex().Lock();
  view->now_micros_ = now_micros();
  for (Shard& shard : shards_) view->revision_ = std::max(view->revision_, shard.newest_revision());
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].views_.push_back(&view->shard(i));
    shards_[i].mutex().Unlock();
  }
  return view;
}

void Store::CloseView(View* view) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    MutexLock lock(&shards_[i].mutex());
    auto& views = shards_[i].views_;
    views.erase(std::find(views.begin(), views.end(), &view->shard(i)));
  }
  views_.Remove(view);
}

}  // namespace kvs::server
