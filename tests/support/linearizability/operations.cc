#include "tests/support/linearizability/operations.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include "common/errors.h"
#include "common/rpc/status.h"

namespace kvs::linearizability {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The types by the numbers that both APIs give them.
constexpr absl::string_view kTypeNames[] = {"", "int", "uint", "float", "string", "set", "map"};

const FieldDescriptor& KindOf(const v1::BatchOperation& operation) {
  static const auto* const kinds = v1::BatchOperation::descriptor()->FindOneofByName("operation");
  return *operation.GetReflection()->GetOneofFieldDescriptor(operation, kinds);
}

const FieldDescriptor* Find(const Message& message, const char* name) {
  return message.GetDescriptor()->FindFieldByName(name);
}

bool IsKeysVerb(absl::string_view verb) { return absl::StartsWith(verb, "keys_"); }

std::string TypeOf(const v1::BatchOperation& operation) {
  const std::string verb = VerbOf(operation);
  if (!IsKeysVerb(verb)) return verb.substr(0, verb.find('_'));
  const Message& request = RequestOf(operation);
  return std::string(kTypeNames[request.GetReflection()->GetRepeatedEnumValue(request, Find(request, "types"), 0)]);
}

std::vector<uint64_t> Numbers(const Message& message, const char* name) {
  std::vector<uint64_t> numbers;
  const FieldDescriptor* field = Find(message, name);
  if (!field) return numbers;
  if (!field->is_repeated()) return {message.GetReflection()->GetUInt64(message, field)};
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    numbers.push_back(message.GetReflection()->GetRepeatedUInt64(message, field, i));
  }
  return numbers;
}

// Whether the response tells that something was changed. Puts, increments and appends always change.
bool IsChange(const Message& response) {
  if (const FieldDescriptor* deleted = Find(response, "deleted")) {
    return response.GetReflection()->GetBool(response, deleted);
  }
  for (const char* count : {"removed", "added"}) {
    const FieldDescriptor* field = Find(response, count);
    // Fields that were there are changed all the same.
    if (!field || response.GetDescriptor() == v1::MapStorePutFieldsResponse::descriptor()) continue;
    return response.GetReflection()->GetUInt64(response, field) != 0;
  }
  return true;
}

void AddUnique(absl::string_view text, std::vector<uint64_t>* uniques) {
  while (!text.empty()) {
    // A string may have several after one another.
    const size_t end = std::min(text.find('u', 1), text.size());
    uint64_t number = 0;
    if (text[0] == 'u' && absl::SimpleAtoi(text.substr(1, end - 1), &number)) uniques->push_back(number);
    text.remove_prefix(end);
  }
}

// Whatever in a request is made of unique numbers: texts anywhere, and the operands of ints.
void AddUniques(const Message& message, std::vector<uint64_t>* uniques) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int size = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        AddUnique(field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                       : reflection->GetString(message, field),
                  uniques);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
        uniques->push_back(static_cast<uint64_t>(field->is_repeated() ? reflection->GetRepeatedInt64(message, field, i)
                                                                      : reflection->GetInt64(message, field)));
      } else if (field->is_map()) {
        AddUniques(reflection->GetRepeatedMessage(message, field, i), uniques);
      }
    }
  }
}

}  // namespace

std::string VerbOf(const v1::BatchOperation& operation) { return std::string(KindOf(operation).name()); }

const Message& RequestOf(const v1::BatchOperation& operation) {
  return operation.GetReflection()->GetMessage(operation, &KindOf(operation));
}

const Message& ResponseOf(const v1::BatchResult& result) {
  static const auto* const kinds = v1::BatchResult::descriptor()->FindOneofByName("result");
  const auto* reflection = result.GetReflection();
  return reflection->GetMessage(result, reflection->GetOneofFieldDescriptor(result, kinds));
}

Message& MutableResponse(const v1::BatchOperation& operation, v1::BatchResult* result) {
  const auto* field = v1::BatchResult::descriptor()->FindFieldByNumber(KindOf(operation).number());
  return *result->GetReflection()->MutableMessage(result, field);
}

std::vector<std::string> KeysOf(const v1::BatchOperation& operation) {
  const Message& request = RequestOf(operation);
  const auto* reflection = request.GetReflection();
  const std::string type = TypeOf(operation);
  if (const FieldDescriptor* key = Find(request, "key")) {
    return {absl::StrCat(type, " ", reflection->GetString(request, key))};
  }
  std::vector<std::string> keys;
  const FieldDescriptor* field = Find(request, "keys");
  for (int i = 0; i < reflection->FieldSize(request, field); ++i) {
    keys.push_back(absl::StrCat(type, " ", reflection->GetRepeatedString(request, field, i)));
  }
  return keys;
}

std::string KeyOf(const ::txn::v1::Transaction& transaction) {
  return absl::StrCat(kTypeNames[transaction.type()], " ", transaction.key());
}

