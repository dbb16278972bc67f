#include "kvs_server/engine/engine.h"

#include <algorithm>
#include <utility>

#include "common/logging/logging.h"

namespace kvs::server {
namespace {

// How many keys are removed before others may have the lock again.
constexpr size_t kMaxExpiredUnderOneLock = 100;

// What is seen of a key in several types: the newest of its revisions, and what that depends on.
struct Seen {
  uint64_t newest_revision = 0;
  uint64_t observed_revision = 0;

  template <class Found>
  void Add(const Shard& shard, const Found& found) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex()) {
    newest_revision = std::max(newest_revision, found.revision());
    observed_revision = std::max(observed_revision, found.entry ? found.entry->revision : shard.newest_delete());
  }
};

}  // namespace

Outcome Engine::Observe(uint64_t revision, uint64_t observed_revision) const {
  Outcome outcome;
  outcome.revision = revision;
  outcome.latest_revision = std::max(journal_->durable_revision(), revision);
  outcome.observed_revision = observed_revision;
  return outcome;
}

void Engine::Commit(Shard& shard, absl::Span<Transaction> transactions, Outcome& outcome) {
  std::vector<EncodedTransaction> encoded;
  encoded.reserve(transactions.size());
  for (const Transaction& transaction : transactions) encoded.emplace_back(transaction);
  const absl::StatusOr<Stamp> stamp = journal_->Enqueue(absl::MakeSpan(encoded));
  if (!stamp.ok()) {
    // Nothing was evaluated that the caller learns about, so the error need not wait.
    outcome.status = stamp.status();
    outcome.observed_revision = 0;
    return;
  }
  uint64_t revision = stamp->first_revision;
  for (Transaction& transaction : transactions) {
    transaction.revision = revision++;
    transaction.time_micros = stamp->time_micros;
    if (absl::Status status = shard.Apply(transaction, HashKey(transaction.key)); !status.ok()) {
      // It was evaluated against this very state, under the same lock: memory is corrupt, and must not be served.
      LogError("a transaction does not fit the state that it was made from", {{"status", status}});
      std::abort();
    }
  }
  outcome.logged = true;
  outcome.revision = outcome.observed_revision = revision - 1;
  outcome.latest_revision = std::max(outcome.latest_revision, outcome.revision);
}

int64_t Engine::ExpiryAfter(const Operation& operation, int64_t expiry_before, int64_t ttl_micros) const {
  if (std::holds_alternative<operation::Delete>(operation)) return 0;
  if (ttl_micros != 0) return journal_->NowMicros() + ttl_micros;
  return std::holds_alternative<operation::Put>(operation) ? 0 : expiry_before;
}

Transaction Engine::RemovalOf(ValueType type, absl::string_view key, uint64_t revision) {
  Transaction removal;
  removal.previous_revision = revision;
  removal.type = type;
  removal.key = key;
  removal.operation = operation::Delete{operation::Delete::Cause::kExpired};
  return removal;
}

template <class Call>
auto Engine::WithFound(Shard& shard, ValueType type, absl::string_view key, size_t hash, Call call) const {
  switch (type) {
    case ValueType::kInt:
      return call(Find<int64_t>(shard, key, hash));
    case ValueType::kUint:
      return call(Find<uint64_t>(shard, key, hash));
    case ValueType::kFloat:
      return call(Find<double>(shard, key, hash));
    case ValueType::kString:
      return call(Find<std::string>(shard, key, hash));
    case ValueType::kSet:
      return call(Find<SetValue>(shard, key, hash));
    case ValueType::kMap:
      return call(Find<MapValue>(shard, key, hash));
  }
  std::abort();
}

Outcome Engine::Exists(absl::string_view key, const std::vector<ValueType>& types, std::vector<ValueType>* present) {
  const size_t hash = HashKey(key);
  Shard& shard = store_->shard(hash);
  MutexLock lock(&shard.mutex());
  Seen seen;
  for (const ValueType type : types) {
    WithFound(shard, type, key, hash, [&](const auto& found) {
      seen.Add(shard, found);
      if (found.value()) present->push_back(type);
    });
  }
  return Observe(seen.newest_revision, seen.observed_revision);
}

