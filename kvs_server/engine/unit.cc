#include "kvs_server/engine/unit.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/errors.h"
#include "common/limits.h"
#include "common/logging/logging.h"
#include "common/model/fold.h"
#include "common/model/transaction_codec.h"
#include "kvs_server/store/footprint.h"

namespace kvs::server {
namespace {

// Something was evaluated against this very state, under the same lock: memory is corrupt, and must not be served.
void CheckFits(const absl::Status& status) {
  if (status.ok()) return;
  LogError("a transaction does not fit the state that it was made from", {{"status", status}});
  std::abort();
}

// Whether nobody asked for it.
bool IsRemoval(const Transaction& transaction) {
  const auto* removal = std::get_if<operation::Delete>(&transaction.operation);
  return removal != nullptr && removal->cause != operation::Delete::Cause::kRequested;
}

// Whether one of the hashes is there twice.
bool HasRepetition(absl::Span<const size_t> hashes) {
  // An open hash table of places, from 1.
  size_t slots = 16;
  while (slots < 2 * hashes.size()) slots *= 2;
  std::vector<uint32_t> places(slots);
  for (size_t i = 0; i < hashes.size(); ++i) {
    size_t slot = hashes[i] & (slots - 1);
    for (; places[slot] != 0; slot = (slot + 1) & (slots - 1)) {
      if (hashes[places[slot] - 1] == hashes[i]) return true;
    }
    places[slot] = static_cast<uint32_t>(i + 1);
  }
  return false;
}

}  // namespace

Unit::Unit(Store* store, Journal* journal, absl::string_view actor, size_t hash) ABSL_NO_THREAD_SAFETY_ANALYSIS
    : store_(*store),
      journal_(*journal),
      actor_(actor) {
  shards_.push_back(&store_.shard(hash));
  shards_.front()->mutex().Lock();
}

Unit::Unit(Store* store, Journal* journal, absl::string_view actor, absl::Span<const size_t> hashes,
           bool is_record) ABSL_NO_THREAD_SAFETY_ANALYSIS : store_(*store),
                                                            journal_(*journal),
                                                            actor_(actor),
                                                            is_record_(is_record) {
  if (is_record || HasRepetition(hashes)) changes_ = std::make_unique<AllChanges>();
  std::vector<bool> is_needed(store_.shards().size());
  for (const size_t hash : hashes) is_needed[store_.shard_index(hash)] = true;
  for (size_t i = 0; i < is_needed.size(); ++i) {
    if (is_needed[i]) shards_.push_back(&store_.shards()[i]);
  }
  for (Shard* shard : shards_) shard->mutex().Lock();
}

Unit::Unit(Store* store, Journal* journal, Shard* shard) ABSL_NO_THREAD_SAFETY_ANALYSIS : store_(*store),
                                                                                          journal_(*journal),
                                                                                          is_record_(false) {
  shards_.push_back(shard);
  shard->mutex().Lock();
}

Unit::~Unit() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (Shard* shard : shards_) shard->mutex().Unlock();
}

Outcome Unit::Observe(uint64_t revision, uint64_t observed_revision) const {
  Outcome outcome;
  outcome.revision = revision;
  outcome.latest_revision = journal_.durable_revision();
  if (!IsProvisional(revision)) outcome.latest_revision = std::max(outcome.latest_revision, revision);
  outcome.observed_revision = observed_revision;
  return outcome;
}

template <class T>
void Unit::BringUpToDate(Change<T>& change) const {
  if (!change.is_begun && change.original) change.value = *change.original;
  change.is_begun = true;
  for (const uint32_t index : change.not_folded) {
    const Operation& operation = transactions_[index].operation;
    if (std::holds_alternative<operation::Delete>(operation)) {
      change.value.reset();
      continue;
    }
    if (!change.value) change.value.emplace();
    CheckFits(Fold(*change.value, operation));
  }
  change.not_folded.clear();
}

absl::Status Unit::FailureInUnit(const Precondition& precondition, uint64_t revision) {
  if (IsProvisional(revision) && precondition.NeedsRevision()) {
    return Error(errors::kInvalidPrecondition,
                 "nothing was changed: revision_equals cannot be checked, since an earlier operation of the batch "
                 "changes the key; put the precondition on the first operation of the key");
  }
  return precondition.FailureWithin(revision != 0);
}