bool Mutates(const v1::BatchOperation& operation) { return Find(RequestOf(operation), "request_id") != nullptr; }

bool HasRequestId(const v1::BatchOperation& operation) {
  const Message& request = RequestOf(operation);
  const FieldDescriptor* field = Find(request, "request_id");
  return field && !request.GetReflection()->GetString(request, field).empty();
}

std::vector<uint64_t> TakenRevisions(const v1::BatchOperation& operation, const v1::BatchResult& result) {
  if (result.has_error() || !Mutates(operation)) return {};
  const Message& response = ResponseOf(result);
  if (!IsChange(response)) return {};
  return Numbers(response, Find(response, "revision") ? "revision" : "revisions");
}

std::vector<Observation> ObservationsOf(const v1::BatchOperation& operation, const v1::BatchResult& result) {
  if (result.has_error()) return ObservationsOf(operation, result.error());
  const Message& response = ResponseOf(result);
  const std::vector<uint64_t> revisions = Numbers(response, Find(response, "revision") ? "revision" : "revisions");
  const std::vector<std::string> keys = KeysOf(operation);
  std::vector<Observation> observations;
  for (size_t i = 0; i < keys.size() && i < revisions.size(); ++i) observations.push_back({keys[i], revisions[i]});
  return observations;
}

std::vector<Observation> ObservationsOf(const v1::BatchOperation& operation, const google::rpc::Status& error) {
  const absl::Status status = rpc::FromProto(error);
  const std::string key = KeysOf(operation).front();
  uint64_t revision = 0;
  if (absl::SimpleAtoi(MetadataOf(status, "current_revision"), &revision)) return {{key, revision}};
  if (Is(status, errors::kKeyNotFound)) return {{key, 0}};
  return {};
}

std::vector<Observation> ConditionsOf(const v1::BatchOperation& operation) {
  const Message& request = RequestOf(operation);
  const std::string key = KeysOf(operation).front();
  if (const FieldDescriptor* field = Find(request, "precondition")) {
    const auto& precondition =
        static_cast<const v1::Precondition&>(request.GetReflection()->GetMessage(request, field));
    if (precondition.must_exist()) return {{key, kAnyRevision}};
    if (precondition.must_not_exist()) return {{key, 0}};
    if (precondition.has_revision_equals()) return {{key, precondition.revision_equals()}};
    return {};
  }
  const std::string verb = VerbOf(operation);
  if (IsKeysVerb(verb) || absl::EndsWith(verb, "_multi_get")) return {};
  return {{key, kAnyRevision}};
}

int FailedOperation(const google::rpc::Status& error) {
  int index = 0;
  return absl::SimpleAtoi(MetadataOf(rpc::FromProto(error), "operation"), &index) ? index : 0;
}

std::string UniqueText(uint64_t unique) { return absl::StrCat("u", unique); }

std::vector<uint64_t> UniquesOf(const v1::BatchOperation& operation) {
  std::vector<uint64_t> uniques;
  if (Mutates(operation)) AddUniques(RequestOf(operation), &uniques);
  return uniques;
}

std::vector<uint64_t> UniquesOf(const v1::BatchExecuteRequest& request) {
  std::vector<uint64_t> uniques;
  AddUnique(request.request_id(), &uniques);
  for (const auto& operation : request.operations()) {
    const std::vector<uint64_t> some = UniquesOf(operation);
    uniques.insert(uniques.end(), some.begin(), some.end());
  }
  return uniques;
}

std::vector<uint64_t> UniquesOf(const ::txn::v1::Transaction& transaction) {
  std::vector<uint64_t> uniques;
  AddUnique(transaction.request().id(), &uniques);
  const auto add_all = [&](const auto& texts) {
    for (const std::string& text : texts) AddUnique(text, &uniques);
  };
  const auto add_fields = [&](const ::txn::v1::StringMap& map) {
    for (const auto& field : map.fields()) AddUnique(field.value(), &uniques);
  };
  if (transaction.has_put()) {
    const ::txn::v1::Value& value = transaction.put();
    if (value.has_int_value()) uniques.push_back(static_cast<uint64_t>(value.int_value()));
    if (value.has_string_value()) AddUnique(value.string_value(), &uniques);
    if (value.has_set_value()) add_all(value.set_value().texts());
    if (value.has_map_value()) add_fields(value.map_value());
  } else if (transaction.has_int_increment()) {
    uniques.push_back(static_cast<uint64_t>(transaction.int_increment().delta()));
  } else if (transaction.has_append()) {
    AddUnique(transaction.append(), &uniques);
  } else if (transaction.has_add_members()) {
    add_all(transaction.add_members().texts());
  } else if (transaction.has_put_fields()) {
    add_fields(transaction.put_fields());
  }
  return uniques;
}

}  // namespace kvs::linearizability
