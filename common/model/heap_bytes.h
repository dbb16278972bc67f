// What texts take on the heap, as estimates: those of glibc's malloc on 64 bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

namespace kvs {

// A block for so many bytes. malloc keeps 8 bytes with each, and gives out multiples of 16 from 32 on.
constexpr size_t HeapBlockBytes(size_t bytes) { return std::max<size_t>(32, (bytes + 8 + 15) / 16 * 16); }

// What a std::string of this size keeps outside of itself: short ones nothing. One that grew at its end may keep up to
// twice as much, in advance.
inline size_t TextHeapBytes(size_t size) { return size <= std::string().capacity() ? 0 : HeapBlockBytes(size + 1); }

}  // namespace kvs
