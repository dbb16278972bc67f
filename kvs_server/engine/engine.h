// Engine: the order of a read and of a write.
//
// A mutation, under its shard's lock: check its precondition → evaluate → Journal::Enqueue, which gives it its revision
// or refuses it → Shard::Apply. Then the lock is released and the reply waits until it is durable. A read, under the
// same lock: look, and note what was observed.
//
// Every reply shows only durable state: it leaves when the newest revision that it could have observed is durable. For
// a key that is present that is its own revision, for an absent one its shard's newest delete, for several keys the
// maximum. The caller does the waiting: Journal::WhenDurable(outcome.observed_revision, …). Errors that evaluated state
// wait as well.
//
// A key whose time has come counts as absent from then on. Its removal is a transaction as any other: what changes the
// key next logs it first, or Expire does.
//
// Thread-safety: everything may be called from any thread, once the replay is over. Nothing blocks but for the shard's
// lock.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "common/model/transaction.h"
#include "common/model/transaction_codec.h"
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
};

// What a mutation asks for besides its verb.
struct MutationOptions {
  Precondition precondition;
  // How long the key lives from now on, in microseconds; 0 leaves that to the verb: a put makes it live for ever, every
  // other one leaves its expiry as it is.
  int64_t ttl_micros = 0;
};

class Engine {
 public:
  // Both outlive the engine.
  Engine(Store* store, Journal* journal) : store_(store), journal_(journal) {}

  // Calls look(const T*), which returns absl::Status, with the value or null, under the shard's lock.
  template <class T, class Look>
  Outcome Read(absl::string_view key, Look look) {
    const size_t hash = HashKey(key);
    Shard& shard = store_->shard(hash);
    MutexLock lock(&shard.mutex());
    const Found<T> found = Find<T>(shard, key, hash);
    Outcome outcome = Observe(shard, found);
    outcome.status = look(found.value());
    return outcome;
  }

  // If the precondition holds, calls evaluate(const T*), which returns absl::StatusOr<std::optional<Operation>>, with
  // the value or null, under the shard's lock; then logs and applies the operation, if there is one. `actor` is empty
  // for anonymous callers.
  template <class T, class Evaluate>
  Outcome Mutate(absl::string_view actor, absl::string_view key, const MutationOptions& options, Evaluate evaluate) {
    const size_t hash = HashKey(key);
    Shard& shard = store_->shard(hash);
    MutexLock lock(&shard.mutex());
    const Found<T> found = Find<T>(shard, key, hash);
    Outcome outcome = Observe(shard, found);
    if (!options.precondition.Holds(outcome.revision)) {
      outcome.status = options.precondition.Failure(outcome.revision, found.value());
      return outcome;
    }
    absl::StatusOr<std::optional<Operation>> operation = evaluate(found.value());
    if (!operation.ok()) {
      outcome.status = operation.status();
      return outcome;
    }
    // A verb that changes nothing may still change how long the key lives.
    if (!*operation && options.ttl_micros != 0 && found.value()) *operation = SetExpiryOf(*found.value());
    if (!*operation) return outcome;
    Transaction change;
    change.previous_revision = outcome.revision;
    change.actor = actor;
    change.type = kTypeOf<T>;
    change.key = key;
    change.operation = *std::move(*operation);
    change.expires_at_micros = ExpiryAfter(change.operation, found.expires_at_micros, options.ttl_micros);
    if (found.is_expired) {
      Transaction both[] = {RemovalOf(kTypeOf<T>, key, found.entry->revision), std::move(change)};
      Commit(shard, absl::MakeSpan(both), outcome);
    } else {
      Commit(shard, absl::MakeSpan(&change, 1), outcome);
    }
    return outcome;
  }

  // Tells in which of `types` the key is present.
  Outcome Exists(absl::string_view key, const std::vector<ValueType>& types, std::vector<ValueType>* present);

