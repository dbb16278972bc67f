#include "common/rpc/message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstdint>

namespace kvs::rpc {

bool Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message) {
  grpc::Slice slice;
  if (bytes.TrySingleSlice(&slice).ok()) return message->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
  // A message without any field set has no slices at all.
  if (bytes.Length() == 0) return message->ParseFromArray("", 0);
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
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
