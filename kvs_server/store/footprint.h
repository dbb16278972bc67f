// Footprint: what keys take in memory, as estimates. Growing tables are on average three quarters full; what they take
// at a moment may be a fifth more or less than what is said here. bench/memory_of_keys.cc measures it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/model/transaction.h"
#include "common/model/value.h"
#include "kvs_server/store/table.h"

namespace kvs::server {

// What a key takes of the hash index, 16 bytes for each slot of which between 13 in 32 and 13 in 16 are used, and of
// the ordered index.
inline constexpr size_t kIndexBytes = 28 + 13;

// What a key that expires takes of the expiry index.
inline constexpr size_t kExpiryBytes = 56;

// What a key takes whose value is of type T and takes this much on the heap.
template <class T>
size_t Footprint(size_t key_bytes, size_t value_heap_bytes, bool expires) {
  return HeapBlockBytes(sizeof(Entry<T>) + key_bytes) + kIndexBytes + value_heap_bytes + (expires ? kExpiryBytes : 0);
}
template <class T>
size_t Footprint(const Entry<T>& entry) {
  return Footprint<T>(entry.key().size(), HeapBytesOf(entry.value), entry.expires());
}

// What the value takes on the heap after an operation on it, null where the key is absent. REQUIRES: the operation can
// have its effect on the value, and is not a Delete. Defined for every alternative of Value.
template <class T>
size_t HeapBytesAfter(const T* value, const Operation& operation);

}  // namespace kvs::server
