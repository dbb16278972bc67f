// The place of each step in the total order: rules 3 and 4 of checker.h.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/linearizability/steps.h"

namespace kvs::linearizability {

inline constexpr uint64_t kNowhere = ~uint64_t{0};

// By step; kNowhere for those that took no effect and saw nothing, as far as their clients know. A step that has no
// place where it could be is a violation, and gets the nearest.
std::vector<uint64_t> PlacesOf(const History& history, const Ledger& ledger, const std::vector<Step>& steps,
                               Violations* violations);

}  // namespace kvs::linearizability
