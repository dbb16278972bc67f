#include "tests/support/linearizability/checker.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "tests/support/linearizability/operations.h"
#include "tests/support/linearizability/places.h"
#include "tests/support/linearizability/steps.h"
#include "tests/support/linearizability/told.h"

namespace kvs::linearizability {
namespace {

std::set<std::string> KeysOfCall(const Call& call) {
  std::set<std::string> keys;
  const v1::BatchExecuteRequest request = call.Request();
  for (const auto& operation : request.operations()) {
    for (std::string& key : KeysOf(operation)) keys.insert(std::move(key));
  }
  return keys;
}

bool MutatesAnything(const Call& call) {
  const v1::BatchExecuteRequest request = call.Request();
  return std::any_of(request.operations().begin(), request.operations().end(),
                     [](const v1::BatchOperation& operation) { return Mutates(operation); });
}

// Marks the calls that overlap another one on a key. Calls come in the order of their invocations: a call overlaps one
// before it if the latest of their ends is behind its begin.
class Overlaps {
 public:
  explicit Overlaps(size_t calls) : overlaps_(calls) {}

  void Add(const History& history, size_t index, const std::set<std::string>& keys) {
    for (const std::string& key : keys) {
      auto& under_way = under_way_[key];
      std::erase_if(under_way,
                    [&](size_t other) { return history[other].returned_nanos < history[index].invoked_nanos; });
      for (const size_t other : under_way) overlaps_[other] = overlaps_[index] = true;
      under_way.push_back(index);
    }
  }

  size_t count() const { return static_cast<size_t>(std::count(overlaps_.begin(), overlaps_.end(), true)); }
  size_t keys() const { return under_way_.size(); }

 private:
  std::vector<bool> overlaps_;
  std::map<std::string, std::vector<size_t>> under_way_;
};

Figures FiguresOf(const History& history, const Ledger& ledger, const std::vector<Step>& steps) {
  Figures figures;
  std::set<uint32_t> clients;
  Overlaps overlaps(history.size());
  for (size_t i = 0; i < history.size(); ++i) {
    const Call& call = history[i];
    clients.insert(call.client);
    if (call.outcome == Outcome::kRefused) {
      ++figures.refused;
      continue;
    }
    ++figures.calls;
    overlaps.Add(history, i, KeysOfCall(call));
    if (call.outcome == Outcome::kUnknown && MutatesAnything(call)) ++figures.unknown;
  }
  std::set<uint32_t> found;
  for (const Step& step : steps) {
    if (history[step.call].outcome == Outcome::kUnknown && step.changed()) found.insert(step.call);
  }
  figures.keys = overlaps.keys();
  figures.clients = clients.size();
  figures.overlapping = overlaps.count();
  figures.unknown_found = found.size();
  figures.changes = ledger.size();
  return figures;
}

}  // namespace

Verdict Check(const History& history, const Ledger& ledger) {
  Violations violations;
  const std::vector<Step> steps = StepsOf(history, ledger, &violations);
  const std::vector<uint64_t> places = PlacesOf(history, ledger, steps, &violations);
  CheckAnswers(history, ledger, steps, places, &violations);
  return {FiguresOf(history, ledger, steps), violations.found()};
}

std::string Describe(const History& history, const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations) {
    absl::StrAppend(&text, violation.what, "\n");
    for (const size_t call : violation.calls) absl::StrAppend(&text, "  ", Describe(history, call), "\n");
  }
  return text;
}

}  // namespace kvs::linearizability
