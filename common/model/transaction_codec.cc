#include "common/model/transaction_codec.h"

#include <absl/base/casts.h>
#include <absl/strings/str_cat.h>

#include <array>
#include <limits>
#include <optional>
#include <type_traits>

#include "common/model/wire.h"
#include "txn/v1/transaction.pb.h"

namespace kvs {
namespace {

namespace pb = txn::v1;

// The wire form of the first two fields, both of fixed width; see transaction.proto.
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

pb::Delete::Cause ToStored(operation::Delete::Cause cause) {
  switch (cause) {
    case operation::Delete::Cause::kRequested:
      return pb::Delete::CAUSE_REQUESTED;
    case operation::Delete::Cause::kExpired:
      return pb::Delete::CAUSE_EXPIRED;
    case operation::Delete::Cause::kEvicted:
      return pb::Delete::CAUSE_EVICTED;
  }
  return pb::Delete::CAUSE_UNSPECIFIED;
}

// Finds what is stored as `stored` among all that there may be.
template <class T, size_t n>
bool FromStored(uint64_t stored, const std::array<T, n>& candidates, T* result) {
  for (const T candidate : candidates) {
    if (static_cast<uint64_t>(ToStored(candidate)) != stored) continue;
    *result = candidate;
    return true;
  }
  return false;
}

// Add: a field with a default value that is left out where the field has it.
template <class Out>
void AddVarint(Out& out, uint32_t field, uint64_t value) {
  if (value != 0) out.Varint(field, value);
}
template <class Out>
void AddFixed64(Out& out, uint32_t field, uint64_t value) {
  if (value != 0) out.Fixed64(field, value);
}
template <class Out>
void AddBytes(Out& out, uint32_t field, absl::string_view bytes) {
  if (!bytes.empty()) out.Bytes(field, bytes);
}

// Write: what belongs into a message, field by field in the order of their numbers, as generated code does.
template <class Out>
void WriteTexts(Out& out, uint32_t field, const Texts& texts) {
  out.Message(field, [&texts](auto& to) {
    for (const absl::string_view text : texts) to.Bytes(pb::Texts::kTextsFieldNumber, text);
  });
}
template <class Out>
void WriteTexts(Out& out, uint32_t field, const Fields& fields) {
  out.Message(field, [&fields](auto& map) {
    for (const auto& [name, value] : fields) {
      map.Message(pb::StringMap::kFieldsFieldNumber, [&name = name, &value = value](auto& to) {
        AddBytes(to, pb::Field::kNameFieldNumber, name);
        AddBytes(to, pb::Field::kValueFieldNumber, value);
      });
    }
  });
}

template <class Out>
struct ValueWriter {
  Out& out;
  void operator()(int64_t value) const { out.Varint(pb::Value::kIntValueFieldNumber, wire::ZigZag(value)); }
  void operator()(uint64_t value) const { out.Varint(pb::Value::kUintValueFieldNumber, value); }
  void operator()(double value) const {
    out.Fixed64(pb::Value::kFloatValueFieldNumber, absl::bit_cast<uint64_t>(value));
  }
  void operator()(absl::string_view value) const { out.Bytes(pb::Value::kStringValueFieldNumber, value); }
  void operator()(const Texts& value) const { WriteTexts(out, pb::Value::kSetValueFieldNumber, value); }
  void operator()(const Fields& value) const { WriteTexts(out, pb::Value::kMapValueFieldNumber, value); }
};

template <class Out>
void WriteValue(Out& out, const ValueView& value) {
  std::visit(ValueWriter<Out>{out}, value);
}

template <class Out>
struct OperationWriter {
  using Transaction = pb::Transaction;
  Out& out;

