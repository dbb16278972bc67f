#include "tests/support/linearizability/steps.h"

#include <absl/status/status.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "common/rpc/status.h"

namespace kvs::linearizability {
namespace {

bool IsMulti(const v1::BatchOperation& operation) { return absl::StrContains(VerbOf(operation), "_multi_"); }

// Gives the transactions of the ledger to steps.
class Owners {
 public:
  Owners(const History& history, const Ledger& ledger, Violations* violations)
      : history_(history), ledger_(ledger), violations_(*violations), owner_of_(ledger.size() + 1, kNone) {}

  std::vector<Step> Run() {
    for (uint32_t i = 0; i < history_.size(); ++i) AddSteps(i);
    if (!CheckRevisions()) return std::move(steps_);
    for (const auto& [step, revision] : told_) {
      if (revision <= ledger_.size() && owner_of_[revision] == kNone) owner_of_[revision] = step;
    }
    for (uint64_t revision = 1; revision <= ledger_.size(); ++revision) FindOwner(revision);
    for (uint64_t revision = 1; revision <= ledger_.size(); ++revision) Give(revision);
    CheckTold();
    CheckRecords();
    return std::move(steps_);
  }

 private:
  const ::txn::v1::Transaction& At(uint64_t revision) const { return ledger_[revision - 1]; }

  void AddSteps(uint32_t index) {
    const Call& call = history_[index];
    const v1::BatchExecuteRequest request = call.Request();
    const int count = call.kind == CallKind::kIndependent ? request.operations_size() : 1;
    const uint32_t first = static_cast<uint32_t>(steps_.size());
    if (call.kind != CallKind::kIndependent) {
      for (const uint64_t unique : UniquesOf(request)) step_of_[unique] = first;
    }
    for (int i = 0; i < count; ++i) {
      const auto number = static_cast<uint32_t>(steps_.size());
      Step& step = steps_.emplace_back(Step{index, static_cast<uint32_t>(i), call.outcome});
      if (call.kind == CallKind::kIndependent) {
        for (const uint64_t unique : UniquesOf(request.operations(i))) step_of_[unique] = number;
        if (call.outcome == Outcome::kAnswered) TakeOutcomeOfOperation(&step);
      }
      const v1::BatchOperation& operation = request.operations(i);
      step.is_whole = call.kind == CallKind::kAtomic || !IsMulti(operation) || HasRequestId(operation);
      AddTold(number);
      if (step.outcome == Outcome::kUnknown && call.kind != CallKind::kAtomic &&
          absl::EndsWith(VerbOf(operation), "_delete") && !HasRequestId(operation)) {
        unknown_deletes_[KeysOf(operation).front()].push_back(number);
      }
    }
    if (call.outcome == Outcome::kRefused) CheckRefusal(index);
  }

  void TakeOutcomeOfOperation(Step* step) {
    const v1::BatchResult result = history_[step->call].Answer().results(static_cast<int>(step->operation));
    if (result.has_error()) step->outcome = OutcomeOf(rpc::FromProto(result.error()));
  }

  // The workload asks for nothing that is refused for what it is.
  void CheckRefusal(uint32_t index) {
    const absl::Status status = rpc::FromProto(history_[index].Error());
    if (status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kResourceExhausted)
      return;
    violations_.Add("a call that is in order was refused", {index});
  }

  void AddTold(uint32_t number) {
    Step& step = steps_[number];
    if (step.outcome != Outcome::kAnswered) return;
    // That of an independent batch is as of its last operation.
    if (history_[step.call].kind != CallKind::kIndependent) {
      step.latest_revision = history_[step.call].Answer().latest_revision();
    }
    const v1::BatchExecuteRequest request = RequestOf(history_, step);
    const std::vector<v1::BatchResult> results = ResultsOf(history_, step);
    if (results.size() != static_cast<size_t>(request.operations_size())) {
      return violations_.Add("not as many results as operations", {step.call});
    }
    for (size_t i = 0; i < results.size(); ++i) {
      for (const uint64_t revision : TakenRevisions(request.operations(static_cast<int>(i)), results[i])) {
        told_.push_back({number, revision});
      }
    }
  }

  bool CheckRevisions() {
    for (size_t i = 0; i < ledger_.size(); ++i) {
      if (ledger_[i].revision() == i + 1) continue;
      violations_.Add(absl::StrCat("the ledger has revision ", ledger_[i].revision(), " in the place of ", i + 1),
                      CallsTold(i + 1));
      return false;
    }
    return true;
  }

  // The calls that were told of a revision as theirs.
  std::vector<size_t> CallsTold(uint64_t wanted) const {
    std::vector<size_t> calls;
    for (const auto& [step, revision] : told_) {
      if (revision == wanted) calls.push_back(steps_[step].call);
    }
    return calls;
  }