int64_t Unit::NowMicros() {
  if (now_micros_ == 0) now_micros_ = journal_.NowMicros();
  return now_micros_;
}

int64_t Unit::ExpiryAfter(const Operation& operation, int64_t expiry_before, int64_t ttl_micros) {
  if (std::holds_alternative<operation::Delete>(operation)) return 0;
  if (ttl_micros != 0) return NowMicros() + ttl_micros;
  return std::holds_alternative<operation::Put>(operation) ? 0 : expiry_before;
}

void Unit::AddRemoval(ValueType type, absl::string_view key, uint64_t revision, operation::Delete::Cause cause) {
  Transaction& removal = transactions_.emplace_back();
  removal.previous_revision = revision;
  removal.type = type;
  removal.key = key;
  removal.operation = operation::Delete{cause};
  ++removals_;
}

template <class T>
uint64_t Unit::Add(const Found<T>& found, absl::string_view key, Operation operation, int64_t expires_at_micros) {
  if (found.expired) AddRemoval(kTypeOf<T>, key, found.expired->revision, operation::Delete::Cause::kExpired);
  const auto index = static_cast<uint32_t>(transactions_.size());
  Transaction& transaction = transactions_.emplace_back();
  transaction.previous_revision = found.revision;
  transaction.actor = actor_;
  transaction.type = kTypeOf<T>;
  transaction.key = key;
  transaction.operation = std::move(operation);
  transaction.expires_at_micros = expires_at_micros;
  if (is_limited_) growth_ += GrowthOf(found, transaction);
  if (changes_) Note(found, key, index);
  return kProvisional | index;
}

template <class T>
Size Unit::GrowthOf(const Found<T>& found, const Transaction& transaction) {
  // How long a key lives may be said at any time: it is a way to make room.
  if (std::holds_alternative<operation::SetExpiry>(transaction.operation)) return {};
  Size before;
  if (found.expired) before = {1, static_cast<int64_t>(Footprint(*found.expired))};
  const auto footprint = [&](size_t value_heap_bytes, int64_t expires_at_micros) -> Size {
    return {1, static_cast<int64_t>(Footprint<T>(transaction.key.size(), value_heap_bytes, expires_at_micros != 0))};
  };
  if (found.value) before = footprint(HeapBytesOf(*found.value), found.expires_at_micros);
  if (std::holds_alternative<operation::Delete>(transaction.operation)) return Size() - before;
  return footprint(HeapBytesAfter(found.value, transaction.operation), transaction.expires_at_micros) - before;
}

template <class T>
void Unit::Note(const Found<T>& found, absl::string_view key, uint32_t index) {
  const Transaction& transaction = transactions_[index];
  Change<T>& change = std::get<Changes<T>>(*changes_)[key];
  if (!found.is_changed) change.original = found.value;
  change.not_folded.push_back(index);
  change.revision = std::holds_alternative<operation::Delete>(transaction.operation) ? 0 : kProvisional | index;
  change.expires_at_micros = transaction.expires_at_micros;
}

template <class Call>
auto Unit::WithFound(ValueType type, absl::string_view key, size_t hash, Call call) {
  Shard& shard = store_.shard(hash);
  switch (type) {
    case ValueType::kInt:
      return call(Find<int64_t>(shard, key, hash));
    case ValueType::kUint:
      return call(Find<uint64_t>(shard, key, hash));
    case ValueType::kFloat:
      return call(Find<double>(shard, key, hash));
    case ValueType::kString:
      return call(Find<StringValue>(shard, key, hash));
    case ValueType::kSet:
      return call(Find<SetValue>(shard, key, hash));
    case ValueType::kMap:
      return call(Find<MapValue>(shard, key, hash));
  }
  std::abort();
}

Outcome Unit::Exists(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                     std::vector<ValueType>* present) {
  uint64_t newest = 0;
  uint64_t observed = 0;
  for (const ValueType type : types) {
    WithFound(type, key, hash, [&](const auto& found) {
      newest = std::max(newest, found.revision);
      observed = std::max(observed, found.observed_revision);
      if (found.value) present->push_back(type);
    });
  }
  return Observe(newest, observed);
}

