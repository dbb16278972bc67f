#include "common/rpc/message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstdint>
#include <string>

namespace kvs::rpc {
namespace {

using google::protobuf::LogHandler;
using google::protobuf::LogLevel;

void LogUnlessInvalidText(LogLevel level, const char* file, int line, const std::string& message);

// Set before main: changing it is not thread-safe.
LogHandler* const default_log_handler = google::protobuf::SetLogHandler(&LogUnlessInvalidText);

// Protobuf prints a line for each text that is not UTF-8 beside refusing the message. Whoever sent it gets an error,
// and nobody should be able to fill the log of a server with bad requests.
void LogUnlessInvalidText(LogLevel level, const char* file, int line, const std::string& message) {
  if (message.find("invalid UTF-8 data when") != std::string::npos) return;
  default_log_handler(level, file, line, message);
}

}  // namespace

bool Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message) {
  grpc::Slice slice;
  if (bytes.TrySingleSlice(&slice).ok()) return message->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
  // A message without any field set has no slices at all.
  if (bytes.Length() == 0) return message->ParseFromArray("", 0);
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
}

absl::string_view BytesOf(const grpc::ByteBuffer& bytes, grpc::Slice* slice) {
  // A message without any field set has no slices at all.
  if (bytes.Length() == 0) return "";
  if (!bytes.TrySingleSlice(slice).ok() && !bytes.DumpToSingleSlice(slice).ok()) return "";
  return {reinterpret_cast<const char*>(slice->begin()), slice->size()};
}

grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message) {
  grpc::Slice slice(message.ByteSizeLong());
  google::protobuf::io::ArrayOutputStream array(const_cast<uint8_t*>(slice.begin()), static_cast<int>(slice.size()));
  {
    google::protobuf::io::CodedOutputStream output(&array);
    output.SetSerializationDeterministic(true);
    message.SerializeWithCachedSizes(&output);
  }
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace kvs::rpc