  // Each of these two changes the key in those of `types` where it is present, all of them or none, in one record, and
  // tells in `changed` which those are. With several types, the precondition is about the newest of the key's
  // revisions.

  // Deletes the key.
  Outcome Delete(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                 Precondition precondition, std::vector<ValueType>* changed);
  // The key lives as long from now on as the options say, or for ever; where it does for ever already, that changes
  // nothing. `expires_at_micros` tells until when, 0 for ever.
  Outcome SetExpiry(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                    const MutationOptions& options, std::vector<ValueType>* changed, int64_t* expires_at_micros);

  // Tells when the key expires for those of `types` where it is present.
  struct Expiry {
    ValueType type;
    int64_t at_micros;   // since 1970; 0 if it does not
    int64_t ttl_micros;  // from now on
  };
  Outcome GetExpiry(absl::string_view key, const std::vector<ValueType>& types, std::vector<Expiry>* expiries);

  // Number of keys by type, those included whose time has come but whose removal is not logged yet.
  Outcome Count(std::array<uint64_t, kValueTypeCount>* keys);

  // Logs and applies the removal of at most `max_keys` keys whose time has come; returns the revision of the last one,
  // 0 if there was none to remove or the journal does not take them now.
  uint64_t Expire(size_t max_keys);

  Store& store() { return *store_; }
  Journal& journal() { return *journal_; }

 private:
  // The entry of a key, and whether it counts.
  template <class T>
  struct Found {
    const Entry<T>* entry = nullptr;  // null if there is none
    bool is_expired = false;
    int64_t expires_at_micros = 0;  // 0 if it counts and does not expire, or does not count

    const T* value() const { return entry && !is_expired ? &entry->value : nullptr; }
    uint64_t revision() const { return entry && !is_expired ? entry->revision : 0; }
  };
  template <class T>
  Found<T> Find(Shard& shard, absl::string_view key, size_t hash) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex()) {
    Table<T>& table = shard.table<T>();
    Found<T> found;
    found.entry = table.Find(key, hash);
    if (found.entry && found.entry->expires()) {
      found.expires_at_micros = table.ExpiryOf(found.entry);
      found.is_expired = found.expires_at_micros <= journal_->NowMicros();
      if (found.is_expired) found.expires_at_micros = 0;
    }
    return found;
  }
  // Returns call(const Found<T>&) with what there is of the key in the type.
  template <class Call>
  auto WithFound(Shard& shard, ValueType type, absl::string_view key, size_t hash, Call call) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex());

  // What a caller sees of a key. That its time has come was told by its last change.
  template <class T>
  Outcome Observe(const Shard& shard, const Found<T>& found) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex()) {
    return Observe(found.revision(), found.entry ? found.entry->revision : shard.newest_delete());
  }
  Outcome Observe(uint64_t revision, uint64_t observed_revision) const;

  // The change of a key's expiry, besides the expiry itself.
  template <class T>
  static Operation SetExpiryOf(const T& value) {
    operation::SetExpiry set_expiry;
    if constexpr (std::is_arithmetic_v<T>) set_expiry.number = value;
    return set_expiry;
  }
  int64_t ExpiryAfter(const Operation& operation, int64_t expiry_before, int64_t ttl_micros) const;
  static Transaction RemovalOf(ValueType type, absl::string_view key, uint64_t revision);

  // Calls make(const Found<T>&), which returns std::optional<Operation>, for each type where the key is present; it
  // expires then.
  template <class Make>
  Outcome MutateTypes(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                      const Precondition& precondition, int64_t expires_at_micros, Make make,
                      std::vector<ValueType>* changed);

  // Logs and applies transactions whose keys are of `shard`.
  void Commit(Shard& shard, absl::Span<Transaction> transactions, Outcome& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex());

  Store* const store_;
  Journal* const journal_;
  size_t next_shard_ = 0;  // where Expire goes on
};

}  // namespace kvs::server
