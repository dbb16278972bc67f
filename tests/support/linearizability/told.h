// Whether each step was told what it should have been, and the ledger has what it should have: rule 5 of checker.h.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/linearizability/steps.h"

namespace kvs::linearizability {

// Ends at the first violation, since nothing that follows would be as it should.
void CheckAnswers(const History& history, const Ledger& ledger, const std::vector<Step>& steps,
                  const std::vector<uint64_t>& places, Violations* violations);

}  // namespace kvs::linearizability
