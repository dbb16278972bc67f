// Unit: operations that take effect together, at one moment.
//
// 1. It holds the locks of its shards for as long as it lives, locked in ascending order.
// 2. Each operation sees what the ones before it did. Nothing is logged or applied until Commit, which gives everything
// consecutive revisions and one time. An operation that failed leaves nothing behind.
// 3. A revision that Commit has yet to give is provisional: Resolve tells it afterwards. A key that was changed has
// one; whether it exists is known all the same.
// 4. All of it happens at one time: a key whose time has come then counts as absent. What changes it logs its removal
// first.
// 5. Requests are borrowed from: keys and operands outlive the unit.
//
// Every mutation of the engine is a unit, most of them of one operation.
//
// Thread-safety: used by one thread.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/model/transaction.h"
#include "kvs_server/engine/precondition.h"
#include "kvs_server/journal/journal.h"
#include "kvs_server/store/store.h"

namespace kvs::server {

// How a read or a mutation went.
struct Outcome {
  absl::Status status;
  uint64_t revision = 0;           // of the key's last change, 0 if it is absent; of the delete for one that deleted
  uint64_t latest_revision = 0;    // the newest that was durable at evaluation, or `revision` if that is newer
  uint64_t observed_revision = 0;  // the reply may leave when this is durable
  bool logged = false;             // whether anything was changed
  Size lacks;                      // of what was refused for want of room (kMemoryFull, kTooManyKeys): what it adds
};

// What a mutation asks for besides its verb.
struct MutationOptions {
  Precondition precondition;
  // How long the key lives from now on, in microseconds; 0 leaves that to the verb: a put makes it live for ever, every
  // other one leaves its expiry as it is.
  int64_t ttl_micros = 0;
};

// When a key of one type expires.
struct Expiry {
  ValueType type;
  int64_t at_micros;   // since 1970; 0 if it does not
  int64_t ttl_micros;  // from now on
};

class Unit {
 public:
  // For one operation, on the key of this hash. All outlive the unit. `actor` is empty for anonymous callers.
  Unit(Store* store, Journal* journal, absl::string_view actor, size_t hash);
  // For any number of operations, on keys of these hashes. They are all or nothing in the ledger too, or, if
  // `is_record` is false, only for readers.
  Unit(Store* store, Journal* journal, absl::string_view actor, absl::Span<const size_t> hashes, bool is_record);
  // For RemoveDue or Evict, on the keys of one shard.
  Unit(Store* store, Journal* journal, Shard* shard);
  ~Unit();
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;

  // For keys whose hashes stand in a row: fetches ahead what the operations on them will look at. Called before that on
  // the i-th.
  template <class T>
  void Prefetch(absl::Span<const size_t> hashes, size_t i) {
    const auto fetch = [&](size_t ahead, auto fetch_one) {
      for (size_t k = i == 0 ? 0 : i + ahead; k < std::min(i + ahead + 1, hashes.size()); ++k) {
        fetch_one(TableOf<T>(hashes[k]), hashes[k]);
      }
    };
    fetch(kPrefetchSlots, [](const Table<T>& table, size_t hash) { table.PrefetchSlot(hash); });
    fetch(kPrefetchEntries, [](const Table<T>& table, size_t hash) { table.PrefetchEntry(hash); });
    fetch(kPrefetchValues, [](const Table<T>& table, size_t hash) { table.PrefetchValue(hash); });
  }

  // Each operation names a key with its hash, which is one of those that the unit was made for. The outcome of a
  // mutation has a provisional revision, and is not `logged` yet.

  // Calls look(const T*), which returns absl::Status, with the value or null.
  template <class T, class Look>
  Outcome Read(absl::string_view key, size_t hash, Look look) {
    const Found<T> found = Find<T>(store_.shard(hash), key, hash);
    Outcome outcome = Observe(found.revision, found.observed_revision);
    outcome.status = look(found.value);
    return outcome;
  }

  // If the precondition holds, calls evaluate(const T*), which returns absl::StatusOr<std::optional<Operation>>, with
  // the value or null; the operation, if there is one, is what Commit logs and applies.
  template <class T, class Evaluate>
  Outcome Mutate(absl::string_view key, size_t hash, const MutationOptions& options, Evaluate evaluate) {
    const Found<T> found = Find<T>(store_.shard(hash), key, hash);
    Outcome outcome = Observe(found.revision, found.observed_revision);
    outcome.status = Check(options.precondition, found);
    if (!outcome.status.ok()) return outcome;
    absl::StatusOr<std::optional<Operation>> operation = evaluate(found.value);
    if (!operation.ok()) {
      outcome.status = operation.status();
      return outcome;
    }
    // A verb that changes nothing may still change how long the key lives.
    if (!*operation && options.ttl_micros != 0 && found.value) *operation = SetExpiryOf(*found.value);
    if (!*operation) return outcome;
    const int64_t expires_at_micros = ExpiryAfter(**operation, found.expires_at_micros, options.ttl_micros);
    outcome.revision = Add(found, key, *std::move(*operation), expires_at_micros);
    return outcome;
  }

