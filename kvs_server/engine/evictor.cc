#include "kvs_server/engine/evictor.h"

#include <absl/status/statusor.h>

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace kvs::server {
namespace {

// How many keys are looked at for each that is removed, and how many are remembered.
constexpr size_t kSampleKeys = 8;
constexpr size_t kMaxCandidates = 16;
constexpr size_t kLooksForEachSpared = 8;

// How many keys whose time has come are removed at a time.
constexpr size_t kMaxDueAtOnce = 100;

// What is freed beyond what is asked for, as a share of the limit, and at most.
constexpr uint64_t kSpareShare = 1024;
constexpr uint64_t kMaxSpareBytes = 4 * kKiB;
constexpr uint64_t kMaxSpareKeys = 32;

}  // namespace

bool Evictor::IsTooMuch(const Size& growth, const SparedKeys& spared) const {
  const int64_t now_micros = journal_.NowMicros();
  Size least = growth;
  for (const size_t hash : spared) {
    Shard& shard = store_.shard(hash);
    MutexLock lock(&shard.mutex());
    least += shard.SizeOf(hash, now_micros);
  }
  const UsageLimits& limits = store_.usage().limits();
  return (growth.bytes > 0 && Exceeds(least.bytes, limits.max_memory_bytes)) ||
         (growth.keys > 0 && Exceeds(least.keys, limits.max_keys));
}

absl::Status Evictor::MakeRoom(const Size& growth, const SparedKeys& spared) {
  if (IsTooMuch(growth, spared)) return absl::OutOfRangeError("more than there may be");
  const UsageLimits& limits = store_.usage().limits();
  Size enough = growth;
  enough += {static_cast<int64_t>(std::min(limits.max_keys / kSpareShare, kMaxSpareKeys)),
             static_cast<int64_t>(std::min(limits.max_memory_bytes / kSpareShare, kMaxSpareBytes))};
  const size_t max_removals = kMaxEvictionsAtOnce + static_cast<size_t>(std::max<int64_t>(growth.keys, 0));
  MutexLock lock(&mutex_);
  for (size_t i = 0; i < max_removals; ++i) {
    if (store_.usage().HasRoomFor(enough)) return absl::OkStatus();
    const absl::Status status = RemoveSome(spared);
    if (absl::IsNotFound(status)) break;
    if (!status.ok()) return status;
  }
  return store_.usage().HasRoomFor(growth) ? absl::OkStatus() : absl::ResourceExhaustedError("no more at once");
}

absl::Status Evictor::RemoveSome(const SparedKeys& spared) {
  // So many keys may be looked at until there is one that is not spared.
  const size_t enough = kLooksForEachSpared * (spared.size() + kSampleKeys);
  for (size_t looked_at = 0; looked_at < enough;) {
    const size_t looked_at_before = looked_at;
    const absl::StatusOr<size_t> expired = LookAround(journal_.NowMicros(), &looked_at);
    if (!expired.ok()) return expired.status();
    if (*expired > 0) return absl::OkStatus();
    std::erase_if(candidates_, [&spared](const Candidate& known) { return spared.contains(known.hash); });
    if (looked_at == looked_at_before && candidates_.empty()) break;
    if (candidates_.empty()) continue;
    const Candidate candidate = std::move(candidates_.back());
    candidates_.pop_back();
    const absl::StatusOr<bool> is_evicted = Evict(candidate);
    if (!is_evicted.ok()) return is_evicted.status();
    if (*is_evicted) return absl::OkStatus();
  }
  return absl::NotFoundError("nothing is left");
}

absl::StatusOr<size_t> Evictor::LookAround(int64_t now_micros, size_t* looked_at) {
  const size_t enough = *looked_at + kSampleKeys;
  for (size_t i = 0; i < store_.shards().size() && *looked_at < enough; ++i) {
    Shard& shard = store_.shards()[next_shard_++ % store_.shards().size()];
    if (shard.next_expiry() <= now_micros) {
      Unit unit(&store_, &journal_, &shard);
      const size_t removed = unit.RemoveDue(now_micros, kMaxDueAtOnce);
      Outcome outcome;
      unit.Commit(&outcome);
      if (!outcome.status.ok()) return outcome.status;
      if (removed > 0) return removed;
    }
    MutexLock lock(&shard.mutex());
    shard.Sample(kSampleKeys, [&](const Shard::KeyUse& use) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      Consider(use, UseTime(now_micros));
      ++*looked_at;
    });
  }
  return 0;
}

void Evictor::Consider(const Shard::KeyUse& use, uint32_t now) {
  const auto is_older = [now](const auto& a, const auto& b) { return now - a.last_use > now - b.last_use; };
  const bool is_full = candidates_.size() == kMaxCandidates;
  if (is_full && !is_older(use, candidates_.front())) return;
  for (const Candidate& known : candidates_) {
    if (known.hash == use.hash && known.type == use.type && known.revision == use.revision) return;
  }
  if (is_full) candidates_.erase(candidates_.begin());
  Candidate candidate{use.type, std::string(use.key), use.hash, use.revision, use.last_use};
  const auto it = std::find_if(candidates_.begin(), candidates_.end(),
                               [&](const Candidate& known) { return is_older(known, candidate); });
  candidates_.insert(it, std::move(candidate));
}

absl::StatusOr<bool> Evictor::Evict(const Candidate& candidate) {
  Unit unit(&store_, &journal_, &store_.shard(candidate.hash));
  if (!unit.Evict({candidate.type, candidate.key, candidate.hash, candidate.revision, candidate.last_use})) {
    return false;
  }
  Outcome outcome;
  unit.Commit(&outcome);
  if (!outcome.status.ok()) return outcome.status;
  evictions_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace kvs::server
