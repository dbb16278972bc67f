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
    const Entry<T>* entry = shard.table<T>().Find(key, hash);
    Outcome outcome = Observe(shard, entry ? entry->revision : 0);
    outcome.status = look(entry ? &entry->value : nullptr);
    return outcome;
  }

  // If the precondition holds, calls evaluate(const T*), which returns absl::StatusOr<std::optional<Operation>>, with
  // the value or null, under the shard's lock; then logs and applies the operation, if there is one. `actor` is empty
  // for anonymous callers.
  template <class T, class Evaluate>
  Outcome Mutate(absl::string_view actor, absl::string_view key, Precondition precondition, Evaluate evaluate) {
    const size_t hash = HashKey(key);
    Shard& shard = store_->shard(hash);
    MutexLock lock(&shard.mutex());
    const Entry<T>* entry = shard.table<T>().Find(key, hash);
    Outcome outcome = Observe(shard, entry ? entry->revision : 0);
    const T* current = entry ? &entry->value : nullptr;
    if (!precondition.Holds(outcome.revision)) {
      outcome.status = precondition.Failure(outcome.revision, current);
      return outcome;
    }
    absl::StatusOr<std::optional<Operation>> operation = evaluate(current);
    if (!operation.ok()) {
      outcome.status = operation.status();
    } else if (*operation) {
      Transaction transaction;
      transaction.previous_revision = outcome.revision;
      transaction.actor = actor;
      transaction.type = kTypeOf<T>;
      transaction.key = key;
      transaction.operation = *std::move(*operation);
      Commit(shard, hash, absl::MakeSpan(&transaction, 1), outcome);
    }
    return outcome;
  }

  // Tells in which of `types` the key is present.
  Outcome Exists(absl::string_view key, const std::vector<ValueType>& types, std::vector<ValueType>* present);

  // Deletes the key from `types`, all of it or nothing, in one record. With several types, the precondition is about
  // the newest of the key's revisions.
  Outcome Delete(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                 Precondition precondition, std::vector<ValueType>* deleted);

  // Number of keys by type.
  Outcome Count(std::array<uint64_t, kValueTypeCount>* keys);

  Store& store() { return *store_; }

 private:
  // What a caller sees of a key of this revision, 0 if it is absent.
  Outcome Observe(const Shard& shard, uint64_t revision) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex());

  // Returns call(const Entry<T>*) with the key's entry of that type, or null.
  template <class Call>
  static auto WithEntry(Shard& shard, ValueType type, absl::string_view key, size_t hash, Call call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex());

  // The revision of a key, 0 if it is absent.
  static uint64_t RevisionOf(Shard& shard, ValueType type, absl::string_view key, size_t hash)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex());

  // What a caller sees of a key that was looked for in `types` and is present in `present_count` of them, the newest of
  // this revision.
  Outcome ObserveSeveral(const Shard& shard, const std::vector<ValueType>& types, size_t present_count,
                         uint64_t newest_revision) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex());

  // Logs and applies the transactions of one mutation. All keys are of `shard`.
  void Commit(Shard& shard, size_t hash, absl::Span<Transaction> transactions, Outcome& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex());

  Store* const store_;
  Journal* const journal_;
};

}  // namespace kvs::server