Outcome Unit::GetExpiry(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                        std::vector<Expiry>* expiries) {
  uint64_t newest = 0;
  uint64_t observed = 0;
  for (const ValueType type : types) {
    WithFound(type, key, hash, [&](const auto& found) {
      newest = std::max(newest, found.revision);
      observed = std::max(observed, found.observed_revision);
      if (!found.value) return;
      expiries->push_back({type, found.expires_at_micros, found.expires_at_micros - NowMicros()});
    });
  }
  return Observe(newest, observed);
}

template <class Make>
Outcome Unit::MutateTypes(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                          const Precondition& precondition, int64_t expires_at_micros, Make make,
                          std::vector<ValueType>* changed) {
  std::vector<ValueType> present;
  Outcome outcome = Exists(key, hash, types, &present);
  if (types.size() == 1) {
    outcome.status = WithFound(types.front(), key, hash, [&](const auto& found) { return Check(precondition, found); });
  } else if (!precondition.Holds(outcome.revision)) {
    bool is_changed = false;
    for (const ValueType type : types) {
      is_changed |= WithFound(type, key, hash, [](const auto& found) { return found.is_changed; });
    }
    outcome.status =
        is_changed ? FailureInUnit(precondition, outcome.revision) : precondition.Failure(outcome.revision);
  }
  if (!outcome.status.ok()) return outcome;
  for (const ValueType type : present) {
    WithFound(type, key, hash, [&](const auto& found) {
      std::optional<Operation> operation = make(found);
      if (!operation) return;
      outcome.revision = Add(found, key, *std::move(operation), expires_at_micros);
      changed->push_back(type);
    });
  }
  return outcome;
}

Outcome Unit::Delete(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                     const Precondition& precondition, std::vector<ValueType>* changed) {
  const auto remove = [](const auto&) { return std::optional<Operation>(operation::Delete{}); };
  return MutateTypes(key, hash, types, precondition, 0, remove, changed);
}

Outcome Unit::SetExpiry(absl::string_view key, size_t hash, const std::vector<ValueType>& types,
                        const MutationOptions& options, std::vector<ValueType>* changed, int64_t* expires_at_micros) {
  *expires_at_micros = options.ttl_micros == 0 ? 0 : NowMicros() + options.ttl_micros;
  const auto set = [&](const auto& found) {
    const bool lives_for_ever_already = *expires_at_micros == 0 && found.expires_at_micros == 0;
    return lives_for_ever_already ? std::nullopt : std::make_optional(SetExpiryOf(*found.value));
  };
  return MutateTypes(key, hash, types, options.precondition, *expires_at_micros, set, changed);
}

size_t Unit::RemoveDue(int64_t now_micros, size_t max_keys) {
  Shard& shard = *shards_.front();
  shard.mutex().AssertHeld();
  // The keys belong to entries that are about to go.
  shard.ForEachDue(now_micros, [&](ValueType type, absl::string_view key, uint64_t revision) {
    if (transactions_.size() == max_keys) return false;
    AddRemoval(type, key, revision, operation::Delete::Cause::kExpired);
    return true;
  });
  return transactions_.size();
}

bool Unit::Evict(const Shard::KeyUse& use) {
  Shard& shard = *shards_.front();
  shard.mutex().AssertHeld();
  const Shard::KeyUse now = shard.UseOf(use.type, use.key, use.hash);
  if (now.revision != use.revision || now.last_use != use.last_use) return false;
  AddRemoval(use.type, use.key, use.revision, operation::Delete::Cause::kEvicted);
  return true;
}

absl::Status Unit::Reserve() {
  Usage& usage = store_.usage();
  if (!is_limited_ || usage.Reserve(growth_)) return absl::OkStatus();
  const UsageLimits& limits = usage.limits();
  const Size used = usage.total();
  // Where keys are evicted, what is to be done depends on whether that can help: Engine::WithRoom tells.
  const absl::string_view advice = limits.evict() ? "" : "; delete keys, let some expire, or raise the limit";
  // Where there is neither, the one is named that other keys cannot give.
  const bool lacks_keys = growth_.keys > 0 && Exceeds(used.keys + growth_.keys, limits.max_keys) &&
                          (!Exceeds(growth_.bytes, limits.max_memory_bytes) || Exceeds(growth_.keys, limits.max_keys));
  if (limits.max_memory_bytes == 0 || lacks_keys) {
    return Error(errors::kTooManyKeys,
                 absl::StrCat("nothing was changed: there are ", used.keys, " keys of the ", limits.max_keys,
                              " that there may be (--max-keys), and this would add ", growth_.keys, advice),
                 {{"used", absl::StrCat(used.keys)}, {"limit", absl::StrCat(limits.max_keys)}});
  }
  return Error(
      errors::kMemoryFull,
      absl::StrCat("nothing was changed: the keys take ", used.bytes, " bytes of the ", limits.max_memory_bytes,
                   " that they may (--max-memory), and this would add ", growth_.bytes, advice),
      {{"used", absl::StrCat(used.bytes)}, {"limit", absl::StrCat(limits.max_memory_bytes)}});
}