  // Tells in which of `types` the key is present.
  Outcome Exists(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                 std::vector<ValueType>* present);

  // Tells when the key expires for those of `types` where it is present.
  Outcome GetExpiry(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                    std::vector<Expiry>* expiries);

  // Each of these two changes the key in those of `types` where it is present, all of them or none, and tells in
  // `changed` which those are. With several types, the precondition is about the newest of the key's revisions.

  // The key lives as long from now on as the options say, or for ever; where it does for ever already, that changes
  // nothing. `expires_at_micros` tells until when, 0 for ever.
  Outcome SetExpiry(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                    const MutationOptions& options, std::vector<ValueType>* changed, int64_t* expires_at_micros);
  // Deletes the key.
  Outcome Delete(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                 const Precondition& precondition, std::vector<ValueType>* changed);

  // Removes at most `max_keys` of the shard's keys whose time has come; returns how many. The only operation then.
  size_t RemoveDue(int64_t now_micros, size_t max_keys);

  // Removes a key to make room for others; false if it was used since. The only operation then.
  bool Evict(const Shard::KeyUse& use);

  // Whether an operation changed something.
  bool has_changes() const { return !transactions_.empty(); }

  // Logs what the operations changed, if anything, and applies it. On success `outcome`, that of the last operation or
  // of all of them together, is completed; if the journal refuses, the record would be over its limit
  // (kBatchTooLarge), or all of it together would grow past what there may be (kMemoryFull, kTooManyKeys), it gets that
  // error, and nothing was changed. At most once, as the last call but for Resolve.
  void Commit(Outcome* outcome) { Commit(outcome, "", 0, ""); }
  // The same for the operations of a request with an id, which is remembered if it changed something: the hash of what
  // it asks for, and its response, serialized, with provisional revisions.
  void Commit(Outcome* outcome, absl::string_view request_id, uint64_t command_hash, absl::string_view response);

  // The revision that a provisional one became; every other one as it is. After Commit has succeeded.
  uint64_t Resolve(uint64_t revision) const { return Resolve(revision, first_revision_); }
  // The same of a unit whose first transaction got this revision.
  static uint64_t Resolve(uint64_t revision, uint64_t first_revision) {
    return IsProvisional(revision) ? first_revision + (revision & ~kProvisional) : revision;
  }

 private:
  // With this bit, a revision is an index in `transactions_`.
  static constexpr uint64_t kProvisional = uint64_t{1} << 63;
  // How far ahead of a look-up its memory is fetched, in keys.
  static constexpr size_t kPrefetchSlots = 24;
  static constexpr size_t kPrefetchEntries = 16;
  static constexpr size_t kPrefetchValues = 8;

  static bool IsProvisional(uint64_t revision) { return (revision & kProvisional) != 0; }

  // A key as an operation sees it.
  template <class T>
  struct Found {
    const T* value = nullptr;  // null if the key is absent
    uint64_t revision = 0;     // 0 if the key is absent
    uint64_t observed_revision = 0;
    bool is_changed = false;            // by an operation of this unit
    int64_t expires_at_micros = 0;      // 0 if it is absent, or does not expire
    const Entry<T>* expired = nullptr;  // of a key that is absent because its time has come; null for any other
  };

  // A key that an operation of this unit changed. What it is now is found out when an operation asks for it: most keys
  // are changed once, and a collection is large.
  template <class T>
  struct Change {
    const T* original = nullptr;       // as the store has it
    std::vector<uint32_t> not_folded;  // those of `transactions_` that `value` does not include
    std::optional<T> value;            // nothing if the key is absent
    bool is_begun = false;             // whether `value` is set
    uint64_t revision = 0;             // provisional; 0 if the key is absent
    int64_t expires_at_micros = 0;
  };
  template <class T>
  using Changes = absl::flat_hash_map<absl::string_view, Change<T>>;
  using AllChanges = std::tuple<Changes<int64_t>, Changes<uint64_t>, Changes<double>, Changes<StringValue>,
                                Changes<SetValue>, Changes<MapValue>>;

