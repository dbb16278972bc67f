// Store: the state, in memory. Keys are spread over shards by hash; a shard has one table for each type, all under one
// mutex.
//
// Apply is the only way in which state changes, for live writes and for the replay alike. It refuses a transaction that
// does not follow from the state, so that a hole in the history is found rather than filled.
//
// Lock order: shards in ascending order, then the journal's mutex or that of the remembered requests.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/hash/hash.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <tuple>
#include <vector>

#include "common/model/transaction.h"
#include "common/model/value.h"
#include "common/sync.h"
#include "kvs_server/store/requests.h"
#include "kvs_server/store/table.h"
#include "kvs_server/store/usage.h"
#include "kvs_server/store/view.h"

namespace kvs::server {

inline size_t HashKey(absl::string_view key) { return absl::Hash<absl::string_view>{}(key); }

// A transaction, which is borrowed, with the hash and the shard of its key.
struct HashedTransaction {
  const Transaction* transaction;
  size_t hash;
  size_t shard;
};

class Shard {
 public:
  Mutex& mutex() const ABSL_LOCK_RETURNED(mutex_) { return mutex_; }

  // The keys whose values are of type T, an alternative of Value.
  template <class T>
  Table<T>& table() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::get<Table<T>>(tables_);
  }

  // The revision of the newest delete: what a reader of an absent key has observed.
  uint64_t newest_delete() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return newest_delete_; }
  // The revision of the newest change.
  uint64_t newest_revision() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return newest_revision_; }

  // When the first key expires, in microseconds since 1970; kNever if none does. May be read without the lock.
  int64_t next_expiry() const { return next_expiry_.load(std::memory_order_relaxed); }
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Calls fn(ValueType, absl::string_view key, uint64_t revision) for keys that expire up to `now_micros`, those of a
  // type in the order of their times, as long as fn returns true.
  template <class Fn>
  void ForEachDue(int64_t now_micros, Fn fn) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::apply([&](const auto&... table) { (ForEachDueIn(table, now_micros, fn) && ...); }, tables_);
  }

  // A key and when it was used.
  struct KeyUse {
    ValueType type;
    absl::string_view key;
    size_t hash;
    uint64_t revision;
    uint32_t last_use;
  };
  // Calls fn(const KeyUse&) for about `count` keys, others each time, of each type as many as its share of the keys is.
  template <class Fn>
  void Sample(size_t count, Fn fn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t keys = std::apply([](const auto&... table) { return (table.size() + ...); }, tables_);
    if (keys == 0) return;
    std::apply([&](auto&... table) { (SampleIn(table, (count * table.size() + keys - 1) / keys, fn), ...); }, tables_);
  }

  // The use of a key, of revision 0 if it is absent.
  KeyUse UseOf(ValueType type, absl::string_view key, size_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What the keys of a hash take, those left out whose time has come. There is one in each type, or very rarely more,
  // of which one counts.
  Size SizeOf(size_t hash, int64_t now_micros) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // For what is to be applied soon: fetches what Apply will look at first, and, some time later, what it will look at
  // then. `hash` is that of a key of the type.
  void PrefetchSlot(ValueType type, size_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    WithTable(type, [hash](const auto& table) { table.PrefetchSlot(hash); });
  }
  void PrefetchEntry(ValueType type, size_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    WithTable(type, [hash](const auto& table) { table.PrefetchEntry(hash); });
  }

  // Changes the state as the transaction says: one of the log, or one of a snapshot, which puts a key back. DataLoss,
  // naming the revision, if its previous revision is not that of the key or its operation does not fit the value; the
  // state is then undefined. `hash` is that of the transaction's key.
  absl::Status Apply(const Transaction& transaction, size_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

 private:
  friend class Store;

  // Calls fn(Table<T>&) with the table of a type.
  template <class Fn>
  void WithTable(ValueType type, Fn fn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto call = [&]<class T>(Table<T>& table) {
      if (kTypeOf<T> == type) fn(table);
    };
    std::apply([&call](auto&... table) { (call(table), ...); }, tables_);
  }

  // Transactions of this shard; what the store does with those that stand together.
  using Run = absl::Span<const HashedTransaction>;
  void PrefetchSlots(Run run) ABSL_LOCKS_EXCLUDED(mutex_);
  void PrefetchEntries(Run run) ABSL_LOCKS_EXCLUDED(mutex_);
  // Applies them in their order; `applied` counts how many.
  absl::Status ApplyRun(Run run, size_t& applied) ABSL_LOCKS_EXCLUDED(mutex_);

  // Without counting it: `growth` gets what it changes.
  absl::Status ApplyUncounted(const Transaction& transaction, size_t hash, Size& growth)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <class T>
  absl::Status ApplyTo(Table<T>& table, const Transaction& transaction, size_t hash, Size& growth)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // In the order of ValueType.
  using Tables =
      std::tuple<Table<int64_t>, Table<uint64_t>, Table<double>, Table<StringValue>, Table<SetValue>, Table<MapValue>>;

  // False if fn asked to stop.
  template <class T, class Fn>
  static bool ForEachDueIn(const Table<T>& table, int64_t now_micros, Fn& fn) {
    for (const auto& [time, entry] : table.expiries().by_time()) {
      if (time > now_micros) return true;
      if (!fn(kTypeOf<T>, entry->key(), entry->revision)) return false;
    }
    return true;
  }
  template <class T, class Fn>
  static void SampleIn(Table<T>& table, size_t count, Fn& fn) {
    table.Sample(count, [&fn](const Entry<T>& entry, size_t hash) {
      fn(KeyUse{kTypeOf<T>, entry.key(), hash, entry.revision, entry.last_use});
    });
  }
  void NoteNextExpiry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Before an entry is changed or removed.
  template <class T>
  void KeepForViews(const Table<T>& table, Entry<T>& entry, const Operation& operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Of the store, which sets them.
  Usage* usage_ = nullptr;
  Requests* requests_ = nullptr;
  mutable Mutex mutex_;
  Tables tables_ ABSL_GUARDED_BY(mutex_);
  std::vector<ShardView*> views_ ABSL_GUARDED_BY(mutex_);
  uint64_t newest_delete_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t newest_revision_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<int64_t> next_expiry_{kNever};
};

// Where a key is looked for.
struct KeyPlace {
  ValueType type;
  size_t hash;
};

// What a store may hold.
struct StoreBounds {
  UsageLimits usage;
  ViewBounds views;
  RequestWindowBounds requests;
};

class Store {
 public:
  explicit Store(size_t shard_count, const StoreBounds& bounds = {});

  // The shard of a key, by its hash. The upper bits choose it, since the tables use the lower ones.
  Shard& shard(size_t hash) { return shards_[shard_index(hash)]; }
  size_t shard_index(size_t hash) const { return (hash >> 32) % shards_.size(); }

  std::vector<Shard>& shards() { return shards_; }

  // Applies one transaction of a replay; see Shard::Apply.
  absl::Status Apply(const Transaction& transaction);
  // Applies some in their order, and takes away those that were applied: after an error the first one left is that
  // which does not follow. The memory of up to kKeysFetchedTogether is waited for together, and those of a shard that
  // stand together take its lock together.
  absl::Status Apply(absl::Span<const HashedTransaction>* transactions);
  HashedTransaction Hashed(const Transaction& transaction) const {
    const size_t hash = HashKey(transaction.key);
    return {&transaction, hash, shard_index(hash)};
  }

  // Fetches the memory of keys that are looked up soon, for all of them together. More than kKeysFetchedTogether might
  // drive each other out before they are used.
  void Prefetch(absl::Span<const KeyPlace> keys);
  static constexpr size_t kKeysFetchedTogether = 64;

  // The requests that are remembered. Applying the last transaction of one adds it; a snapshot has some of their own.
  Requests& requests() { return requests_; }

  // Forgets everything. Not while others use the store.
  void Clear();

  // Number of keys, all of one moment, and the newest revision that the numbers may include.
  struct Sizes {
    std::array<uint64_t, kValueTypeCount> keys{};
    uint64_t newest_revision = 0;
  };
  Sizes CountKeys();

  // Opens a view of this moment, which has to be closed before it goes away. `now_micros` is called under all
  // locks and tells the time that expiries are measured by. TOO_MANY_SCANS past the limit; for `ended` see View.
  absl::StatusOr<std::unique_ptr<View>> OpenView(Selection selection, absl::FunctionRef<int64_t()> now_micros,
                                                 std::function<void()> ended);
  void CloseView(View* view);
  // See Views::SetStill.
  void SetStill(View* view, bool is_still) { views_.SetStill(*view, is_still); }
  const Views& views() const { return views_; }

  // What there is, and what there may be.
  Usage& usage() { return usage_; }

 private:
  // Calls fn(Shard&, Shard::Run) for those that stand together and are of one shard.
  template <class Fn>
  void ForEachRun(absl::Span<const HashedTransaction> transactions, Fn fn);

  Usage usage_;
  Requests requests_;
  std::vector<Shard> shards_;
  Views views_;
};

}  // namespace kvs::server
