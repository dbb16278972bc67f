// Engine: the order of a read and of a write.
//
// A mutation, under its shard's lock: check its precondition → evaluate → Journal::Enqueue, which gives it its revision
// or refuses it → Shard::Apply. Then the lock is released and the reply waits until it is durable. A read, under the
// same lock: look, and note what was observed. kvs_server/engine/unit.h is the code of that; here each operation takes
// effect by itself.
//
// A key whose time has come counts as absent from then on. Its removal is a transaction as any other: what changes the
// key next logs it first, or Expire does.
//
// Every reply shows only durable state: it leaves when the newest revision that it could have observed is durable. For
// a key that is present that is its own revision, for an absent one its shard's newest delete, for several keys the
// maximum. The caller does the waiting: Journal::WhenDurable(outcome.observed_revision, …). Errors that evaluated state
// wait as well.
//
// Thread-safety: everything may be called from any thread, once the replay is over. Nothing blocks but for the shard's
// lock.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/hash/hash.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <array>
#include <cstdint>
#include <vector>

#include "common/sync.h"
#include "kvs_server/engine/evictor.h"
#include "kvs_server/engine/unit.h"
#include "kvs_server/journal/journal.h"
#include "kvs_server/store/store.h"

namespace kvs::server {

class Engine {
 public:
  // Both outlive the engine.
  Engine(Store* store, Journal* journal) : store_(store), journal_(journal), evictor_(store, journal) {}

  // Each of these is Unit's of the same name, as a unit of its own: a mutation is logged and applied. `actor` is empty
  // for anonymous callers.

  template <class T, class Look>
  Outcome Read(absl::string_view key, Look look) {
    const size_t hash = HashKey(key);
    return Unit(store_, journal_, "", hash).Read<T>(key, hash, look);
  }

  template <class T, class Evaluate>
  Outcome Mutate(absl::string_view actor, absl::string_view key, const MutationOptions& options, Evaluate evaluate) {
    const size_t hash = HashKey(key);
    Unit unit(store_, journal_, actor, hash);
    Outcome outcome = unit.Mutate<T>(key, hash, options, evaluate);
    if (outcome.status.ok()) unit.Commit(&outcome);
    return outcome;
  }

  Outcome Exists(absl::string_view key, const std::vector<ValueType>& types, std::vector<ValueType>* present);
  Outcome Delete(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                 const Precondition& precondition, std::vector<ValueType>* deleted);
  Outcome SetExpiry(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                    const MutationOptions& options, std::vector<ValueType>* changed, int64_t* expires_at_micros);
  Outcome GetExpiry(absl::string_view key, const std::vector<ValueType>& types, std::vector<Expiry>* expiries);

  // One operation on the key of this hash, or operations on keys of these hashes that take effect together: all or
  // nothing.
  Unit Begin(absl::string_view actor, size_t hash) { return {store_, journal_, actor, hash}; }
  Unit Begin(absl::string_view actor, absl::Span<const size_t> hashes) {
    return {store_, journal_, actor, hashes, /*is_record=*/true};
  }
  // The same for readers, while each operation may fail for itself, and a crash may keep a part.
  Unit BeginSeveral(absl::string_view actor, absl::Span<const size_t> hashes) {
    return {store_, journal_, actor, hashes, /*is_record=*/false};
  }

  // Held while a request with an id is looked up and takes effect, so that its retry, which may come at the same time,
  // finds it. Taken before the locks of shards, and one at a time.
  Mutex& ClaimOf(absl::string_view actor, absl::string_view request_id) {
    return claims_[absl::HashOf(actor, request_id) % claims_.size()];
  }

  // Number of keys by type, those included whose time has come but whose removal is not logged yet.
  Outcome Count(std::array<uint64_t, kValueTypeCount>* keys);

  // Returns attempt(), which returns the Outcome of a mutation. If that was refused for want of room, and the policy is
  // to evict, makes room and attempts it again. hashes() returns those of the keys that it is about, which are not
  // evicted for it.
  Outcome WithRoom(absl::FunctionRef<std::vector<size_t>()> hashes, absl::FunctionRef<Outcome()> attempt);

  // Logs and applies the removal of at most `max_keys` keys whose time has come; returns the revision of the last one,
  // 0 if there was none to remove or the journal does not take them now.
  uint64_t Expire(size_t max_keys);

  // Number of keys that were evicted since the start.
  uint64_t evictions() const { return evictor_.evictions(); }

  Store& store() { return *store_; }
  Journal& journal() { return *journal_; }

 private:
  Store* const store_;
  Journal* const journal_;
  Evictor evictor_;
  size_t next_shard_ = 0;  // where Expire goes on
  std::array<Mutex, 256> claims_;
};

}  // namespace kvs::server
