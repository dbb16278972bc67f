#include "tests/support/linearizability/told.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/rpc/status.h"
#include "tests/support/api_client.h"
#include "tests/support/linearizability/places.h"
#include "tests/support/reference_model.h"

namespace kvs::linearizability {
namespace {

// The state that transactions give, read by rules as simple as their documentation.
class LedgerState {
 public:
  void Apply(const ::txn::v1::Transaction& transaction) {
    const std::string key = KeyOf(transaction);
    if (transaction.has_delete_()) {
      values_.erase(key);
      return;
    }
    Value& value = values_[key];
    value.revision = transaction.revision();
    if (transaction.has_put()) value = ValueOf(transaction);
    if (transaction.has_int_increment()) value.number = transaction.int_increment().result();
    value.text += transaction.append();
    for (const auto& member : transaction.add_members().texts()) value.members.insert(member);
    for (const auto& member : transaction.remove_members().texts()) value.members.erase(member);
    for (const auto& field : transaction.put_fields().fields()) value.fields[field.name()] = field.value();
    for (const auto& name : transaction.remove_fields().texts()) value.fields.erase(name);
  }

  uint64_t RevisionOf(const std::string& key) const {
    const auto it = values_.find(key);
    return it == values_.end() ? 0 : it->second.revision;
  }

  // A Get of the key, and what it answers.
  v1::BatchOperation GetOf(const std::string& key) const {
    v1::BatchOperation get;
    const auto [type, name] = Split(key);
    if (type == "int") get.mutable_int_get()->set_key(name);
    if (type == "string") get.mutable_string_get()->set_key(name);
    if (type == "set") get.mutable_set_get()->set_key(name);
    if (type == "map") get.mutable_map_get()->set_key(name);
    return get;
  }
  std::string TextOf(const std::string& key) const {
    const auto it = values_.find(key);
    if (it == values_.end()) return "NOT_FOUND KEY_NOT_FOUND";
    const Value& value = it->second;
    const std::string type = Split(key).first;
    v1::BatchResult result;
    const auto show = [&](auto* response) {
      response->set_revision(value.revision);
      return response;
    };
    if (type == "int") show(result.mutable_int_get())->set_value(value.number);
    if (type == "string") show(result.mutable_string_get())->set_value(value.text);
    if (type == "set") {
      show(result.mutable_set_get())->mutable_members()->Add(value.members.begin(), value.members.end());
    }
    if (type == "map") {
      show(result.mutable_map_get())->mutable_fields()->insert(value.fields.begin(), value.fields.end());
    }
    return ResultText(result);
  }

 private:
  struct Value {
    uint64_t revision = 0;
    int64_t number = 0;
    std::string text;
    std::set<std::string> members;
    std::map<std::string, std::string> fields;
  };

  static std::pair<std::string, std::string> Split(const std::string& key) {
    const size_t space = key.find(' ');
    return {key.substr(0, space), key.substr(space + 1)};
  }

  static Value ValueOf(const ::txn::v1::Transaction& transaction) {
    const ::txn::v1::Value& put = transaction.put();
    Value value{transaction.revision(), put.int_value(), put.string_value()};
    value.members.insert(put.set_value().texts().begin(), put.set_value().texts().end());
    for (const auto& field : put.map_value().fields()) value.fields[field.name()] = field.value();
    return value;
  }

  std::map<std::string, Value> values_;
};

// As ReferenceModel remembers what has a request_id, and each step is done once here.
void RemoveRequestIds(v1::BatchExecuteRequest* request) {
  request->clear_request_id();
  for (auto& operation : *request->mutable_operations()) {
    if (std::string* id = MutableRequestId(operation)) id->clear();
  }
}

// Leaves the first keys of a MultiPut or MultiIncrement.
template <class Message, class Values>
void KeepFirst(int count, Message* request, Values* values) {
  const int dropped = request->keys_size() - count;
  request->mutable_keys()->DeleteSubrange(count, dropped);
  values->Truncate(count);
}

class Replay {
 public:
  Replay(const History& history, const Ledger& ledger, const std::vector<Step>& steps,
         const std::vector<uint64_t>& places, Violations* violations)
      : history_(history), ledger_(ledger), steps_(steps), places_(places), violations_(*violations) {}

