#include "tests/support/linearizability/places.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/rpc/status.h"

namespace kvs::linearizability {
namespace {

// Keys by their numbers.
class KeyNumbers {
 public:
  uint32_t Of(const std::string& key) {
    return numbers_.try_emplace(key, static_cast<uint32_t>(numbers_.size())).first->second;
  }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
};

// When keys changed.
class Versions {
 public:
  explicit Versions(const Ledger& ledger) : ledger_(ledger), next_(ledger.size() + 1, kNowhere) {
    for (const auto& transaction : ledger) {
      const uint32_t key = numbers_.Of(KeyOf(transaction));
      KeyVersions& versions = Of(key);
      key_of_.push_back(key);
      if (!versions.changes.empty()) next_[versions.changes.back().revision] = transaction.revision();
      versions.changes.push_back({transaction.revision(), transaction.has_delete_()});
    }
  }

  uint32_t NumberOf(const std::string& key) { return numbers_.Of(key); }

  // Whether this is the revision of a change of the key after which it was there.
  bool IsValue(uint32_t key, uint64_t revision) const {
    return revision <= key_of_.size() && key_of_[revision - 1] == key && !ledger_[revision - 1].has_delete_();
  }

  // The first revision that ends what this change made.
  uint64_t Next(uint64_t revision) const { return next_[revision]; }

  // The first revision from `from` on at which the key is absent, or present; kNowhere if there is none. `lowest` is
  // not over `from`, and never less than it was before.
  uint64_t First(bool absent, uint32_t key, uint64_t lowest, uint64_t from) {
    KeyVersions& versions = Of(key);
    const auto& changes = versions.changes;
    while (versions.passed < changes.size() && changes[versions.passed].revision <= lowest) ++versions.passed;
    size_t next = versions.passed;
    while (next < changes.size() && changes[next].revision <= from) ++next;
    if (absent == (next == 0 || changes[next - 1].is_delete)) return from;
    while (next < changes.size() && absent != changes[next].is_delete) ++next;
    return next == changes.size() ? kNowhere : changes[next].revision;
  }

 private:
  struct Change {
    uint64_t revision;
    bool is_delete;
  };
  struct KeyVersions {
    std::vector<Change> changes;
    size_t passed = 0;  // how many are behind the place that no later step comes before
  };

  KeyVersions& Of(uint32_t key) {
    if (key >= keys_.size()) keys_.resize(key + 1);
    return keys_[key];
  }

  const Ledger& ledger_;
  KeyNumbers numbers_;
  std::vector<KeyVersions> keys_;
  std::vector<uint32_t> key_of_;  // by revision, from 1
  std::vector<uint64_t> next_;    // by revision: of the key's next change
};

class Sweep {
 public:
  Sweep(const History& history, const Ledger& ledger, const std::vector<Step>& steps, Violations* violations)
      : history_(history),
        ledger_(ledger),
        steps_(steps),
        violations_(*violations),
        versions_(ledger),
        places_(steps.size(), kNowhere),
        end_at_(ledger.size() + 1) {
    std::iota(end_at_.begin(), end_at_.end(), uint64_t{0});
    for (const Step& step : steps) {
      for (uint64_t r = step.first_revision; step.changed() && r <= step.last_revision; ++r)
        end_at_[r] = step.last_revision;
    }
  }

  // Goes through the history in time: `reached_` is the place that everything invoked from then on comes behind.
  std::vector<uint64_t> Run() {
    std::vector<std::pair<int64_t, uint32_t>> returns;
    for (uint32_t i = 0; i < history_.size(); ++i) {
      if (history_[i].outcome != Outcome::kUnknown) returns.push_back({history_[i].returned_nanos, i});
    }
    std::sort(returns.begin(), returns.end());
    std::vector<uint64_t> place_of_call(history_.size());
    size_t returned = 0;
    for (size_t step = 0; step < steps_.size();) {
      const uint32_t call = steps_[step].call;
      for (; returned < returns.size() && returns[returned].first < history_[call].invoked_nanos; ++returned) {
        Reach(place_of_call[returns[returned].second], returns[returned].second);
      }
      uint64_t lowest = reached_;
      for (; step < steps_.size() && steps_[step].call == call; ++step) {
        Place(static_cast<uint32_t>(step), lowest);
        if (places_[step] == kNowhere) continue;
        lowest = std::max(lowest, places_[step]);
        if (steps_[step].outcome != Outcome::kUnknown) place_of_call[call] = lowest;
      }
    }
    return std::move(places_);
  }

 private:
  void Reach(uint64_t place, uint32_t call) {
    if (place <= reached_) return;
    reached_ = place;
    reached_by_ = call;
  }

