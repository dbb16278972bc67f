#include "kvs_server/engine/key_lister.h"

#include <algorithm>
#include <utility>

namespace kvs::server {
namespace {

// Looked at in one shard under one lock. With all shards they are what a reader who is slow costs in memory.
constexpr size_t kKeysAhead = 16;

bool HasPrefix(absl::string_view key, absl::string_view prefix) { return key.substr(0, prefix.size()) == prefix; }

}  // namespace

KeyLister::KeyLister(Store* store, std::string prefix, std::vector<ValueType> types)
    : store_(store), prefix_(std::move(prefix)), types_(std::move(types)) {}

void KeyLister::BeginType(ValueType type, int64_t now_micros) {
  type_ = type;
  ahead_.assign(store_->shards().size(), Ahead{});
  for (size_t shard = 0; shard < ahead_.size(); ++shard) {
    Refill(shard, now_micros);
    Push(shard);
  }
}

template <class T>
void KeyLister::ReadAheadIn(const Table<T>& table, Ahead& ahead, int64_t now_micros) {
  ahead.exhausted = true;
  size_t looked_at = 0;
  const Entry<T>* last = nullptr;
  table.Scan(ahead.started ? ahead.last : prefix_, !ahead.started, [&](const Entry<T>& entry) {
    if (!HasPrefix(entry.key(), prefix_)) return false;
    if (looked_at++ == kKeysAhead) {
      ahead.exhausted = false;
      return false;
    }
    last = &entry;
    if (table.IsExpired(&entry, now_micros)) {
      observed_revision_ = std::max(observed_revision_, entry.revision);
    } else {
      ahead.keys.push_back(Key{type_, std::string(entry.key()), entry.revision});
    }
    return true;
  });
  if (last) {
    ahead.last = std::string(last->key());
    ahead.started = true;
  }
}

void KeyLister::ReadAhead(Shard& shard, Ahead& ahead, int64_t now_micros) {
  MutexLock lock(&shard.mutex());
  observed_revision_ = std::max(observed_revision_, shard.newest_delete());
  switch (type_) {
    case ValueType::kInt:
      return ReadAheadIn(shard.table<int64_t>(), ahead, now_micros);
    case ValueType::kUint:
      return ReadAheadIn(shard.table<uint64_t>(), ahead, now_micros);
    case ValueType::kFloat:
      return ReadAheadIn(shard.table<double>(), ahead, now_micros);
    case ValueType::kString:
      return ReadAheadIn(shard.table<std::string>(), ahead, now_micros);
    case ValueType::kSet:
      return ReadAheadIn(shard.table<SetValue>(), ahead, now_micros);
    case ValueType::kMap:
      return ReadAheadIn(shard.table<MapValue>(), ahead, now_micros);
  }
}

void KeyLister::Refill(size_t index, int64_t now_micros) {
  Ahead& ahead = ahead_[index];
  while (ahead.keys.empty() && !ahead.exhausted) ReadAhead(store_->shards()[index], ahead, now_micros);
}

bool KeyLister::LaterKey(size_t a, size_t b) const { return ahead_[a].keys.front().key > ahead_[b].keys.front().key; }

void KeyLister::Push(size_t shard) {
  if (ahead_[shard].keys.empty()) return;
  heap_.push_back(shard);
  std::push_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return LaterKey(a, b); });
}

KeyLister::Chunk KeyLister::Next(size_t max_keys, int64_t now_micros) {
  Chunk chunk;
  while (chunk.keys.size() < max_keys) {
    if (heap_.empty()) {
      if (next_type_ == types_.size()) break;
      BeginType(types_[next_type_++], now_micros);
      continue;
    }
    std::pop_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return LaterKey(a, b); });
    const size_t shard = heap_.back();
    heap_.pop_back();
    Ahead& ahead = ahead_[shard];
    observed_revision_ = std::max(observed_revision_, ahead.keys.front().revision);
    chunk.keys.push_back(std::move(ahead.keys.front()));
    ahead.keys.pop_front();
    Refill(shard, now_micros);
    Push(shard);
  }
  chunk.observed_revision = observed_revision_;
  return chunk;
}

}  // namespace kvs::server
