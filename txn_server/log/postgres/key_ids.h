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

namespace kvs::txn {

// Used by one thread.
class KeyIds {
 public:
  // `max_bytes` is about what it may take.
  explicit KeyIds(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::optional<uint64_t> Find(ValueType type, absl::string_view key);
  // REQUIRES: Find(type, key) has found nothing.
  void Remember(ValueType type, absl::string_view key, uint64_t id);
  void Clear();

 private:
  // Keys that were used go to the new generation; when that has half of the room, the old one is forgotten.
  struct Generation {
    std::array<absl::flat_hash_map<std::string, uint64_t>, kValueTypeCount> types;
    size_t bytes = 0;
  };

  const size_t max_bytes_;
  Generation new_;
  Generation old_;
};

}  // namespace kvs::txn
