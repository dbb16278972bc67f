#include "common/model/transaction_codec.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstring>
#include <limits>

namespace kvs {
namespace {

namespace pb = txn::v1;

// The wire form of the first two fields, both of fixed width; see transaction.proto.
constexpr uint8_t kListEntryTag = 0x0A;
constexpr uint8_t kListRequestTag = 0x12;
constexpr size_t kTagBytes = 1;
constexpr size_t kTimeOffset = 2 * kTagBytes + sizeof(uint64_t);
// The third field, if it is set, is a varint; one that is filled in later takes as many bytes as there may be.
constexpr size_t kPreviousOffset = kTimeOffset + sizeof(uint64_t) + kTagBytes;
constexpr size_t kMaxVarintBytes = 10;
constexpr uint64_t kLongestVarint = std::numeric_limits<uint64_t>::max();

pb::StoreType ToStored(ValueType type) {
  switch (type) {
    case ValueType::kInt:
      return pb::STORE_TYPE_INT;
    case ValueType::kUint:
      return pb::STORE_TYPE_UINT;
    case ValueType::kFloat:
      return pb::STORE_TYPE_FLOAT;
    case ValueType::kString:
      return pb::STORE_TYPE_STRING;
    case ValueType::kSet:
      return pb::STORE_TYPE_SET;
    case ValueType::kMap:
      return pb::STORE_TYPE_MAP;
  }
  return pb::STORE_TYPE_UNSPECIFIED;
}

bool FromStored(pb::StoreType stored, ValueType* type) {
  for (const ValueType candidate : kValueTypes) {
    if (ToStored(candidate) != stored) continue;
    *type = candidate;
    return true;
  }
  return false;
}

void Set(std::string* field, absl::string_view text) { field->assign(text.data(), text.size()); }

void SetTexts(pb::Texts* stored, const Texts& texts) {
  for (const absl::string_view text : texts) Set(stored->add_texts(), text);
}

void SetFields(pb::StringMap* stored, const Fields& fields) {
  for (const auto& [name, value] : fields) {
    auto* field = stored->add_fields();
    Set(field->mutable_name(), name);
    Set(field->mutable_value(), value);
  }
}

// ToStored: an operation into its field of the stored transaction.
struct OperationWriter {
  pb::Transaction* stored;

  void operator()(const operation::Put& op) const { std::visit(ValueWriter{stored->mutable_put()}, op.value); }
  void operator()(const operation::Delete& op) const {
    switch (op.cause) {
      case operation::Delete::Cause::kRequested:
        return stored->mutable_delete_()->set_cause(pb::Delete::CAUSE_REQUESTED);
      case operation::Delete::Cause::kExpired:
        return stored->mutable_delete_()->set_cause(pb::Delete::CAUSE_EXPIRED);
      case operation::Delete::Cause::kEvicted:
        return stored->mutable_delete_()->set_cause(pb::Delete::CAUSE_EVICTED);
    }
  }
  void operator()(const operation::IntIncrement& op) const {
    stored->mutable_int_increment()->set_delta(op.delta);
    stored->mutable_int_increment()->set_result(op.result);
  }
  void operator()(const operation::UintIncrement& op) const {
    stored->mutable_uint_increment()->set_delta(op.delta);
    stored->mutable_uint_increment()->set_decrement(op.decrement);
    stored->mutable_uint_increment()->set_result(op.result);
  }
  void operator()(const operation::FloatIncrement& op) const {
    stored->mutable_float_increment()->set_delta(op.delta);
    stored->mutable_float_increment()->set_result(op.result);
  }
  void operator()(const operation::Append& op) const { Set(stored->mutable_append(), op.text); }
  void operator()(const operation::AddMembers& op) const { SetTexts(stored->mutable_add_members(), op.members); }
  void operator()(const operation::RemoveMembers& op) const { SetTexts(stored->mutable_remove_members(), op.members); }
  void operator()(const operation::PutFields& op) const { SetFields(stored->mutable_put_fields(), op.fields); }
  void operator()(const operation::RemoveFields& op) const { SetTexts(stored->mutable_remove_fields(), op.names); }
  void operator()(const operation::SetExpiry& op) const {
    auto* set_expiry = stored->mutable_set_expiry();
    if (op.number) std::visit(ValueWriter{set_expiry->mutable_number()}, *op.number);
  }

