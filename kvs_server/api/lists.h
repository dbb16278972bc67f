// Lists: the requests of MultiGet and MultiPut, and answers to them, as the wire has them.
//
// Generated code takes a block of memory for each text that it reads or writes, which is more than what finding a key
// costs. These borrow from the bytes of the request. They read what is nearly always sent, keys and values alone;
// requests that have anything else are for generated code, which takes the same path through the engine.
#pragma once

#include <absl/strings/string_view.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "common/model/value.h"
#include "common/model/wire.h"
#include "kvs/v1/batch.pb.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// A request of MultiGet: keys alone. Its functions are named as those of the generated message.
class KeyList {
 public:
  // Borrows. False if there is anything else in the request, or it is malformed, or a text is not UTF-8.
  bool Parse(absl::string_view request);

  const std::vector<absl::string_view>& keys() const { return keys_; }
  int keys_size() const { return static_cast<int>(keys_.size()); }
  absl::string_view keys(int i) const { return keys_[i]; }

 protected:
  bool TakeKey(wire::Reader& reader);

 private:
  std::vector<absl::string_view> keys_;
};

// A request of MultiPut without options: keys, and values of the type T.
template <class T>
class PutList : public KeyList {
 public:
  using Value = std::conditional_t<std::is_same_v<T, StringValue>, absl::string_view, T>;

  // As KeyList::Parse.
  bool Parse(absl::string_view request);

  int values_size() const { return static_cast<int>(values_.size()); }
  Value values(int i) const { return values_[i]; }

 private:
  std::vector<Value> values_;
};

// A response of StringStore.MultiGet in the making. Its functions are named as those of the generated message.
class TextsAnswer {
 public:
  class Values {
   public:
    void Reserve(int count);
    void Add(absl::string_view text);

   private:
    friend class TextsAnswer;
    std::string bytes_;
  };

  Values* mutable_values() { return &values_; }
  google::protobuf::RepeatedField<uint64_t>* mutable_revisions() { return &revisions_; }
  google::protobuf::RepeatedPtrField<v1::KeyErrors>* mutable_errors() { return &errors_; }

  std::string SerializeAsString() &&;

 private:
  Values values_;
  google::protobuf::RepeatedField<uint64_t> revisions_;
  google::protobuf::RepeatedPtrField<v1::KeyErrors> errors_;
};

// An operation of a batch, with the bytes of its request.
struct ListOperation {
  v1::BatchOperation::OperationCase operation;
  absl::string_view request;
};

// The only operation of an independent batch, which the bytes of a message of Batch.Pipeline hold. Nothing if they hold
// anything else, or are malformed.
std::optional<ListOperation> OnlyOperation(absl::string_view pipeline_request);

// What came of an operation with lists, and its response without `latest_revision`.
struct ListAnswer {
  Outcome outcome;
  std::string response;
};

// The answer of a call.
grpc::ByteBuffer CallResponse(ListAnswer answer);
// The answer to the message of Batch.Pipeline that held this operation alone.
grpc::ByteBuffer PipelineResponse(v1::BatchOperation::OperationCase operation, const ListAnswer& answer);

}  // namespace kvs::server
