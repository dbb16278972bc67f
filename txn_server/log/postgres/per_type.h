// What there is one of for each type of value.
#pragma once

#include <cstddef>
#include <vector>

#include "common/model/value.h"

namespace kvs::txn {

// What `Make(type)` returns, such as the statements of a type. Made for all types at the first call, and never again.
template <auto Make>
const auto& PerType(ValueType type) {
  static const auto& all = *new std::vector<decltype(Make(type))>([] {
    std::vector<decltype(Make(type))> made;
    for (const ValueType each : kValueTypes) made.push_back(Make(each));
    return made;
  }());
  return all[static_cast<size_t>(type)];
}

}  // namespace kvs::txn