  void Place(uint32_t number, uint64_t lowest) {
    const Step& step = steps_[number];
    if (step.changed()) {
      places_[number] = step.last_revision;
      if (step.first_revision > lowest) return;
      return Add(step, lowest,
                 absl::StrCat("took revision ", step.first_revision,
                              ", though what was answered before it was invoked is at revision ", lowest));
    }
    if (step.outcome == Outcome::kUnknown || step.outcome == Outcome::kRefused) return;
    places_[number] = PlaceOfObservations(step, lowest);
  }

  // All that a step was told about the state.
  std::vector<Observation> Seen(const Step& step) const {
    const v1::BatchExecuteRequest request = RequestOf(history_, step);
    std::vector<Observation> all;
    const auto add = [&](const std::vector<Observation>& some) { all.insert(all.end(), some.begin(), some.end()); };
    if (step.outcome == Outcome::kFailed) {
      // The first operation that fails decides: those before it would not have failed.
      const google::rpc::Status error = ErrorOf(history_, step);
      const int failed = std::min(FailedOperation(error), request.operations_size() - 1);
      for (int i = 0; i < failed; ++i) add(ConditionsOf(request.operations(i)));
      add(ObservationsOf(request.operations(failed), error));
      return all;
    }
    const std::vector<v1::BatchResult> results = ResultsOf(history_, step);
    for (size_t i = 0; i < results.size(); ++i) {
      add(ObservationsOf(request.operations(static_cast<int>(i)), results[i]));
    }
    return all;
  }

  uint64_t PlaceOfObservations(const Step& step, uint64_t lowest) {
    const std::vector<Observation> seen = Seen(step);
    std::vector<uint32_t> keys;
    for (const Observation& one : seen) {
      keys.push_back(versions_.NumberOf(one.key));
      if (one.revision == 0 || one.revision == kAnyRevision) continue;
      if (versions_.IsValue(keys.back(), one.revision)) continue;
      Add(step, lowest,
          absl::StrCat("saw ", one.key, " at revision ", one.revision, ", which the ledger does not have"));
      return lowest;
    }
    const uint64_t from = std::max(lowest, step.latest_revision);
    uint64_t place = from;
    for (bool moved = true; moved;) {
      moved = false;
      // Nobody is between the changes of one step.
      if (place <= ledger_.size()) place = end_at_[place];
      for (size_t i = 0; i < seen.size(); ++i) {
        const uint64_t first = FirstPlace(seen[i], keys[i], place);
        if (first == kNowhere) return NoPlace(step, lowest, seen[i], place);
        moved |= first != place;
        place = first;
      }
    }
    if (place <= ledger_.size()) return place;
    Add(step, lowest, absl::StrCat("knew of revision ", step.latest_revision, ", which the ledger does not have"));
    return lowest;
  }

  // The first place from `from` on where this is true.
  uint64_t FirstPlace(const Observation& seen, uint32_t key, uint64_t from) {
    const bool is_absent = seen.revision == 0;
    if (is_absent || seen.revision == kAnyRevision) return versions_.First(is_absent, key, reached_, from);
    if (from < seen.revision) return seen.revision;
    return from < versions_.Next(seen.revision) ? from : kNowhere;
  }

  uint64_t NoPlace(const Step& step, uint64_t lowest, const Observation& seen, uint64_t place) {
    Add(step, lowest,
        absl::StrCat("saw ", seen.key,
                     seen.revision == 0              ? " absent"
                     : seen.revision == kAnyRevision ? " present"
                                                     : absl::StrCat(" at revision ", seen.revision),
                     ", which is not so at revision ", place, " nor later",
                     place == lowest ? ", and what was answered before it was invoked is there"
                                     : ", where something else begins that it saw"));
    return lowest;
  }

  // Names the call that was answered before, which the step comes too late for.
  void Add(const Step& step, uint64_t lowest, std::string what) {
    std::vector<size_t> calls = {step.call};
    if (lowest != 0 && lowest == reached_) calls.push_back(reached_by_);
    violations_.Add(std::move(what), std::move(calls));
  }

  const History& history_;
  const Ledger& ledger_;
  const std::vector<Step>& steps_;
  Violations& violations_;
  Versions versions_;
  std::vector<uint64_t> places_;
  std::vector<uint64_t> end_at_;  // by revision: the last one of the step that took it
  uint64_t reached_ = 0;
  uint32_t reached_by_ = 0;
};

}  // namespace

std::vector<uint64_t> PlacesOf(const History& history, const Ledger& ledger, const std::vector<Step>& steps,
                               Violations* violations) {
  return Sweep(history, ledger, steps, violations).Run();
}

}  // namespace kvs::linearizability