  struct ValueWriter {
    pb::Value* stored;
    void operator()(int64_t value) const { stored->set_int_value(value); }
    void operator()(uint64_t value) const { stored->set_uint_value(value); }
    void operator()(double value) const { stored->set_float_value(value); }
    void operator()(absl::string_view value) const { Set(stored->mutable_string_value(), value); }
    void operator()(const Texts& value) const { SetTexts(stored->mutable_set_value(), value); }
    void operator()(const Fields& value) const { SetFields(stored->mutable_map_value(), value); }
  };
};

absl::Status Malformed(const char* what) {
  return absl::DataLossError(std::string("a stored transaction has ") + what);
}

Texts ReadTexts(const pb::Texts& stored) { return Texts(stored.texts().begin(), stored.texts().end()); }

Fields ReadFields(const pb::StringMap& stored) {
  Fields fields;
  fields.reserve(stored.fields_size());
  for (const auto& field : stored.fields()) fields.emplace_back(field.name(), field.value());
  return fields;
}

absl::Status ReadValue(const pb::Value& stored, ValueView* value) {
  switch (stored.kind_case()) {
    case pb::Value::kIntValue:
      *value = stored.int_value();
      return absl::OkStatus();
    case pb::Value::kUintValue:
      *value = stored.uint_value();
      return absl::OkStatus();
    case pb::Value::kFloatValue:
      *value = stored.float_value();
      return absl::OkStatus();
    case pb::Value::kStringValue:
      *value = absl::string_view(stored.string_value());
      return absl::OkStatus();
    case pb::Value::kSetValue:
      *value = ReadTexts(stored.set_value());
      return absl::OkStatus();
    case pb::Value::kMapValue:
      *value = ReadFields(stored.map_value());
      return absl::OkStatus();
    case pb::Value::KIND_NOT_SET:
      return Malformed("a value of no known type");
  }
  return Malformed("a value of no known type");
}

absl::Status ReadCause(const pb::Delete& stored, operation::Delete::Cause* cause) {
  switch (stored.cause()) {
    case pb::Delete::CAUSE_REQUESTED:
      *cause = operation::Delete::Cause::kRequested;
      return absl::OkStatus();
    case pb::Delete::CAUSE_EXPIRED:
      *cause = operation::Delete::Cause::kExpired;
      return absl::OkStatus();
    case pb::Delete::CAUSE_EVICTED:
      *cause = operation::Delete::Cause::kEvicted;
      return absl::OkStatus();
    default:
      return Malformed("a delete of no known cause");
  }
}

absl::Status ReadOperation(const pb::Transaction& stored, Operation* result) {
  switch (stored.operation_case()) {
    case pb::Transaction::kPut: {
      operation::Put put;
      if (absl::Status status = ReadValue(stored.put(), &put.value); !status.ok()) return status;
      *result = std::move(put);
      return absl::OkStatus();
    }
    case pb::Transaction::kDelete: {
      operation::Delete removal;
      if (absl::Status status = ReadCause(stored.delete_(), &removal.cause); !status.ok()) return status;
      *result = removal;
      return absl::OkStatus();
    }
    case pb::Transaction::kIntIncrement:
      *result = operation::IntIncrement{stored.int_increment().delta(), stored.int_increment().result()};
      return absl::OkStatus();
    case pb::Transaction::kUintIncrement:
      *result = operation::UintIncrement{stored.uint_increment().delta(), stored.uint_increment().decrement(),
                                         stored.uint_increment().result()};
      return absl::OkStatus();
    case pb::Transaction::kFloatIncrement:
      *result = operation::FloatIncrement{stored.float_increment().delta(), stored.float_increment().result()};
      return absl::OkStatus();
    case pb::Transaction::kAppend:
      *result = operation::Append{stored.append()};
      return absl::OkStatus();
    case pb::Transaction::kAddMembers:
      *result = operation::AddMembers{ReadTexts(stored.add_members())};
      return absl::OkStatus();
    case pb::Transaction::kRemoveMembers:
      *result = operation::RemoveMembers{ReadTexts(stored.remove_members())};
      return absl::OkStatus();
    case pb::Transaction::kPutFields:
      *result = operation::PutFields{ReadFields(stored.put_fields())};
      return absl::OkStatus();
    case pb::Transaction::kRemoveFields:
      *result = operation::RemoveFields{ReadTexts(stored.remove_fields())};
      return absl::OkStatus();
    case pb::Transaction::kSetExpiry: {
      operation::SetExpiry set_expiry;
      if (stored.set_expiry().has_number()) {
        absl::Status status = ReadValue(stored.set_expiry().number(), &set_expiry.number.emplace());
        if (!status.ok()) return status;
      }
      *result = std::move(set_expiry);
      return absl::OkStatus();
    }
    case pb::Transaction::OPERATION_NOT_SET:
      return Malformed("no known operation");
  }
  return Malformed("no known operation");
}

void SetRequest(const RequestInfo& request, pb::Request* stored) {
  Set(stored->mutable_id(), request.id);
  if (!request.answer) return;
  pb::Answer* answer = stored->mutable_answer();
  answer->set_command_hash(request.answer->command_hash);
  answer->set_revisions(request.answer->revisions);
  Set(answer->mutable_response(), request.answer->response);
}

// Of a request whose last transaction has this revision.
absl::Status ReadRequest(const pb::Request& stored, uint64_t revision, RequestInfo* request) {
  if (stored.id().empty()) return Malformed("a request without an id");
  request->id = stored.id();
  if (!stored.has_answer()) return absl::OkStatus();
  const pb::Answer& answer = stored.answer();
  if (answer.revisions() == 0 || answer.revisions() > revision) return Malformed("a request of no known revisions");
  request->answer = Answer{answer.command_hash(), answer.revisions(), answer.response()};
  return absl::OkStatus();
}

// A message as an entry of a list, and where in that it begins.
template <class Message>
std::string ListEntry(uint8_t tag, const Message& stored, size_t* message_offset) {
  using google::protobuf::io::CodedOutputStream;
  const size_t size = stored.ByteSizeLong();
  const size_t length_bytes = CodedOutputStream::VarintSize64(size);
  std::string bytes(kTagBytes + length_bytes + size, '\0');
  auto* out = reinterpret_cast<uint8_t*>(bytes.data());
  *out++ = tag;
  out = CodedOutputStream::WriteVarint64ToArray(size, out);
  stored.SerializeWithCachedSizesToArray(out);
  *message_offset = kTagBytes + length_bytes;
  return bytes;
}

void PutFixed64(char* to, uint64_t value) {
  google::protobuf::io::CodedOutputStream::WriteLittleEndian64ToArray(value, reinterpret_cast<uint8_t*>(to));
}

// A varint of kMaxVarintBytes, whatever the value is.
void PutLongVarint(char* to, uint64_t value) {
  for (size_t i = 0; i < kMaxVarintBytes - 1; ++i, value >>= 7) to[i] = static_cast<char>((value & 0x7F) | 0x80);
  to[kMaxVarintBytes - 1] = static_cast<char>(value);
}

}  // namespace

EncodedTransaction::EncodedTransaction(const Transaction& transaction, uint64_t previous_distance)
    : previous_distance_(previous_distance) {
  google::protobuf::Arena arena;
  auto* stored = google::protobuf::Arena::CreateMessage<pb::Transaction>(&arena);
  // Zero would be left out on the wire; Stamp overwrites both.
  stored->set_revision(1);
  stored->set_time_micros(1);
  stored->set_previous_revision(previous_distance == 0 ? transaction.previous_revision : kLongestVarint);
  Set(stored->mutable_actor(), transaction.actor);
  stored->set_type(ToStored(transaction.type));
  Set(stored->mutable_key(), transaction.key);
  stored->set_batch_remaining(transaction.batch_remaining);
  stored->set_expires_at_micros(transaction.expires_at_micros);
  std::visit(OperationWriter{stored}, transaction.operation);
  if (!transaction.request.id.empty()) SetRequest(transaction.request, stored->mutable_request());
  bytes_ = ListEntry(kListEntryTag, *stored, &revision_offset_);
}

void EncodedTransaction::Stamp(uint64_t revision, int64_t time_micros) {
  char* start = bytes_.data() + revision_offset_;
  PutFixed64(start + kTagBytes, revision);
  PutFixed64(start + kTimeOffset, static_cast<uint64_t>(time_micros));
  if (previous_distance_ != 0) PutLongVarint(start + kPreviousOffset, revision - previous_distance_);
}

absl::StatusOr<Transaction> Decode(const pb::Transaction& stored) {
  Transaction transaction;
  transaction.revision = stored.revision();
  transaction.time_micros = stored.time_micros();
  transaction.previous_revision = stored.previous_revision();
  transaction.actor = stored.actor();
  transaction.key = stored.key();
  transaction.batch_remaining = stored.batch_remaining();
  transaction.expires_at_micros = stored.expires_at_micros();
  if (transaction.revision == 0) return Malformed("no revision");
  if (transaction.key.empty()) return Malformed("no key");
  if (!FromStored(stored.type(), &transaction.type)) return Malformed("no known type");
  if (absl::Status status = ReadOperation(stored, &transaction.operation); !status.ok()) return status;
  if (stored.has_request()) {
    absl::Status status = ReadRequest(stored.request(), transaction.revision, &transaction.request);
    if (!status.ok()) return status;
  }
  return transaction;
}

std::string Encode(const RememberedRequest& request) {
  google::protobuf::Arena arena;
  auto* stored = google::protobuf::Arena::CreateMessage<pb::RememberedRequest>(&arena);
  stored->set_revision(request.revision);
  stored->set_time_micros(request.time_micros);
  Set(stored->mutable_actor(), request.actor);
  SetRequest({request.id, request.answer}, stored->mutable_request());
  size_t message_offset = 0;
  return ListEntry(kListRequestTag, *stored, &message_offset);
}

absl::StatusOr<RememberedRequest> Decode(const pb::RememberedRequest& stored) {
  RequestInfo request;
  if (absl::Status status = ReadRequest(stored.request(), stored.revision(), &request); !status.ok()) return status;
  if (!request.answer) return Malformed("a request without an answer");
  return RememberedRequest{stored.revision(), stored.time_micros(), stored.actor(), request.id, *request.answer};
}

}  // namespace kvs
