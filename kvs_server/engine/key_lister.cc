#include "kvs_server/engine/key_lister.h"

#include <algorithm>
#include <utility>

namespace kvs::server {
namespace {

// Of one shard. With all shards they are what a reader who is slow costs in memory.
constexpr size_t kKeysAhead = 16;

bool HasPrefix(absl::string_view key, absl::string_view prefix) { return key.substr(0, prefix.size()) == prefix; }

}  // namespace

KeyLister::KeyLister(Store* store, std::string prefix, std::vector<ValueType> types)
    : store_(store), prefix_(std::move(prefix)), types_(std::move(types)) {
  BeginType();
}

void KeyLister::BeginType() {
  ahead_.assign(store_->shards().size(), Ahead{});
  heap_.clear();
  if (type_ == types_.size()) return;
  for (size_t shard = 0; shard < ahead_.size(); ++shard) {
    Refill(shard);
    Push(shard);
  }
}

template <class T>
void KeyLister::RefillFrom(const Table<T>& table, Ahead& ahead) const {
  ahead.exhausted = true;
  table.Scan(ahead.started ? ahead.last : prefix_, !ahead.started, [&](const Entry<T>& entry) {
    if (!HasPrefix(entry.key(), prefix_)) return false;
    if (ahead.keys.size() == kKeysAhead) {
      ahead.exhausted = false;
      return false;
    }
    ahead.keys.push_back(Key{types_[type_], std::string(entry.key()), entry.revision});
    return true;
  });
  if (!ahead.keys.empty()) {
    ahead.last = ahead.keys.back().key;
    ahead.started = true;
  }
}

void KeyLister::Refill(size_t index) {
  Shard& shard = store_->shards()[index];
  Ahead& ahead = ahead_[index];
  MutexLock lock(&shard.mutex());
  observed_revision_ = std::max(observed_revision_, shard.newest_delete());
  switch (types_[type_]) {
    case ValueType::kInt:
      return RefillFrom(shard.table<int64_t>(), ahead);
    case ValueType::kUint:
      return RefillFrom(shard.table<uint64_t>(), ahead);
    case ValueType::kFloat:
      return RefillFrom(shard.table<double>(), ahead);
    case ValueType::kString:
      return RefillFrom(shard.table<std::string>(), ahead);
    case ValueType::kSet:
      return RefillFrom(shard.table<SetValue>(), ahead);
    case ValueType::kMap:
      return RefillFrom(shard.table<MapValue>(), ahead);
  }
}

bool KeyLister::LaterKey(size_t a, size_t b) const { return ahead_[a].keys.front().key > ahead_[b].keys.front().key; }

void KeyLister::Push(size_t shard) {
  if (ahead_[shard].keys.empty()) return;
  heap_.push_back(shard);
  std::push_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return LaterKey(a, b); });
}

KeyLister::Chunk KeyLister::Next(size_t max_keys) {
  Chunk chunk;
  while (chunk.keys.size() < max_keys && type_ < types_.size()) {
    if (heap_.empty()) {
      ++type_;
      BeginType();
      continue;
    }
    std::pop_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return LaterKey(a, b); });
    const size_t shard = heap_.back();
    heap_.pop_back();
    Ahead& ahead = ahead_[shard];
    observed_revision_ = std::max(observed_revision_, ahead.keys.front().revision);
    chunk.keys.push_back(std::move(ahead.keys.front()));
    ahead.keys.pop_front();
    if (ahead.keys.empty() && !ahead.exhausted) Refill(shard);
    Push(shard);
  }
  chunk.observed_revision = observed_revision_;
  return chunk;
}

}  // namespace kvs::server