template <class Make>
Outcome Engine::MutateTypes(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                            const Precondition& precondition, int64_t expires_at_micros, Make make,
                            std::vector<ValueType>* changed) {
  const size_t hash = HashKey(key);
  Shard& shard = store_->shard(hash);
  MutexLock lock(&shard.mutex());
  Seen seen;
  absl::Status failure;  // of the precondition, if it does not hold
  std::vector<Transaction> transactions;
  for (const ValueType type : types) {
    WithFound(shard, type, key, hash, [&](const auto& found) {
      seen.Add(shard, found);
      if (types.size() == 1 && !precondition.Holds(found.revision())) {
        failure = precondition.Failure(found.revision(), found.value());
      }
      std::optional<Operation> operation = found.value() ? make(found) : std::nullopt;
      if (!operation) return;
      Transaction& transaction = transactions.emplace_back();
      transaction.previous_revision = found.revision();
      transaction.actor = actor;
      transaction.type = type;
      transaction.key = key;
      transaction.operation = *std::move(operation);
      transaction.expires_at_micros = expires_at_micros;
    });
  }
  Outcome outcome = Observe(seen.newest_revision, seen.observed_revision);
  if (types.size() > 1 && !precondition.Holds(seen.newest_revision)) {
    failure = precondition.Failure(seen.newest_revision);
  }
  if (!failure.ok()) {
    outcome.status = failure;
    return outcome;
  }
  uint32_t remaining = static_cast<uint32_t>(transactions.size());
  for (Transaction& transaction : transactions) transaction.batch_remaining = --remaining;
  if (transactions.empty()) return outcome;
  Commit(shard, absl::MakeSpan(transactions), outcome);
  if (outcome.logged) {
    for (const Transaction& transaction : transactions) changed->push_back(transaction.type);
  }
  return outcome;
}

Outcome Engine::Delete(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                       Precondition precondition, std::vector<ValueType>* changed) {
  const auto remove = [](const auto&) { return std::optional<Operation>(operation::Delete{}); };
  return MutateTypes(actor, key, types, precondition, 0, remove, changed);
}

Outcome Engine::SetExpiry(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                          const MutationOptions& options, std::vector<ValueType>* changed, int64_t* expires_at_micros) {
  *expires_at_micros = options.ttl_micros == 0 ? 0 : journal_->NowMicros() + options.ttl_micros;
  const auto set = [&](const auto& found) {
    const bool lives_for_ever_already = *expires_at_micros == 0 && found.expires_at_micros == 0;
    return lives_for_ever_already ? std::nullopt : std::make_optional(SetExpiryOf(*found.value()));
  };
  return MutateTypes(actor, key, types, options.precondition, *expires_at_micros, set, changed);
}

Outcome Engine::GetExpiry(absl::string_view key, const std::vector<ValueType>& types, std::vector<Expiry>* expiries) {
  const size_t hash = HashKey(key);
  Shard& shard = store_->shard(hash);
  MutexLock lock(&shard.mutex());
  Seen seen;
  const int64_t now_micros = journal_->NowMicros();
  for (const ValueType type : types) {
    WithFound(shard, type, key, hash, [&](const auto& found) {
      seen.Add(shard, found);
      if (found.value()) expiries->push_back({type, found.expires_at_micros, found.expires_at_micros - now_micros});
    });
  }
  return Observe(seen.newest_revision, seen.observed_revision);
}

Outcome Engine::Count(std::array<uint64_t, kValueTypeCount>* keys) {
  const Store::Sizes sizes = store_->CountKeys();
  *keys = sizes.keys;
  Outcome outcome;
  outcome.observed_revision = sizes.newest_revision;
  outcome.latest_revision = std::max(journal_->durable_revision(), sizes.newest_revision);
  return outcome;
}

uint64_t Engine::Expire(size_t max_keys) {
  const int64_t now_micros = journal_->NowMicros();
  uint64_t last_revision = 0;
  std::vector<Transaction> removals;
  for (size_t i = 0; i < store_->shards().size() && max_keys > 0; ++i) {
    Shard& shard = store_->shards()[next_shard_ % store_->shards().size()];
    if (shard.next_expiry() > now_micros) {
      ++next_shard_;
      continue;
    }
    MutexLock lock(&shard.mutex());
    const size_t share = std::min(max_keys, kMaxExpiredUnderOneLock);
    removals.clear();
    shard.ForEachDue(now_micros, [&](ValueType type, absl::string_view key, uint64_t revision) {
      if (removals.size() == share) return false;
      removals.push_back(RemovalOf(type, key, revision));
      return true;
    });
    Outcome outcome;
    // The keys belong to entries that are about to go.
    Commit(shard, absl::MakeSpan(removals), outcome);
    if (!outcome.logged) return last_revision;
    last_revision = outcome.revision;
    max_keys -= removals.size();
    ++next_shard_;
  }
  return last_revision;
}

}  // namespace kvs::server
