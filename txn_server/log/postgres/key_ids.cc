#include "txn_server/log/postgres/key_ids.h"

#include <utility>

namespace kvs::txn {
namespace {

// What a key of this length takes: a slot of a table that is three quarters full, and memory of its own unless it is
// short.
size_t BytesOf(absl::string_view key) {
  constexpr size_t kSlotBytes = (sizeof(std::string) + sizeof(uint64_t) + 1) * 4 / 3;
  constexpr size_t kInlineBytes = 15;
  return kSlotBytes + (key.size() > kInlineBytes ? key.size() + 16 : 0);
}

}  // namespace

std::optional<uint64_t> KeyIds::Find(ValueType type, absl::string_view key) {
  MutexLock lock(&mutex_);
  const auto index = static_cast<size_t>(type);
  const auto& recent = new_.types[index];
  if (const auto it = recent.find(key); it != recent.end()) return it->second;
  auto& older = old_.types[index];
  const auto it = older.find(key);
  if (it == older.end()) return std::nullopt;
  const uint64_t id = it->second;
  Insert(type, key, id);
  return id;
}

void KeyIds::Remember(ValueType type, absl::string_view key, uint64_t id) {
  MutexLock lock(&mutex_);
  Insert(type, key, id);
}

void KeyIds::Insert(ValueType type, absl::string_view key, uint64_t id) {
  const size_t bytes = BytesOf(key);
  if (new_.bytes + bytes > max_bytes_ / 2) {
    old_ = std::move(new_);
    new_ = Generation();
  }
  if (new_.types[static_cast<size_t>(type)].emplace(std::string(key), id).second) new_.bytes += bytes;
}

void KeyIds::Clear() {
  MutexLock lock(&mutex_);
  new_ = Generation();
  old_ = Generation();
}

}  // namespace kvs::txn