  void operator()(const operation::Put& op) const {
    out.Message(Transaction::kPutFieldNumber, [&op](auto& put) { WriteValue(put, op.value); });
  }
  void operator()(const operation::Delete& op) const {
    out.Message(Transaction::kDeleteFieldNumber,
                [&op](auto& removal) { AddVarint(removal, pb::Delete::kCauseFieldNumber, ToStored(op.cause)); });
  }
  void operator()(const operation::IntIncrement& op) const {
    out.Message(Transaction::kIntIncrementFieldNumber, [&op](auto& increment) {
      AddVarint(increment, pb::IntIncrement::kDeltaFieldNumber, wire::ZigZag(op.delta));
      AddVarint(increment, pb::IntIncrement::kResultFieldNumber, wire::ZigZag(op.result));
    });
  }
  void operator()(const operation::UintIncrement& op) const {
    out.Message(Transaction::kUintIncrementFieldNumber, [&op](auto& increment) {
      AddVarint(increment, pb::UintIncrement::kDeltaFieldNumber, op.delta);
      AddVarint(increment, pb::UintIncrement::kDecrementFieldNumber, op.decrement ? 1 : 0);
      AddVarint(increment, pb::UintIncrement::kResultFieldNumber, op.result);
    });
  }
  void operator()(const operation::FloatIncrement& op) const {
    out.Message(Transaction::kFloatIncrementFieldNumber, [&op](auto& increment) {
      AddFixed64(increment, pb::FloatIncrement::kDeltaFieldNumber, absl::bit_cast<uint64_t>(op.delta));
      AddFixed64(increment, pb::FloatIncrement::kResultFieldNumber, absl::bit_cast<uint64_t>(op.result));
    });
  }
  void operator()(const operation::Append& op) const { out.Bytes(Transaction::kAppendFieldNumber, op.text); }
  void operator()(const operation::AddMembers& op) const {
    WriteTexts(out, Transaction::kAddMembersFieldNumber, op.members);
  }
  void operator()(const operation::RemoveMembers& op) const {
    WriteTexts(out, Transaction::kRemoveMembersFieldNumber, op.members);
  }
  void operator()(const operation::PutFields& op) const {
    WriteTexts(out, Transaction::kPutFieldsFieldNumber, op.fields);
  }
  void operator()(const operation::RemoveFields& op) const {
    WriteTexts(out, Transaction::kRemoveFieldsFieldNumber, op.names);
  }
  void operator()(const operation::SetExpiry& op) const {
    out.Message(Transaction::kSetExpiryFieldNumber, [&op](auto& set_expiry) {
      if (!op.number) return;
      set_expiry.Message(pb::SetExpiry::kNumberFieldNumber, [&op](auto& number) { WriteValue(number, *op.number); });
    });
  }
};

template <class Out>
void WriteRequest(Out& out, uint32_t field, const RequestInfo& request) {
  out.Message(field, [&request](auto& stored) {
    AddBytes(stored, pb::Request::kIdFieldNumber, request.id);
    if (!request.answer) return;
    stored.Message(pb::Request::kAnswerFieldNumber, [&answer = *request.answer](auto& to) {
      AddFixed64(to, pb::Answer::kCommandHashFieldNumber, answer.command_hash);
      AddVarint(to, pb::Answer::kRevisionsFieldNumber, answer.revisions);
      AddBytes(to, pb::Answer::kResponseFieldNumber, answer.response);
    });
  });
}

Texts ReadTexts(wire::Reader& from) {
  Texts texts;
  from.Message([&texts](wire::Reader& in) {
    if (in.field() != pb::Texts::kTextsFieldNumber) return false;
    texts.push_back(in.Bytes());
    return true;
  });
  return texts;
}

Fields ReadFields(wire::Reader& from) {
  Fields fields;
  from.Message([&fields](wire::Reader& in) {
    if (in.field() != pb::StringMap::kFieldsFieldNumber) return false;
    in.Message([&field = fields.emplace_back()](wire::Reader& in) {
      switch (in.field()) {
        case pb::Field::kNameFieldNumber:
          field.first = in.Bytes();
          return true;
        case pb::Field::kValueFieldNumber:
          field.second = in.Bytes();
          return true;
        default:
          return false;
      }
    });
    return true;
  });
  return fields;
}

// Whether it is of a known type.
bool ReadValue(wire::Reader& from, ValueView* value) {
  bool is_known = false;
  from.Message([&](wire::Reader& in) {
    switch (in.field()) {
      case pb::Value::kIntValueFieldNumber:
        value->emplace<int64_t>(in.SignedVarint());
        break;
      case pb::Value::kUintValueFieldNumber:
        value->emplace<uint64_t>(in.Varint());
        break;
      case pb::Value::kFloatValueFieldNumber:
        value->emplace<double>(in.Double());
        break;
      case pb::Value::kStringValueFieldNumber:
        value->emplace<absl::string_view>(in.Bytes());
        break;
      case pb::Value::kSetValueFieldNumber:
        value->emplace<Texts>(ReadTexts(in));
        break;
      case pb::Value::kMapValueFieldNumber:
        value->emplace<Fields>(ReadFields(in));
        break;
      default:
        return false;
    }
    is_known = true;
    return true;
  });
  return is_known;
}

// What is wrong with a transaction or a request, if anything is; the first thing counts.
class Flaw {
 public:
  void NoteIf(bool is_wrong, const char* what) {
    if (is_wrong && what_ == nullptr) what_ = what;
  }
  bool is_none() const { return what_ == nullptr; }
  absl::Status status() const {
    return is_none() ? absl::OkStatus() : absl::DataLossError(absl::StrCat("a stored transaction has ", what_));
  }

