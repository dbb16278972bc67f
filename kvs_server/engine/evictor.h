// Evictor: makes room by removing keys that were not used for long, with --memory-policy=lru.
//
// Least recently used by sampling: each eviction looks at a few more keys, remembers the best ones that it has seen,
// and removes the one that was not used for the longest time. Each is a transaction as any other, logged before what it
// makes room for, so that a replay agrees.
//
// Thread-safety: everything may be called from any thread. Lock order: before the locks of shards.
#pragma once

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "common/sync.h"
#include "kvs_server/engine/unit.h"
#include "kvs_server/journal/journal.h"
#include "kvs_server/store/store.h"

namespace kvs::server {

// How many keys one call may remove that adds none; one that adds some may remove as many more.
inline constexpr size_t kMaxEvictionsAtOnce = 1000;

// The hashes of keys that must stay.
using SparedKeys = absl::flat_hash_set<size_t>;

class Evictor {
 public:
  // Both outlive the evictor.
  Evictor(Store* store, Journal* journal) : store_(*store), journal_(*journal) {}

  // Removes keys until there is room for so much, and for a little more, so that not every call has to make some. Keys
  // of the hashes in `spared` stay: what room is made for is about them.
  // OutOfRange, and nothing is removed, if there would be no room with all other keys gone; ResourceExhausted if so
  // many keys were removed that the caller should not wait for more; the error of the journal if that takes no removals
  // now.
  absl::Status MakeRoom(const Size& growth, const SparedKeys& spared) ABSL_LOCKS_EXCLUDED(mutex_);

  // How many keys were evicted since the start. Those whose time had come do not count.
  uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }

 private:
  // A key that may go.
  struct Candidate {
    ValueType type;
    std::string key;
    size_t hash;
    uint64_t revision;
    uint32_t last_use;
  };

  // Whether there is no room for so much even where there is nothing but the spared keys.
  bool IsTooMuch(const Size& growth, const SparedKeys& spared) const;
  // Removes one key, or some whose time has come. NotFound if there is nothing left to remove.
  absl::Status RemoveSome(const SparedKeys& spared) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Looks at more keys, and adds to `looked_at` how many those were. Returns how many it has removed because their time
  // had come.
  absl::StatusOr<size_t> LookAround(int64_t now_micros, size_t* looked_at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Consider(const Shard::KeyUse& use, uint32_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it was still there, and not used since.
  absl::StatusOr<bool> Evict(const Candidate& candidate);

  Store& store_;
  Journal& journal_;
  std::atomic<uint64_t> evictions_{0};

  Mutex mutex_;
  size_t next_shard_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Candidate> candidates_ ABSL_GUARDED_BY(mutex_);  // those used the longest time ago are the last ones
};

}  // namespace kvs::server
