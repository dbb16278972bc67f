// Prefetch: has memory fetched ahead of its use.
#pragma once

namespace kvs {

inline void Prefetch(const void* address) {
  __builtin_prefetch(address);
  // gcc takes a function that does nothing but fetch ahead for one without effects, and leaves out calls of it.
  asm volatile("" : : "r"(address));
}

}  // namespace kvs
