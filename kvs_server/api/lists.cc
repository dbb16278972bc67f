#include "kvs_server/api/lists.h"

#include <google/protobuf/io/coded_stream.h>

#include "common/utf8.h"
#include "kvs/v1/string_store.pb.h"

namespace kvs::server {
namespace {

using google::protobuf::io::CodedOutputStream;

// The same in the messages of all types.
constexpr uint32_t kKeys = v1::StringStoreMultiPutRequest::kKeysFieldNumber;
constexpr uint32_t kValues = v1::StringStoreMultiPutRequest::kValuesFieldNumber;
constexpr uint32_t kLatestRevision = v1::StringStoreMultiGetResponse::kLatestRevisionFieldNumber;

// What a text of a list takes besides its bytes, at most, and about as many of those as most have.
constexpr size_t kMaxHeaderBytes = 6;
constexpr size_t kTypicalTextBytes = 40;

void TakeValues(wire::Reader& reader, std::vector<int64_t>* values) {
  reader.Packed([values](wire::Reader& list) { values->push_back(wire::FromZigZag(list.PackedVarint())); });
}
void TakeValues(wire::Reader& reader, std::vector<uint64_t>* values) {
  reader.Packed([values](wire::Reader& list) { values->push_back(list.PackedVarint()); });
}
void TakeValues(wire::Reader& reader, std::vector<double>* values) {
  reader.Packed([values](wire::Reader& list) { values->push_back(absl::bit_cast<double>(list.PackedFixed64())); });
}
void TakeValues(wire::Reader& reader, std::vector<absl::string_view>* values) { values->push_back(reader.Bytes()); }

template <class T>
bool AreUtf8(const std::vector<T>&) {
  return true;
}
bool AreUtf8(const std::vector<absl::string_view>& texts) {
  for (const absl::string_view text : texts) {
    if (!IsUtf8(text)) return false;
  }
  return true;
}

// The message in the field, if there is nothing else.
std::optional<absl::string_view> OnlyMessage(absl::string_view bytes, uint32_t field) {
  wire::MessageField message;
  if (!wire::TakeMessage(&bytes, &message) || message.field != field || !bytes.empty()) return std::nullopt;
  return message.message;
}

// Calls write(to), which adds fields, for their number and then for their bytes.
template <class Write>
grpc::ByteBuffer Serialize(Write write) {
  wire::Sizer sizer;
  write(sizer);
  grpc::Slice slice(sizer.size());
  wire::Writer writer(reinterpret_cast<char*>(const_cast<uint8_t*>(slice.begin())));
  write(writer);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

bool KeyList::TakeKey(wire::Reader& reader) {
  if (reader.field() != kKeys) return false;
  keys_.push_back(reader.Bytes());
  return true;
}

bool KeyList::Parse(absl::string_view request) {
  wire::Reader reader(request);
  while (reader.Next()) {
    if (!TakeKey(reader)) return false;
  }
  return reader.ok() && AreUtf8(keys());
}

template <class T>
bool PutList<T>::Parse(absl::string_view request) {
  wire::Reader reader(request);
  while (reader.Next()) {
    if (reader.field() == kValues) {
      TakeValues(reader, &values_);
    } else if (!TakeKey(reader)) {
      return false;
    }
  }
  return reader.ok() && AreUtf8(keys()) && AreUtf8(values_);
}
template class PutList<int64_t>;
template class PutList<uint64_t>;
template class PutList<double>;
template class PutList<StringValue>;

void TextsAnswer::Values::Reserve(int count) { bytes_.reserve(count * (kMaxHeaderBytes + kTypicalTextBytes)); }

void TextsAnswer::Values::Add(absl::string_view text) {
  uint8_t header[kMaxHeaderBytes];
  header[0] = wire::Tag(v1::StringStoreMultiGetResponse::kValuesFieldNumber, wire::kBytes);
  const uint8_t* end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(text.size()), header + 1);
  bytes_.append(reinterpret_cast<const char*>(header), end - header);
  bytes_.append(text.data(), text.size());
}

std::string TextsAnswer::SerializeAsString() && {
  // Fields may stand in any order, and messages that are joined are one.
  v1::StringStoreMultiGetResponse rest;
  rest.mutable_revisions()->Swap(&revisions_);
  rest.mutable_errors()->Swap(&errors_);
  rest.AppendToString(&values_.bytes_);
  return std::move(values_.bytes_);
}

std::optional<ListOperation> OnlyOperation(absl::string_view pipeline_request) {
  const auto batch = OnlyMessage(pipeline_request, v1::BatchPipelineRequest::kBatchFieldNumber);
  if (!batch) return std::nullopt;
  auto operation = OnlyMessage(*batch, v1::BatchExecuteRequest::kOperationsFieldNumber);
  if (!operation) return std::nullopt;
  wire::MessageField request;
  if (!wire::TakeMessage(&*operation, &request) || !operation->empty()) return std::nullopt;
  return ListOperation{static_cast<v1::BatchOperation::OperationCase>(request.field), request.message};
}

grpc::ByteBuffer CallResponse(ListAnswer answer) {
  wire::Sizer sizer;
  sizer.Varint(kLatestRevision, answer.outcome.latest_revision);
  std::string& bytes = answer.response;
  bytes.resize(bytes.size() + sizer.size());
  wire::Writer(&bytes[bytes.size() - sizer.size()]).Varint(kLatestRevision, answer.outcome.latest_revision);
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer PipelineResponse(v1::BatchOperation::OperationCase operation, const ListAnswer& answer) {
  return Serialize([&](auto& to) {
    to.Message(v1::BatchPipelineResponse::kBatchFieldNumber, [&](auto& batch) {
      batch.Message(v1::BatchExecuteResponse::kResultsFieldNumber,
                    [&](auto& result) { result.Bytes(operation, answer.response); });
      batch.Varint(v1::BatchExecuteResponse::kLatestRevisionFieldNumber, answer.outcome.latest_revision);
    });
  });
}

}  // namespace kvs::server
