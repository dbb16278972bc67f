#include "tests/support/linearizability/workload.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <vector>

#include "tests/support/linearizability/operations.h"

namespace kvs::linearizability {
namespace {

// 16 keys in all.
struct Type {
  const char* name;
  v1::ValueType type;
  uint64_t keys;
  // The more often a verb is named, the more often it is chosen.
  std::vector<const char*> verbs;
};
const Type kTypes[] = {
    {"int",
     v1::VALUE_TYPE_INT,
     6,
     {"put", "put", "put", "increment", "increment", "increment", "increment", "increment", "get", "get", "get",
      "multi_get", "multi_get", "multi_get", "multi_put", "multi_increment", "delete", "exists"}},
    {"string",
     v1::VALUE_TYPE_STRING,
     4,
     {"put", "put", "put", "append", "append", "append", "get", "get", "get", "multi_get", "multi_put", "delete",
      "exists"}},
    {"set",
     v1::VALUE_TYPE_SET,
     3,
     {"put", "put", "add", "add", "add", "remove", "contains", "contains", "size", "get", "get", "delete", "exists"}},
    {"map",
     v1::VALUE_TYPE_MAP,
     3,
     {"put", "put_fields", "put_fields", "put_fields", "remove_fields", "get_fields", "get_fields", "size", "get",
      "delete", "exists"}},
};

constexpr uint64_t kSharedNames = 6;
constexpr uint64_t kKeysOfMulti = 3;

// Whether what is logged of it has no unique number unless it has a request_id.
bool IsRemoval(const std::string& verb) { return verb == "delete" || absl::StartsWith(verb, "remove"); }

// Whether an absent key is an error, or a condition may be one.
bool NeedsKey(const std::string& verb) {
  return verb == "get" || verb == "get_fields" || verb == "size" || verb == "contains";
}

}  // namespace

std::string Workload::SharedName() { return absl::StrCat("m", Below(kSharedNames)); }

void Workload::FillPrecondition(const std::string& type_and_key, v1::Precondition* precondition) {
  switch (Below(4)) {
    case 0:
      return precondition->set_must_exist(true);
    case 1:
      return precondition->set_must_not_exist(true);
    default:
      return precondition->set_revision_equals(revisions_[type_and_key]);
  }
}

// Fills a field by its name.
void Workload::FillField(const Field* field, const std::string& type, const std::string& key, Message* request) {
  const auto* reflection = request->GetReflection();
  const std::string name(field->name());
  if (name == "key") {
    reflection->SetString(request, field, key);
  } else if (name == "keys") {
    reflection->AddString(request, field, key);
  } else if (name == "types") {
    for (const Type& candidate : kTypes) {
      if (candidate.name == type) reflection->AddEnumValue(request, field, candidate.type);
    }
  } else if (name == "value" && field->cpp_type() == Field::CPPTYPE_STRING) {
    reflection->SetString(request, field, UniqueText(Unique()));
  } else if (name == "values" && field->cpp_type() == Field::CPPTYPE_STRING) {
    reflection->AddString(request, field, UniqueText(Unique()));
  } else if (name == "value" || name == "delta") {
    reflection->SetInt64(request, field, static_cast<int64_t>(Unique()));
  } else if (name == "values" || name == "deltas") {
    reflection->AddInt64(request, field, static_cast<int64_t>(Unique()));
  } else if (name == "member") {
    reflection->SetString(request, field, SharedName());
  } else if (name == "members" || name == "names") {
    reflection->AddString(request, field, SharedName());
  } else if (field->is_map()) {
    Message* entry = reflection->AddMessage(request, field);
    entry->GetReflection()->SetString(entry, field->message_type()->map_key(), SharedName());
    entry->GetReflection()->SetString(entry, field->message_type()->map_value(), UniqueText(Unique()));
  }
}

void Workload::Fill(const Place& place, const std::string& verb, const std::string& key, bool may_fail,
                    Message* request) {
  const std::string type = key.substr(0, key.find('-'));
  const auto* descriptor = request->GetDescriptor();
  const bool is_multi = absl::StartsWith(verb, "multi_");
  std::set<std::string> keys = {key};
  for (const Type& candidate : kTypes) {
    if (is_multi && candidate.name == type) {
      while (keys.size() < kKeysOfMulti) keys.insert(absl::StrCat(type, "-", Below(candidate.keys)));
    }
  }
  for (const std::string& each : keys) {
    if (place.kind == CallKind::kAtomic) place.touched->insert(each);
    for (int i = 0; i < descriptor->field_count(); ++i) FillField(descriptor->field(i), type, each, request);
  }
  // A member that nobody else adds.
  if (verb == "add" || (verb == "put" && type == "set")) {
    request->GetReflection()->AddString(request, descriptor->FindFieldByName("members"), UniqueText(Unique()));
  }
  const auto* precondition = descriptor->FindFieldByName("precondition");
  const bool has_precondition = precondition && !is_multi && may_fail && OneIn(4);
  if (has_precondition) {
    auto* message = request->GetReflection()->MutableMessage(request, precondition);
    FillPrecondition(absl::StrCat(type, " ", key), static_cast<v1::Precondition*>(message));
  }
  const bool is_alike = verb == "delete" && place.kind == CallKind::kSingle && !has_precondition;
  const auto* request_id = descriptor->FindFieldByName("request_id");
  if (request_id && place.kind != CallKind::kAtomic && ((IsRemoval(verb) && !is_alike) || OneIn(3))) {
    request->GetReflection()->SetString(request, request_id, UniqueText(Unique()));
  }
}

v1::BatchOperation Workload::Operation(const Place& place) {
  uint64_t number = Below(16);
  const Type* type = kTypes;
  while (number >= type->keys) number -= (type++)->keys;
  const std::string key = absl::StrCat(type->name, "-", number);
  const bool may_fail = place.kind != CallKind::kAtomic || !place.touched->contains(key);
  std::string verb;
  do {
    verb = type->verbs[Below(type->verbs.size())];
  } while ((place.kind == CallKind::kAtomic && !place.is_named && IsRemoval(verb)) || (!may_fail && NeedsKey(verb)));

  v1::BatchOperation operation;
  const std::string name = verb == "exists" ? "keys_exists" : absl::StrCat(type->name, "_", verb);
  const auto* field = v1::BatchOperation::descriptor()->FindFieldByName(name);
  Fill(place, verb, key, may_fail, operation.GetReflection()->MutableMessage(&operation, field));
  return operation;
}

Workload::Request Workload::Next() {
  Request request;
  const uint64_t kind = Below(10);
  if (kind < 8) {
    *request.batch.add_operations() = Operation({});
    return request;
  }
  request.kind = kind == 8 ? CallKind::kAtomic : CallKind::kIndependent;
  request.batch.set_atomic(kind == 8);
  std::set<std::string> touched;
  Place place{.kind = request.kind, .is_named = kind == 8 && OneIn(2), .touched = &touched};
  if (place.is_named) request.batch.set_request_id(UniqueText(Unique()));
  for (uint64_t count = 2 + Below(3); count > 0; --count) *request.batch.add_operations() = Operation(place);
  return request;
}

void Workload::Learn(const Call& call) {
  if (call.outcome != Outcome::kAnswered) return;
  const v1::BatchExecuteRequest request = call.Request();
  const v1::BatchExecuteResponse response = call.Answer();
  for (int i = 0; i < response.results_size(); ++i) {
    const bool is_delete = absl::EndsWith(VerbOf(request.operations(i)), "_delete");
    for (const Observation& seen : ObservationsOf(request.operations(i), response.results(i))) {
      revisions_[seen.key] = is_delete ? 0 : seen.revision;
    }
  }
}

}  // namespace kvs::linearizability
