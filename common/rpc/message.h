// Protobuf messages to and from the bytes that gRPC carries.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

namespace kvs::rpc {

// Whether `bytes` were a message of this type, with valid UTF-8 in every string. What `message` held is replaced; after
// a failure it holds anything.
bool Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);

// Map fields are written in the byte order of their keys.
grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message);

}  // namespace kvs::rpc
