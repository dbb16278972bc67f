// Protobuf messages to and from the bytes that gRPC carries.
#pragma once

#include <absl/strings/string_view.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

namespace kvs::rpc {

// Whether `bytes` were a message of this type, with valid UTF-8 in every string. What `message` held is replaced; after
// a failure it holds anything.
bool Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);

// The bytes as one piece. They live as long as the buffer and the slice, into which they are copied where they are in
// several.
absl::string_view BytesOf(const grpc::ByteBuffer& bytes, grpc::Slice* slice);

// Map fields are written in the byte order of their keys.
grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message);

}  // namespace kvs::rpc
