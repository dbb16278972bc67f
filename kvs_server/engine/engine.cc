#include "kvs_server/engine/engine.h"

#include <algorithm>
#include <utility>

#include "common/logging/logging.h"

namespace kvs::server {

Outcome Engine::Observe(const Shard& shard, uint64_t revision) const {
  Outcome outcome;
  outcome.revision = revision;
  outcome.latest_revision = std::max(journal_->durable_revision(), revision);
  outcome.observed_revision = revision != 0 ? revision : shard.newest_delete();
  return outcome;
}

void Engine::Commit(Shard& shard, size_t hash, absl::Span<Transaction> transactions, Outcome& outcome) {
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
    if (absl::Status status = shard.Apply(transaction, hash); !status.ok()) {
      // It was evaluated against this very state, under the same lock: memory is corrupt, and must not be served.
      LogError("a transaction does not fit the state that it was made from", {{"status", status}});
      std::abort();
    }
  }
  outcome.logged = true;
  outcome.revision = outcome.observed_revision = revision - 1;
  outcome.latest_revision = std::max(outcome.latest_revision, outcome.revision);
}

template <class Call>
auto Engine::WithEntry(Shard& shard, ValueType type, absl::string_view key, size_t hash, Call call) {
  switch (type) {
    case ValueType::kInt:
      return call(shard.table<int64_t>().Find(key, hash));
    case ValueType::kUint:
      return call(shard.table<uint64_t>().Find(key, hash));
    case ValueType::kFloat:
      return call(shard.table<double>().Find(key, hash));
    case ValueType::kString:
      return call(shard.table<std::string>().Find(key, hash));
    case ValueType::kSet:
      return call(shard.table<SetValue>().Find(key, hash));
    case ValueType::kMap:
      return call(shard.table<MapValue>().Find(key, hash));
  }
  std::abort();
}

uint64_t Engine::RevisionOf(Shard& shard, ValueType type, absl::string_view key, size_t hash) {
  return WithEntry(shard, type, key, hash, [](const auto* entry) { return entry ? entry->revision : 0; });
}

Outcome Engine::ObserveSeveral(const Shard& shard, const std::vector<ValueType>& types, size_t present_count,
                               uint64_t newest_revision) const {
  Outcome outcome = Observe(shard, newest_revision);
  // Where it is absent from some of the types, that was observed as well.
  if (present_count < types.size()) outcome.observed_revision = std::max(newest_revision, shard.newest_delete());
  return outcome;
}

Outcome Engine::Exists(absl::string_view key, const std::vector<ValueType>& types, std::vector<ValueType>* present) {
  const size_t hash = HashKey(key);
  Shard& shard = store_->shard(hash);
  MutexLock lock(&shard.mutex());
  uint64_t newest = 0;
  for (const ValueType type : types) {
    const uint64_t revision = RevisionOf(shard, type, key, hash);
    if (revision == 0) continue;
    present->push_back(type);
    newest = std::max(newest, revision);
  }
  return ObserveSeveral(shard, types, present->size(), newest);
}

Outcome Engine::Delete(absl::string_view actor, absl::string_view key, const std::vector<ValueType>& types,
                       Precondition precondition, std::vector<ValueType>* deleted) {
  const size_t hash = HashKey(key);
  Shard& shard = store_->shard(hash);
  MutexLock lock(&shard.mutex());
  std::vector<Transaction> transactions;
  uint64_t newest = 0;
  for (const ValueType type : types) {
    const uint64_t revision = RevisionOf(shard, type, key, hash);
    if (revision == 0) continue;
    newest = std::max(newest, revision);
    deleted->push_back(type);
    Transaction& transaction = transactions.emplace_back();
    transaction.previous_revision = revision;
    transaction.actor = actor;
    transaction.type = type;
    transaction.key = key;
    transaction.operation = operation::Delete{};
  }
  if (!precondition.Holds(newest)) {
    Outcome outcome = ObserveSeveral(shard, types, transactions.size(), newest);
    outcome.status = types.size() > 1 ? precondition.Failure(newest)
                                      : WithEntry(shard, types.front(), key, hash, [&](const auto* entry) {
                                          return precondition.Failure(newest, entry ? &entry->value : nullptr);
                                        });
    deleted->clear();
    return outcome;
  }
  uint32_t remaining = static_cast<uint32_t>(transactions.size());
  for (Transaction& transaction : transactions) transaction.batch_remaining = --remaining;
  Outcome outcome = Observe(shard, 0);
  if (!transactions.empty()) Commit(shard, hash, absl::MakeSpan(transactions), outcome);
  return outcome;
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