  // Says which step made a transaction. A step that was told the revision has it unless the transaction says otherwise.
  void FindOwner(uint64_t revision) {
    const ::txn::v1::Transaction& transaction = At(revision);
    const std::vector<uint64_t> uniques = UniquesOf(transaction);
    if (!uniques.empty()) {
      const auto it = step_of_.find(uniques.front());
      owner_of_[revision] = it == step_of_.end() ? kNone : it->second;
    } else if (owner_of_[revision] == kNone && transaction.has_delete_()) {
      auto& deletes = unknown_deletes_[KeyOf(transaction)];
      size_t& next = next_delete_[KeyOf(transaction)];
      if (next < deletes.size()) owner_of_[revision] = deletes[next++];
    }
    if (owner_of_[revision] != kNone) return;
    violations_.Add(
        absl::StrCat("nobody asked for revision ", revision, " of the ledger: ", transaction.ShortDebugString()), {});
  }

  void Give(uint64_t revision) {
    const uint32_t owner = owner_of_[revision];
    if (owner == kNone) return;
    Step& step = steps_[owner];
    if (step.outcome == Outcome::kRefused || step.outcome == Outcome::kFailed) {
      return violations_.Add(
          absl::StrCat("told that nothing was changed, but the ledger has it as revision ", revision), {step.call});
    }
    if (step.first_revision == 0) {
      step.first_revision = revision;
    } else if (step.last_revision + 1 != revision) {
      return violations_.Add(absl::StrCat("the ledger has it twice, or in pieces: revisions ", step.first_revision,
                                          " to ", step.last_revision, " and ", revision),
                             {step.call});
    }
    step.last_revision = revision;
  }

  // What steps were told against what the ledger says that they took.
  void CheckTold() {
    std::vector<uint64_t> told_of(steps_.size());
    for (const auto& [number, revision] : told_) {
      const Step& step = steps_[number];
      if (revision > ledger_.size()) {
        violations_.Add(absl::StrCat("answered with revision ", revision, ", which the ledger does not have"),
                        {step.call});
      } else if (owner_of_[revision] != number) {
        violations_.Add(absl::StrCat("answered with revision ", revision, ", which in the ledger is something else"),
                        {step.call});
      } else if (revision != step.first_revision + told_of[number]) {
        violations_.Add(absl::StrCat("answered with revision ", revision, " in the place of ",
                                     step.first_revision + told_of[number]),
                        {step.call});
      }
      ++told_of[number];
    }
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      if (step.outcome != Outcome::kAnswered || !step.changed()) continue;
      if (step.first_revision + told_of[i] == step.last_revision + 1) continue;
      violations_.Add(absl::StrCat("told of ", told_of[i], " changes, but the ledger has revisions ",
                                   step.first_revision, " to ", step.last_revision, " of it"),
                      {step.call});
    }
  }

  // Whether all of a step that is all or nothing is one record.
  void CheckRecords() {
    for (const Step& step : steps_) {
      if (!step.changed() || !step.is_whole) continue;
      for (uint64_t revision = step.first_revision; revision <= step.last_revision; ++revision) {
        if (At(revision).batch_remaining() == step.last_revision - revision) continue;
        violations_.Add(absl::StrCat("revisions ", step.first_revision, " to ", step.last_revision,
                                     " are not one record of the ledger"),
                        {step.call});
        break;
      }
    }
  }

  const History& history_;
  const Ledger& ledger_;
  Violations& violations_;
  std::vector<Step> steps_;
  std::unordered_map<uint64_t, uint32_t> step_of_;                          // by unique numbers
  std::vector<std::pair<uint32_t, uint64_t>> told_;                         // steps, and revisions they were told
  std::unordered_map<std::string, std::vector<uint32_t>> unknown_deletes_;  // by key, those that are alike
  std::unordered_map<std::string, size_t> next_delete_;
  std::vector<uint32_t> owner_of_;  // by revision
};

}  // namespace

v1::BatchExecuteRequest RequestOf(const History& history, const Step& step) {
  const Call& call = history[step.call];
  v1::BatchExecuteRequest request = call.Request();
  if (call.kind != CallKind::kIndependent) return request;
  v1::BatchExecuteRequest alone;
  alone.add_operations()->Swap(request.mutable_operations(static_cast<int>(step.operation)));
  return alone;
}

std::vector<v1::BatchResult> ResultsOf(const History& history, const Step& step) {
  const Call& call = history[step.call];
  const v1::BatchExecuteResponse answer = call.Answer();
  if (call.kind == CallKind::kIndependent) return {answer.results(static_cast<int>(step.operation))};
  return {answer.results().begin(), answer.results().end()};
}

google::rpc::Status ErrorOf(const History& history, const Step& step) {
  const Call& call = history[step.call];
  if (call.kind != CallKind::kIndependent) return call.Error();
  return call.Answer().results(static_cast<int>(step.operation)).error();
}

std::vector<Step> StepsOf(const History& history, const Ledger& ledger, Violations* violations) {
  return Owners(history, ledger, violations).Run();
}

}  // namespace kvs::linearizability
