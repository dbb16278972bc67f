#include "kvs_server/store/usage.h"

#include <algorithm>

namespace kvs::server {
namespace {

// What shrinks makes room only when it has happened.
Size WhatGrows(const Size& growth) { return {std::max<int64_t>(growth.keys, 0), std::max<int64_t>(growth.bytes, 0)}; }

}  // namespace

Size Usage::total() const {
  Size total;
  for (const ValueType type : kValueTypes) total += of(type);
  return total;
}

void Usage::Clear() {
  for (AtomicSize& size : sizes_) size.Clear();
}

bool Usage::Fits(const Size& growth, const Size& taken) const {
  const auto fits = [](int64_t more, int64_t used, uint64_t limit) {
    return more <= 0 || !Exceeds(used + more, limit);
  };
  const Size used = total();
  return fits(growth.bytes, used.bytes + taken.bytes, limits_.max_memory_bytes) &&
         fits(growth.keys, used.keys + taken.keys, limits_.max_keys);
}

bool Usage::Reserve(const Size& growth) {
  // In this order: of two that look at the same time at least one sees the other, and what was added in between counts
  // twice rather than not at all.
  const Size own = WhatGrows(growth);
  if (Fits(own, reserved_.Add(own) - own)) return true;
  Release(growth);
  return false;
}

void Usage::Release(const Size& growth) { reserved_.Add(Size() - WhatGrows(growth)); }

}  // namespace kvs::server