  void Run() {
    Sort();
    for (uint64_t place = 0; place <= ledger_.size(); ++place) {
      if (changed_at_[place] != kNone && !Change(steps_[changed_at_[place]])) return;
      // A transaction that is nobody's was reported by rule 1.
      if (place > 0 && !is_owned_[place]) return;
      for (uint32_t i = first_at_[place]; i != kNone; i = next_[i]) {
        if (!Look(steps_[i])) return;
      }
    }
  }

 private:
  // Steps by their places; those that changed nothing in lists, in no order.
  void Sort() {
    changed_at_.assign(ledger_.size() + 1, kNone);
    first_at_.assign(ledger_.size() + 1, kNone);
    next_.assign(steps_.size(), kNone);
    is_owned_.assign(ledger_.size() + 1, false);
    for (uint32_t i = 0; i < steps_.size(); ++i) {
      if (places_[i] == kNowhere || places_[i] > ledger_.size()) continue;
      if (steps_[i].changed()) {
        changed_at_[places_[i]] = i;
        for (uint64_t r = steps_[i].first_revision; r <= steps_[i].last_revision; ++r) is_owned_[r] = true;
      } else {
        next_[i] = std::exchange(first_at_[places_[i]], i);
      }
    }
  }

  bool Look(const Step& step) {
    const uint64_t revision = model_.revision();
    if (!Answer(step, RequestOf(history_, step))) return false;
    if (model_.revision() == revision) return true;
    violations_.Add("told that nothing was changed, though it had to change something", {step.call});
    return false;
  }

  bool Change(const Step& step) {
    v1::BatchExecuteRequest request = RequestOf(history_, step);
    if (step.outcome == Outcome::kUnknown && !step.is_whole) {
      const int count = static_cast<int>(step.last_revision - step.first_revision + 1);
      v1::BatchOperation& operation = *request.mutable_operations(0);
      if (auto* put = operation.has_int_multi_put() ? operation.mutable_int_multi_put() : nullptr) {
        KeepFirst(count, put, put->mutable_values());
      } else if (operation.has_int_multi_increment()) {
        KeepFirst(count, operation.mutable_int_multi_increment(),
                  operation.mutable_int_multi_increment()->mutable_deltas());
      }
    }
    if (!Answer(step, std::move(request))) return false;
    std::set<std::string> keys;
    for (uint64_t revision = step.first_revision; revision <= step.last_revision; ++revision) {
      if (!Apply(step, ledger_[revision - 1], &keys)) return false;
    }
    if (model_.revision() != step.last_revision) {
      violations_.Add(absl::StrCat("the ledger has revisions ", step.first_revision, " to ", step.last_revision,
                                   " of it, but should have them up to ", model_.revision()),
                      {step.call});
      return false;
    }
    return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) { return CompareValue(step, key); });
  }

  bool Apply(const Step& step, const ::txn::v1::Transaction& transaction, std::set<std::string>* keys) {
    const std::string key = KeyOf(transaction);
    keys->insert(key);
    const uint64_t previous = state_.RevisionOf(key);
    state_.Apply(transaction);
    if (transaction.previous_revision() == previous) return true;
    violations_.Add(absl::StrCat("revision ", transaction.revision(), " of the ledger names ",
                                 transaction.previous_revision(), " as the change before it, which is ", previous),
                    {step.call});
    return false;
  }

  bool CompareValue(const Step& step, const std::string& key) {
    const std::string wanted = model_.Do(state_.GetOf(key));
    const std::string found = state_.TextOf(key);
    if (wanted == found) return true;
    violations_.Add(
        absl::StrCat("after it, ", key, " has to be\n    ", wanted, "\n  but by the ledger is\n    ", found),
        {step.call});
    return false;
  }

