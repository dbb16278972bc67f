// ExpiryIndex: when the entries of one table expire, for those that do. An entry that does not costs nothing here; one
// that does costs about 60 bytes.
//
// Thread-safety: none; the shard's mutex guards it.
#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <utility>

namespace kvs::server {

template <class Entry>
class ExpiryIndex {
 public:
  // When `entry` expires, in microseconds since 1970; 0 if it does not.
  int64_t Find(const Entry* entry) const {
    const auto it = times_.find(entry);
    return it == times_.end() ? 0 : it->second;
  }

  // From now on `entry` expires at this time, or not at all for 0.
  void Set(Entry* entry, int64_t micros) {
    const auto [it, inserted] = times_.try_emplace(entry, micros);
    if (!inserted) {
      by_time_.erase({it->second, entry});
      it->second = micros;
    }
    if (micros == 0) {
      times_.erase(it);
    } else {
      by_time_.insert({micros, entry});
    }
  }

  // The entries that expire, in the order of their times.
  using ByTime = absl::btree_set<std::pair<int64_t, Entry*>>;
  const ByTime& by_time() const { return by_time_; }

  void Clear() {
    times_.clear();
    by_time_.clear();
  }

 private:
  absl::flat_hash_map<const Entry*, int64_t> times_;
  ByTime by_time_;
};

}  // namespace kvs::server