 private:
  const char* what_ = nullptr;
};

constexpr char kUnreadable[] = "bytes that cannot be read";

void ReadKnownValue(wire::Reader& from, ValueView* value, Flaw* flaw) {
  flaw->NoteIf(!ReadValue(from, value), "a value of no known type");
}

operation::Delete ReadDelete(wire::Reader& from, Flaw* flaw) {
  using Cause = operation::Delete::Cause;
  static constexpr std::array kCauses = {Cause::kRequested, Cause::kExpired, Cause::kEvicted};
  uint64_t cause = pb::Delete::CAUSE_UNSPECIFIED;
  from.Message([&cause](wire::Reader& in) {
    if (in.field() != pb::Delete::kCauseFieldNumber) return false;
    cause = in.Varint();
    return true;
  });
  operation::Delete removal;
  flaw->NoteIf(!FromStored(cause, kCauses, &removal.cause), "a delete of no known cause");
  return removal;
}

operation::IntIncrement ReadIntIncrement(wire::Reader& from) {
  operation::IntIncrement increment;
  from.Message([&increment](wire::Reader& in) {
    switch (in.field()) {
      case pb::IntIncrement::kDeltaFieldNumber:
        increment.delta = in.SignedVarint();
        return true;
      case pb::IntIncrement::kResultFieldNumber:
        increment.result = in.SignedVarint();
        return true;
      default:
        return false;
    }
  });
  return increment;
}

operation::UintIncrement ReadUintIncrement(wire::Reader& from) {
  operation::UintIncrement increment;
  from.Message([&increment](wire::Reader& in) {
    switch (in.field()) {
      case pb::UintIncrement::kDeltaFieldNumber:
        increment.delta = in.Varint();
        return true;
      case pb::UintIncrement::kDecrementFieldNumber:
        increment.decrement = in.Varint() != 0;
        return true;
      case pb::UintIncrement::kResultFieldNumber:
        increment.result = in.Varint();
        return true;
      default:
        return false;
    }
  });
  return increment;
}

operation::FloatIncrement ReadFloatIncrement(wire::Reader& from) {
  operation::FloatIncrement increment;
  from.Message([&increment](wire::Reader& in) {
    switch (in.field()) {
      case pb::FloatIncrement::kDeltaFieldNumber:
        increment.delta = in.Double();
        return true;
      case pb::FloatIncrement::kResultFieldNumber:
        increment.result = in.Double();
        return true;
      default:
        return false;
    }
  });
  return increment;
}

operation::SetExpiry ReadSetExpiry(wire::Reader& from, Flaw* flaw) {
  operation::SetExpiry set_expiry;
  from.Message([&](wire::Reader& in) {
    if (in.field() != pb::SetExpiry::kNumberFieldNumber) return false;
    ReadKnownValue(in, &set_expiry.number.emplace(), flaw);
    return true;
  });
  return set_expiry;
}

// Reads the current field if it is an operation.
bool ReadOperation(wire::Reader& in, Operation* operation, Flaw* flaw) {
  switch (in.field()) {
    case pb::Transaction::kPutFieldNumber:
      ReadKnownValue(in, &operation->emplace<operation::Put>().value, flaw);
      return true;
    case pb::Transaction::kDeleteFieldNumber:
      *operation = ReadDelete(in, flaw);
      return true;
    case pb::Transaction::kIntIncrementFieldNumber:
      *operation = ReadIntIncrement(in);
      return true;
    case pb::Transaction::kUintIncrementFieldNumber:
      *operation = ReadUintIncrement(in);
      return true;
    case pb::Transaction::kFloatIncrementFieldNumber:
      *operation = ReadFloatIncrement(in);
      return true;
    case pb::Transaction::kAppendFieldNumber:
      *operation = operation::Append{in.Bytes()};
      return true;
    case pb::Transaction::kAddMembersFieldNumber:
      *operation = operation::AddMembers{ReadTexts(in)};
      return true;
    case pb::Transaction::kRemoveMembersFieldNumber:
      *operation = operation::RemoveMembers{ReadTexts(in)};
      return true;
    case pb::Transaction::kPutFieldsFieldNumber:
      *operation = operation::PutFields{ReadFields(in)};
      return true;
    case pb::Transaction::kRemoveFieldsFieldNumber:
      *operation = operation::RemoveFields{ReadTexts(in)};
      return true;
    case pb::Transaction::kSetExpiryFieldNumber:
      *operation = ReadSetExpiry(in, flaw);
      return true;
    default:
      return false;
  }
}

Answer ReadAnswer(wire::Reader& from) {
  Answer answer;
  from.Message([&answer](wire::Reader& in) {
    switch (in.field()) {
      case pb::Answer::kCommandHashFieldNumber:
        answer.command_hash = in.Fixed64();
        return true;
      case pb::Answer::kRevisionsFieldNumber:
        answer.revisions = static_cast<uint32_t>(in.Varint());
        return true;
      case pb::Answer::kResponseFieldNumber:
        answer.response = in.Bytes();
        return true;
      default:
        return false;
    }
  });
  return answer;
}

RequestInfo ReadRequest(wire::Reader& from) {
  RequestInfo request;
  from.Message([&request](wire::Reader& in) {
    switch (in.field()) {
      case pb::Request::kIdFieldNumber:
        request.id = in.Bytes();
        return true;
      case pb::Request::kAnswerFieldNumber:
        request.answer = ReadAnswer(in);
        return true;
      default:
        return false;
    }
  });
  return request;
}

// Of a request whose last transaction has this revision.
void CheckRequest(const RequestInfo& request, uint64_t revision, Flaw* flaw) {
  flaw->NoteIf(request.id.empty(), "a request without an id");
  const bool has_revisions = request.answer && request.answer->revisions != 0 && request.answer->revisions <= revision;
  flaw->NoteIf(request.answer && !has_revisions, "a request of no known revisions");
}

// Of the fields that are not stored where they have their default. One by one, since to assign a whole Transaction
// takes as long as to read one.
void SetDefaults(Transaction* transaction) {
  transaction->revision = 0;
  transaction->time_micros = 0;
  transaction->previous_revision = 0;
  transaction->actor = {};
  transaction->key = {};
  transaction->batch_remaining = 0;
  transaction->expires_at_micros = 0;
  transaction->request.id = {};
  transaction->request.answer.reset();
}

// A message as an entry of a list, whose fields write(to) adds; tells where in that the message begins.
template <class Write>
std::string ListEntry(uint32_t field, Write write, size_t* message_offset) {
  wire::Sizer message;
  write(message);
  wire::Sizer entry;
  entry.AddBlock(field, message.size());
  std::string bytes(entry.size(), '\0');
  wire::Writer(bytes.data()).Message(field, message.size(), write);
  *message_offset = entry.size() - message.size();
  return bytes;
}

// A varint of kMaxVarintBytes, whatever the value is.
void PutLongVarint(char* to, uint64_t value) {
  for (size_t i = 0; i < kMaxVarintBytes - 1; ++i, value >>= 7) to[i] = static_cast<char>((value & 0x7F) | 0x80);
  to[kMaxVarintBytes - 1] = static_cast<char>(value);
}

}  // namespace

EncodedTransaction::EncodedTransaction(const Transaction& transaction, uint64_t previous_distance)
    : previous_distance_(previous_distance) {
  const auto write = [&](auto& out) {
    // Stamp overwrites both.
    out.Fixed64(pb::Transaction::kRevisionFieldNumber, 0);
    out.Fixed64(pb::Transaction::kTimeMicrosFieldNumber, 0);
    AddVarint(out, pb::Transaction::kPreviousRevisionFieldNumber,
              previous_distance == 0 ? transaction.previous_revision : kLongestVarint);
    AddBytes(out, pb::Transaction::kActorFieldNumber, transaction.actor);
    AddVarint(out, pb::Transaction::kTypeFieldNumber, ToStored(transaction.type));
    AddBytes(out, pb::Transaction::kKeyFieldNumber, transaction.key);
    AddVarint(out, pb::Transaction::kBatchRemainingFieldNumber, transaction.batch_remaining);
    AddFixed64(out, pb::Transaction::kExpiresAtMicrosFieldNumber, static_cast<uint64_t>(transaction.expires_at_micros));
    std::visit(OperationWriter<std::decay_t<decltype(out)>>{out}, transaction.operation);
    if (!transaction.request.id.empty()) WriteRequest(out, pb::Transaction::kRequestFieldNumber, transaction.request);
  };
  bytes_ = ListEntry(pb::TransactionList::kTransactionsFieldNumber, write, &revision_offset_);
}

void EncodedTransaction::Stamp(uint64_t revision, int64_t time_micros) {
  char* start = bytes_.data() + revision_offset_;
  wire::PutFixed64(start + kTagBytes, revision);
  wire::PutFixed64(start + kTimeOffset, static_cast<uint64_t>(time_micros));
  if (previous_distance_ != 0) PutLongVarint(start + kPreviousOffset, revision - previous_distance_);
}

absl::Status DecodeTransaction(absl::string_view stored, Transaction* transaction) {
  SetDefaults(transaction);
  uint64_t type = pb::STORE_TYPE_UNSPECIFIED;
  bool has_operation = false;
  bool has_request = false;
  Flaw of_operation;
  wire::Reader reader(stored);
  reader.ReadAll([&](wire::Reader& in) {
    switch (in.field()) {
      case pb::Transaction::kRevisionFieldNumber:
        transaction->revision = in.Fixed64();
        return true;
      case pb::Transaction::kTimeMicrosFieldNumber:
        transaction->time_micros = static_cast<int64_t>(in.Fixed64());
        return true;
      case pb::Transaction::kPreviousRevisionFieldNumber:
        transaction->previous_revision = in.Varint();
        return true;
      case pb::Transaction::kActorFieldNumber:
        transaction->actor = in.Bytes();
        return true;
      case pb::Transaction::kTypeFieldNumber:
        type = in.Varint();
        return true;
      case pb::Transaction::kKeyFieldNumber:
        transaction->key = in.Bytes();
        return true;
      case pb::Transaction::kBatchRemainingFieldNumber:
        transaction->batch_remaining = static_cast<uint32_t>(in.Varint());
        return true;
      case pb::Transaction::kExpiresAtMicrosFieldNumber:
        transaction->expires_at_micros = static_cast<int64_t>(in.Fixed64());
        return true;
      case pb::Transaction::kRequestFieldNumber:
        transaction->request = ReadRequest(in);
        has_request = true;
        return true;
      default:
        if (!ReadOperation(in, &transaction->operation, &of_operation)) return false;
        has_operation = true;
        return true;
    }
  });
  Flaw flaw;
  flaw.NoteIf(!reader.ok(), kUnreadable);
  flaw.NoteIf(transaction->revision == 0, "no revision");
  flaw.NoteIf(transaction->key.empty(), "no key");
  flaw.NoteIf(!FromStored(type, kValueTypes, &transaction->type), "no known type");
  flaw.NoteIf(!has_operation, "no known operation");
  if (flaw.is_none()) flaw = of_operation;
  if (has_request) CheckRequest(transaction->request, transaction->revision, &flaw);
  return flaw.status();
}

std::string Encode(const RememberedRequest& request) {
  const auto write = [&](auto& out) {
    AddFixed64(out, pb::RememberedRequest::kRevisionFieldNumber, request.revision);
    AddFixed64(out, pb::RememberedRequest::kTimeMicrosFieldNumber, static_cast<uint64_t>(request.time_micros));
    AddBytes(out, pb::RememberedRequest::kActorFieldNumber, request.actor);
    WriteRequest(out, pb::RememberedRequest::kRequestFieldNumber, {request.id, request.answer});
  };
  size_t message_offset = 0;
  return ListEntry(pb::TransactionList::kRequestsFieldNumber, write, &message_offset);
}

absl::StatusOr<RememberedRequest> DecodeRequest(absl::string_view stored) {
  RememberedRequest remembered;
  RequestInfo request;
  wire::Reader reader(stored);
  reader.ReadAll([&](wire::Reader& in) {
    switch (in.field()) {
      case pb::RememberedRequest::kRevisionFieldNumber:
        remembered.revision = in.Fixed64();
        return true;
      case pb::RememberedRequest::kTimeMicrosFieldNumber:
        remembered.time_micros = static_cast<int64_t>(in.Fixed64());
        return true;
      case pb::RememberedRequest::kActorFieldNumber:
        remembered.actor = in.Bytes();
        return true;
      case pb::RememberedRequest::kRequestFieldNumber:
        request = ReadRequest(in);
        return true;
      default:
        return false;
    }
  });
  Flaw flaw;
  flaw.NoteIf(!reader.ok(), kUnreadable);
  CheckRequest(request, remembered.revision, &flaw);
  flaw.NoteIf(!request.answer, "a request without an answer");
  if (!flaw.is_none()) return flaw.status();
  remembered.id = request.id;
  remembered.answer = *request.answer;
  return remembered;
}

}  // namespace kvs