  // Has the model do it, and compares the answer.
  bool Answer(const Step& step, v1::BatchExecuteRequest request) {
    RemoveRequestIds(&request);
    if (step.outcome == Outcome::kFailed && !ComparePreconditionFailure(step, request)) return false;
    const std::vector<std::string> wanted = history_[step.call].kind == CallKind::kAtomic
                                                ? model_.DoAtomic(request)
                                                : std::vector{model_.Do(request.operations(0))};
    if (step.outcome == Outcome::kUnknown) return true;
    std::vector<std::string> found;
    if (step.outcome == Outcome::kFailed) {
      const google::rpc::Status error = ErrorOf(history_, step);
      found = {CodeAndReason(rpc::FromProto(error))};
      if (history_[step.call].kind == CallKind::kAtomic) absl::StrAppend(&found[0], " at ", FailedOperation(error));
    } else {
      for (const v1::BatchResult& result : ResultsOf(history_, step)) found.push_back(ResultText(result));
    }
    if (wanted == found) return true;
    violations_.Add(
        absl::StrCat("after revision ", RevisionBefore(step), " it had to be told\n    ",
                     absl::StrJoin(wanted, "\n    "), "\n  but was told\n    ", absl::StrJoin(found, "\n    ")),
        {step.call});
    return false;
  }

  uint64_t RevisionBefore(const Step& step) const {
    return step.changed() ? step.first_revision - 1 : model_.revision();
  }

  // What the error of a precondition tells about the key.
  bool ComparePreconditionFailure(const Step& step, const v1::BatchExecuteRequest& request) {
    const google::rpc::Status error = ErrorOf(history_, step);
    v1::PreconditionFailure failure;
    const auto payload = rpc::FromProto(error).GetPayload(kPreconditionFailureTypeUrl);
    if (!payload) return true;
    failure.ParseFromString(std::string(*payload));
    const std::string key = KeysOf(request.operations(FailedOperation(error))).front();
    const std::string wanted = model_.Do(state_.GetOf(key));
    const std::string found = TextOf(failure);
    if (wanted == found) return true;
    violations_.Add(absl::StrCat("its error had to tell of\n    ", wanted, "\n  but tells of\n    ", found),
                    {step.call});
    return false;
  }

  // As the answer to a Get.
  static std::string TextOf(const v1::PreconditionFailure& failure) {
    const v1::Value& value = failure.current_value();
    v1::BatchResult result;
    const auto show = [&](auto* response) {
      response->set_revision(failure.current_revision());
      return response;
    };
    switch (value.kind_case()) {
      case v1::Value::kIntValue:
        show(result.mutable_int_get())->set_value(value.int_value());
        break;
      case v1::Value::kStringValue:
        show(result.mutable_string_get())->set_value(value.string_value());
        break;
      case v1::Value::kSetValue:
        *show(result.mutable_set_get())->mutable_members() = value.set_value().members();
        break;
      case v1::Value::kMapValue:
        *show(result.mutable_map_get())->mutable_fields() = value.map_value().fields();
        break;
      default:
        return "NOT_FOUND KEY_NOT_FOUND";
    }
    return ResultText(result);
  }

  const History& history_;
  const Ledger& ledger_;
  const std::vector<Step>& steps_;
  const std::vector<uint64_t>& places_;
  Violations& violations_;
  std::vector<uint32_t> changed_at_;  // by place
  std::vector<uint32_t> first_at_;    // by place: the first step of a list
  std::vector<uint32_t> next_;        // by step
  std::vector<bool> is_owned_;        // by revision: whether it is of a step
  ReferenceModel model_;
  LedgerState state_;
};

}  // namespace

void CheckAnswers(const History& history, const Ledger& ledger, const std::vector<Step>& steps,
                  const std::vector<uint64_t>& places, Violations* violations) {
  Replay(history, ledger, steps, places, violations).Run();
}

}  // namespace kvs::linearizability
