// What texts take on the heap, as estimates: those of jemalloc on 64 bits, which the servers are linked with.
#pragma once

#include <bit>
#include <cstddef>
#include <string>

namespace kvs {

// A block for so many bytes: jemalloc gives out multiples of 16 up to 128, and from there on four sizes for each power
// of two.
constexpr size_t HeapBlockBytes(size_t bytes) {
  const size_t step = bytes <= 128 ? 16 : std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

// What a std::string of this size keeps outside of itself: short ones nothing.
inline size_t TextHeapBytes(size_t size) { return size <= std::string().capacity() ? 0 : HeapBlockBytes(size + 1); }

}  // namespace kvs
