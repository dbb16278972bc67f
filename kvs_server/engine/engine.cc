#include "kvs_server/engine/engine.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/errors.h"

namespace kvs::server {
namespace {

// How many keys are removed before others may have the lock again.
constexpr size_t kMaxExpiredUnderOneLock = 100;

// How often room is made for one mutation. Others may take it first, and then they have got on; a bound on how unlucky
// one caller can be.
constexpr int kMaxAttemptsWithRoom = 32;

absl::Status WithAdvice(const absl::Status& status, absl::string_view advice) {
  return WithMessage(status, absl::StrCat(status.message(), "; ", advice));
}

}  // namespace

Outcome Engine::Exists(absl::string_view key, const std::vector<ValueType>& types, std::vector<ValueType>* present) {
  const size_t hash = HashKey(key);
  return Unit(store_, journal_, "", hash).Exists(key, hash, types, present);
}

Outcome Engine::Delete(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                       const Precondition& precondition, std::vector<ValueType>* deleted) {
  const size_t hash = HashKey(key);
  Unit unit(store_, journal_, actor, hash);
  Outcome outcome = unit.Delete(key, hash, types, precondition, deleted);
  if (outcome.status.ok()) unit.Commit(&outcome);
  return outcome;
}

Outcome Engine::SetExpiry(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                          const MutationOptions& options, std::vector<ValueType>* changed, int64_t* expires_at_micros) {
  const size_t hash = HashKey(key);
  Unit unit(store_, journal_, actor, hash);
  Outcome outcome = unit.SetExpiry(key, hash, types, options, changed, expires_at_micros);
  if (outcome.status.ok()) unit.Commit(&outcome);
  return outcome;
}

Outcome Engine::GetExpiry(absl::string_view key, const std::vector<ValueType>& types, std::vector<Expiry>* expiries) {
  const size_t hash = HashKey(key);
  return Unit(store_, journal_, "", hash).GetExpiry(key, hash, types, expiries);
}

Outcome Engine::WithRoom(absl::FunctionRef<std::vector<size_t>()> hashes, absl::FunctionRef<Outcome()> attempt) {
  Outcome outcome = attempt();
  if (!store_->usage().limits().evict() || outcome.lacks == Size()) return outcome;
  const std::vector<size_t> keys = hashes();
  const SparedKeys spared(keys.begin(), keys.end());
  for (int i = 0; i < kMaxAttemptsWithRoom && !(outcome.lacks == Size()); ++i) {
    const absl::Status status = evictor_.MakeRoom(outcome.lacks, spared);
    if (absl::IsOutOfRange(status)) {
      outcome.status =
          WithAdvice(outcome.status, "there is no room for it with all other keys evicted: raise the limit");
      return outcome;
    }
    if (absl::IsResourceExhausted(status)) break;
    if (!status.ok()) {
      // Where the ledger takes nothing, that is what the caller has to know.
      outcome.status = status;
      outcome.observed_revision = 0;
      return outcome;
    }
    outcome = attempt();
  }
  if (!(outcome.lacks == Size())) outcome.status = WithAdvice(outcome.status, "try again: more keys are evicted then");
  return outcome;
}

uint64_t Engine::Expire(size_t max_keys) {
  const int64_t now_micros = journal_->NowMicros();
  uint64_t last_revision = 0;
  for (size_t i = 0; i < store_->shards().size() && max_keys > 0; ++i) {
    Shard& shard = store_->shards()[next_shard_ % store_->shards().size()];
    if (shard.next_expiry() > now_micros) {
      ++next_shard_;
      continue;
    }
    Unit unit(store_, journal_, &shard);
    const size_t removed = unit.RemoveDue(now_micros, std::min(max_keys, kMaxExpiredUnderOneLock));
    Outcome outcome;
    unit.Commit(&outcome);
    if (!outcome.status.ok()) return last_revision;
    ++next_shard_;
    if (!outcome.logged) continue;
    last_revision = outcome.observed_revision;
    max_keys -= removed;
  }
  return last_revision;
}

Outcome Engine::Count(std::array<uint64_t, kValueTypeCount>* keys) {
  const Store::Sizes sizes = store_->CountKeys();
  *keys = sizes.keys;
  Outcome outcome;
  outcome.observed_revision = sizes.newest_revision;
  outcome.latest_revision = std::max(journal_->durable_revision(), sizes.newest_revision);
  return outcome;
}

}  // namespace kvs::server
