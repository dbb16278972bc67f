#include "clients/cli/import_entry.h"

#include <google/protobuf/util/time_util.h>

namespace kvs::cli {
namespace {

using google::protobuf::util::TimeUtil;

// Fills in the key and how long it is to live, and returns the request for its value.
template <class Request>
Request& Begin(const v1::ScanEntry& entry, const std::optional<absl::Duration>& ttl, Request* request) {
  request->set_key(entry.key());
  if (ttl) *request->mutable_ttl() = TimeUtil::MicrosecondsToDuration(absl::ToInt64Microseconds(*ttl));
  return *request;
}

// The request that is in an operation.
google::protobuf::Message& RequestIn(v1::BatchOperation* operation) {
  const auto* reflection = v1::BatchOperation::GetReflection();
  const auto* field = reflection->GetOneofFieldDescriptor(*operation, v1::BatchOperation::descriptor()->oneof_decl(0));
  return *reflection->MutableMessage(operation, field);
}

}  // namespace

v1::BatchOperation OperationOf(const v1::ScanEntry& entry, const std::optional<absl::Duration>& ttl, bool goes_on) {
  v1::BatchOperation operation;
  const v1::Value& value = entry.value();
  switch (value.kind_case()) {
    case v1::Value::kIntValue:
      Begin(entry, ttl, operation.mutable_int_put()).set_value(value.int_value());
      break;
    case v1::Value::kUintValue:
      Begin(entry, ttl, operation.mutable_uint_put()).set_value(value.uint_value());
      break;
    case v1::Value::kFloatValue:
      Begin(entry, ttl, operation.mutable_float_put()).set_value(value.float_value());
      break;
    case v1::Value::kStringValue:
      Begin(entry, ttl, operation.mutable_string_put()).set_value(value.string_value());
      break;
    case v1::Value::kSetValue:
      if (goes_on) {
        *Begin(entry, ttl, operation.mutable_set_add()).mutable_members() = value.set_value().members();
      } else {
        *Begin(entry, ttl, operation.mutable_set_put()).mutable_members() = value.set_value().members();
      }
      break;
    case v1::Value::kMapValue:
      if (goes_on) {
        *Begin(entry, ttl, operation.mutable_map_put_fields()).mutable_fields() = value.map_value().fields();
      } else {
        *Begin(entry, ttl, operation.mutable_map_put()).mutable_fields() = value.map_value().fields();
      }
      break;
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return operation;
}

void SetPrecondition(const v1::Precondition& precondition, v1::BatchOperation* operation) {
  google::protobuf::Message& request = RequestIn(operation);
  const auto* field = request.GetDescriptor()->FindFieldByName("precondition");
  request.GetReflection()->MutableMessage(&request, field)->CopyFrom(precondition);
}

std::optional<google::protobuf::Duration> TakeTtl(v1::BatchOperation* operation) {
  google::protobuf::Message& request = RequestIn(operation);
  const auto* field = request.GetDescriptor()->FindFieldByName("ttl");
  const auto* reflection = request.GetReflection();
  if (!reflection->HasField(request, field)) return std::nullopt;
  google::protobuf::Duration ttl;
  ttl.CopyFrom(reflection->GetMessage(request, field));
  reflection->ClearField(&request, field);
  return ttl;
}

}  // namespace kvs::cli