void Unit::NameRequest(absl::string_view id, const Answer& answer) {
  if (id.empty()) return;
  for (Transaction& transaction : transactions_) {
    if (!IsRemoval(transaction)) transaction.request.id = id;
  }
  // A removal is never the last one: what the key became follows it.
  transactions_.back().request.answer = answer;
}

void Unit::Commit(Outcome* outcome, absl::string_view request_id, uint64_t command_hash, absl::string_view response) {
  if (transactions_.empty()) return;
  if (absl::Status status = Reserve(); !status.ok()) {
    outcome->status = std::move(status);
    outcome->lacks = growth_;
    // The error tells how much there is of everything.
    outcome->observed_revision = journal_.latest_revision();
    return;
  }
  NameRequest(request_id, {command_hash, static_cast<uint32_t>(transactions_.size()), response});
  Log(outcome);
  if (is_limited_) store_.usage().Release(growth_);
}

void Unit::Log(Outcome* outcome) {
  // What one operation changes of one key needs nothing that holds it together with the removal before it.
  const bool is_record = is_record_ && transactions_.size() - removals_ > 1;
  std::vector<EncodedTransaction> encoded;
  encoded.reserve(transactions_.size());
  size_t bytes = 0;
  for (size_t i = 0; i < transactions_.size(); ++i) {
    Transaction& transaction = transactions_[i];
    if (is_record) transaction.batch_remaining = static_cast<uint32_t>(transactions_.size() - 1 - i);
    const uint64_t previous = transaction.previous_revision;
    encoded.emplace_back(transaction, IsProvisional(previous) ? i - (previous & ~kProvisional) : 0);
    bytes += encoded.back().bytes().size();
  }
  absl::StatusOr<Stamp> stamp;
  if (is_record && bytes > kMaxRecordBytes) {
    stamp = Error(errors::kBatchTooLarge,
                  absl::StrCat("nothing was changed: the changes of the batch take ", bytes,
                               " bytes in the ledger, over the limit of ", kMaxRecordBytes,
                               " of what is all or nothing; divide it"),
                  {{"limit", absl::StrCat(kMaxRecordBytes)}});
  } else {
    stamp = journal_.Enqueue(absl::MakeSpan(encoded));
  }
  if (!stamp.ok()) {
    // Nothing was evaluated that the caller learns about, so the error need not wait.
    outcome->status = stamp.status();
    outcome->observed_revision = 0;
    return;
  }
  first_revision_ = stamp->first_revision;
  Apply(stamp->time_micros);
  outcome->logged = true;
  outcome->revision = Resolve(outcome->revision);
  outcome->observed_revision = first_revision_ + transactions_.size() - 1;
  outcome->latest_revision = std::max(outcome->latest_revision, outcome->observed_revision);
}

void Unit::Apply(int64_t time_micros) {
  uint64_t revision = first_revision_;
  for (Transaction& transaction : transactions_) {
    transaction.revision = revision++;
    transaction.time_micros = time_micros;
    transaction.previous_revision = Resolve(transaction.previous_revision);
    const size_t hash = HashKey(transaction.key);
    Shard& shard = store_.shard(hash);
    shard.mutex().AssertHeld();
    CheckFits(shard.Apply(transaction, hash));
  }
}

#define KVS_INSTANTIATE(T)                             \
  template void Unit::BringUpToDate(Change<T>&) const; \
  template uint64_t Unit::Add(const Found<T>&, absl::string_view key, Operation, int64_t);
KVS_INSTANTIATE(int64_t)
KVS_INSTANTIATE(uint64_t)
KVS_INSTANTIATE(double)
KVS_INSTANTIATE(StringValue)
KVS_INSTANTIATE(SetValue)
KVS_INSTANTIATE(MapValue)
#undef KVS_INSTANTIATE

}  // namespace kvs::server