  template <class T>
  Found<T> Find(Shard& shard, absl::string_view key, size_t hash) {
    shard.mutex().AssertHeld();
    if (changes_) {
      auto& changes = std::get<Changes<T>>(*changes_);
      const auto it = changes.find(key);
      if (it != changes.end()) {
        const Change<T>& change = it->second;
        BringUpToDate(it->second);
        return {change.value ? &*change.value : nullptr, change.revision, 0, true, change.expires_at_micros};
      }
    }
    Table<T>& table = shard.table<T>();
    Entry<T>* entry = table.Find(key, hash);
    if (!entry) return {nullptr, 0, shard.newest_delete()};
    if (notes_use_) entry->last_use = UseTime(NowMicros());
    if (!entry->expires()) return {&entry->value, entry->revision, entry->revision};
    const int64_t expires_at_micros = table.ExpiryOf(entry);
    // That its time has come was told by its last change.
    if (expires_at_micros <= NowMicros()) return {nullptr, 0, entry->revision, false, 0, entry};
    return {&entry->value, entry->revision, entry->revision, false, expires_at_micros};
  }
  template <class T>
  Table<T>& TableOf(size_t hash) {
    Shard& shard = store_.shard(hash);
    shard.mutex().AssertHeld();
    return shard.table<T>();
  }
  // Returns call(const Found<T>&) with what there is of the key in the type.
  template <class Call>
  auto WithFound(ValueType type, absl::string_view key, size_t hash, Call call);

  // Folds what happened to a key into its value.
  template <class T>
  void BringUpToDate(Change<T>& change) const;

  template <class T>
  absl::Status Check(const Precondition& precondition, const Found<T>& found) const {
    if (precondition.Holds(found.revision)) return absl::OkStatus();
    return found.is_changed ? FailureInUnit(precondition, found.revision)
                            : precondition.Failure(found.revision, found.value);
  }
  static absl::Status FailureInUnit(const Precondition& precondition, uint64_t revision);

  // What a caller sees of a key of this revision.
  Outcome Observe(uint64_t revision, uint64_t observed_revision) const;

  // The change of a key's expiry, besides the expiry itself.
  template <class T>
  static Operation SetExpiryOf(const T& value) {
    operation::SetExpiry set_expiry;
    if constexpr (std::is_arithmetic_v<T>) set_expiry.number = value;
    return set_expiry;
  }
  int64_t ExpiryAfter(const Operation& operation, int64_t expiry_before, int64_t ttl_micros);
  // The time at which everything happens.
  int64_t NowMicros();

  // Calls make(const Found<T>&), which returns std::optional<Operation>, for each type where the key is present; it
  // expires then.
  template <class Make>
  Outcome MutateTypes(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                      const Precondition& precondition, int64_t expires_at_micros, Make make,
                      std::vector<ValueType>* changed);

  // Gives the transactions the id of the request that they are made by, and the last one its answer.
  void NameRequest(absl::string_view id, const Answer& answer);
  void AddRemoval(ValueType type, absl::string_view key, uint64_t revision, operation::Delete::Cause cause);
  // Makes a transaction of what happens to a key; returns its provisional revision.
  template <class T>
  uint64_t Add(const Found<T>& found, absl::string_view key, Operation operation, int64_t expires_at_micros);
  template <class T>
  void Note(const Found<T>& found, absl::string_view key, uint32_t index);
  // By how much a key grows if this happens to it.
  template <class T>
  static Size GrowthOf(const Found<T>& found, const Transaction& transaction);
  // Takes room for everything that is to happen.
  absl::Status Reserve();

  // What Commit does once there is room.
  void Log(Outcome* outcome);
  void Apply(int64_t time_micros);

  Store& store_;
  Journal& journal_;
  const absl::string_view actor_;
  absl::InlinedVector<Shard*, 1> shards_;  // without repetition, ascending
  std::unique_ptr<AllChanges> changes_;    // null where no key is looked at twice
  const bool is_record_ = true;
  const bool is_limited_ = store_.usage().limits().exist();  // whether `growth_` matters
  const bool notes_use_ = store_.usage().limits().evict();
  Size growth_;  // by what the operations add, less what they take
  absl::InlinedVector<Transaction, 1> transactions_;
  size_t removals_ = 0;          // those of `transactions_` that nobody asked for
  int64_t now_micros_ = 0;       // 0 as long as it does not matter
  uint64_t first_revision_ = 0;  // of `transactions_`, once it is committed
};

}  // namespace kvs::server
