// A history taken apart into steps, and the ledger's transactions given to them: rules 1 and 2 of checker.h.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/linearizability/checker.h"
#include "tests/support/linearizability/operations.h"

namespace kvs::linearizability {

inline constexpr uint32_t kNone = ~uint32_t{0};

struct Step {
  uint32_t call = 0;       // in the history
  uint32_t operation = 0;  // in an independent batch
  Outcome outcome = Outcome::kUnknown;
  bool is_whole = true;          // takes all of its revisions or none
  uint64_t latest_revision = 0;  // that it was told, 0 if it was not
  // The revisions that it took, as the ledger tells.
  uint64_t first_revision = 0;
  uint64_t last_revision = 0;

  bool changed() const { return last_revision != 0; }
};

// What was found to be wrong, with the calls that conflict; only the first ones are kept.
class Violations {
 public:
  void Add(std::string what, std::vector<size_t> calls) {
    if (found_.size() == kMax) return;
    Violation& violation = found_.emplace_back();
    violation.what = std::move(what);
    violation.calls = std::move(calls);
  }
  const std::vector<Violation>& found() const { return found_; }

 private:
  static constexpr size_t kMax = 50;
  std::vector<Violation> found_;
};

// Steps in the order of their calls, those of one call in its order.
std::vector<Step> StepsOf(const History& history, const Ledger& ledger, Violations* violations);

// What a step asked for, in the form of a batch.
v1::BatchExecuteRequest RequestOf(const History& history, const Step& step);
// What it was told, where its outcome is kAnswered.
std::vector<v1::BatchResult> ResultsOf(const History& history, const Step& step);
// What it was told, where its outcome is kFailed.
google::rpc::Status ErrorOf(const History& history, const Step& step);

}  // namespace kvs::linearizability
