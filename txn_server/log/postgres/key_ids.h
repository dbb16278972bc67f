// KeyIds: which keys have a row already, and the ids of those rows. Remembers the keys that were used last, within a
// bound of memory.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/strings/string_view.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/model/value.h"
#include "common/sync.h"

namespace kvs::txn {

// Thread-safe.
class KeyIds {
 public:
  // `max_bytes` is about what it may take.
  explicit KeyIds(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::optional<uint64_t> Find(ValueType type, absl::string_view key) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remember(ValueType type, absl::string_view key, uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Keys that were used go to the new generation; when that has half of the room, the old one is forgotten.
  struct Generation {
    std::array<absl::flat_hash_map<std::string, uint64_t>, kValueTypeCount> types;
    size_t bytes = 0;
  };

  void Insert(ValueType type, absl::string_view key, uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_bytes_;
  Mutex mutex_;
  Generation new_ ABSL_GUARDED_BY(mutex_);
  Generation old_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs::txn
