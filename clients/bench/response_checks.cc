#include "clients/bench/response_checks.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "kvs/v1/batch.pb.h"

namespace kvs::bench {
namespace {

using google::protobuf::internal::WireFormatLite;

// Calls fn(field, contents) for each field of the message that is a message or text, and skips the others. False if it
// is no message.
template <class Fn>
bool ForEachField(absl::string_view message, Fn fn) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                                            static_cast<int>(message.size()));
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) return false;
    const auto begin = static_cast<size_t>(in.CurrentPosition());
    if (!in.Skip(static_cast<int>(size))) return false;
    fn(WireFormatLite::GetTagFieldNumber(tag), message.substr(begin, size));
  }
  return in.ConsumedEntireMessage();
}

template <class Proto>
Proto Parsed(absl::string_view bytes) {
  Proto proto;
  proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return proto;
}

void Note(const google::rpc::Status& status, absl::Status* error) {
  if (!error->ok()) return;
  *error = rpc::FromProto(status);
  error->Update(absl::UnknownError("an error without a code"));
}

uint32_t Malformed(uint32_t operations, absl::Status* error) {
  error->Update(absl::InternalError("the response is no message of its type"));
  return operations;
}

// How many of packed varints are zero.
uint32_t Zeros(absl::string_view varints) {
  uint32_t zeros = 0;
  bool begins = true;
  for (const char byte : varints) {
    if (begins && byte == 0) ++zeros;
    begins = (static_cast<uint8_t>(byte) & 0x80) == 0;
  }
  return zeros;
}

// A message of Batch.Pipeline, whose batch is as `check` says.
uint32_t CheckAnswer(absl::string_view response, uint32_t operations, absl::Status* error, ResponseCheck check) {
  uint32_t failed = operations;
  const bool is_message = ForEachField(response, [&](int field, absl::string_view contents) {
    if (field == v1::BatchPipelineResponse::kBatchFieldNumber) failed = check(contents, operations, error);
    if (field == v1::BatchPipelineResponse::kErrorFieldNumber) Note(Parsed<google::rpc::Status>(contents), error);
  });
  return is_message ? failed : Malformed(operations, error);
}

// A batch of one operation, which takes many keys.
uint32_t CheckMultiResult(absl::string_view batch, uint32_t operations, absl::Status* error) {
  uint32_t failed = operations;
  const bool is_message = ForEachField(batch, [&](int field, absl::string_view result) {
    if (field != v1::BatchExecuteResponse::kResultsFieldNumber) return;
    ForEachField(result, [&](int kind, absl::string_view contents) {
      if (kind == v1::BatchResult::kErrorFieldNumber) {
        Note(Parsed<google::rpc::Status>(contents), error);
      } else {
        failed = CheckMulti(contents, operations, error);
      }
    });
  });
  return is_message ? failed : Malformed(operations, error);
}

}  // namespace

uint32_t CheckNothing(absl::string_view, uint32_t, absl::Status*) { return 0; }

uint32_t CheckMulti(absl::string_view response, uint32_t operations, absl::Status* error) {
  uint32_t failed = 0;
  const bool is_message = ForEachField(response, [&](int field, absl::string_view contents) {
    if (field == v1::StringStoreMultiGetResponse::kErrorsFieldNumber) {
      Note(Parsed<v1::KeyErrors>(contents).status(), error);
    } else if (field == v1::StringStoreMultiGetResponse::kRevisionsFieldNumber) {
      failed = Zeros(contents);
    }
  });
  if (failed > 0) error->Update(Error(errors::kKeyNotFound, "there is no key of some of the names"));
  return is_message ? failed : Malformed(operations, error);
}

uint32_t CheckBatch(absl::string_view response, uint32_t operations, absl::Status* error) {
  uint32_t failed = 0;
  uint32_t results = 0;
  const bool is_message = ForEachField(response, [&](int field, absl::string_view contents) {
    if (field != v1::BatchExecuteResponse::kResultsFieldNumber) return;
    ++results;
    ForEachField(contents, [&](int result, absl::string_view status) {
      if (result != v1::BatchResult::kErrorFieldNumber) return;
      ++failed;
      Note(Parsed<google::rpc::Status>(status), error);
    });
  });
  return is_message && results == operations ? failed : Malformed(operations, error);
}

uint32_t CheckPipeline(absl::string_view response, uint32_t operations, absl::Status* error) {
  return CheckAnswer(response, operations, error, CheckBatch);
}

uint32_t CheckPipelineMulti(absl::string_view response, uint32_t operations, absl::Status* error) {
  return CheckAnswer(response, operations, error, CheckMultiResult);
}

}  // namespace kvs::bench
