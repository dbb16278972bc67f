// Prefetch: has memory fetched ahead of its use.
#pragma once

#include <cstddef>

namespace kvs {

inline void Prefetch(const void* address) {
  __builtin_prefetch(address);
  // gcc takes a function that does nothing but fetch ahead for one without effects, and leaves out calls of it.
  asm volatile("" : : "r"(address));
}

// All of an object.
template <class T>
void PrefetchAll(const T& object) {
  constexpr size_t kCacheLine = 64;
  const char* const begin = reinterpret_cast<const char*>(&object);
  for (size_t at = 0; at < sizeof(T); at += kCacheLine) Prefetch(begin + at);
  Prefetch(begin + sizeof(T) - 1);
}

}  // namespace kvs
