// KeyLister: walks the keys that begin with a prefix, by type and then in byte order, a chunk at a time. No lock is
// held between chunks, so that writers are not held up; each shard is read a little ahead.
#pragma once

#include <absl/strings/string_view.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/model/value.h"
#include "kvs_server/store/store.h"

namespace kvs::server {

// Thread-safety: used by one thread at a time.
class KeyLister {
 public:
  struct Key {
    ValueType type;
    std::string key;
    uint64_t revision;
  };
  struct Chunk {
    std::vector<Key> keys;
    // The newest revision that this chunk and the ones before it could have observed.
    uint64_t observed_revision = 0;
  };

  // `store` outlives the lister. `types` are in ascending order.
  KeyLister(Store* store, std::string prefix, std::vector<ValueType> types);

  // At most `max_keys` more keys that do not expire up to `now_micros`; none at the end.
  Chunk Next(size_t max_keys, int64_t now_micros);

 private:
  // What has been read ahead of one shard, for the current type.
  struct Ahead {
    std::deque<Key> keys;
    std::string last;      // the greatest key looked at
    bool started = false;  // whether `last` is set
    bool exhausted = false;
  };

  void BeginType(ValueType type, int64_t now_micros);
  void Refill(size_t shard, int64_t now_micros);
  void ReadAhead(Shard& shard, Ahead& ahead, int64_t now_micros);
  template <class T>
  void ReadAheadIn(const Table<T>& table, Ahead& ahead, int64_t now_micros);
  // Puts a shard into the heap again after its first key changed.
  void Push(size_t shard);
  bool LaterKey(size_t a, size_t b) const;

  Store* const store_;
  const std::string prefix_;
  const std::vector<ValueType> types_;
  size_t next_type_ = 0;
  ValueType type_{};  // the current one
  uint64_t observed_revision_ = 0;
  std::vector<Ahead> ahead_;
  std::vector<size_t> heap_;  // shards with keys at hand, the one with the smallest key first
};

}  // namespace kvs::server
