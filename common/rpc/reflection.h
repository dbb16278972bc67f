// ReflectionService: grpc.reflection, v1 and v1alpha, which tells tools such as grpcurl what the server can be asked.
//
// The descriptors come from kvs::DescriptorSet and carry the comments of the proto files, so that a user reads the
// documentation of the API in the shell.
#pragma once

#include <google/protobuf/descriptor.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/service.h"

namespace kvs::rpc {

// Lists the services that it is told to list, any file of the descriptor set is found by name or by a symbol in it. A
// file is answered together with those that it imports, unless the stream has sent them before. What does not exist is
// answered with an error in the response, and the stream goes on. Requests are read no faster than the client takes the
// answers.
class ReflectionService {
 public:
  // `service_names` are the services that the server has beside these: health and reflection, which are listed too.
  explicit ReflectionService(std::vector<std::string> service_names);
  ReflectionService(const ReflectionService&) = delete;
  ReflectionService& operator=(const ReflectionService&) = delete;

  // What to add to the server: one service for each version of the protocol.
  std::array<Service*, 2> services() { return {&v1_, &v1alpha_}; }

 private:
  class Stream;

  Service v1_;
  Service v1alpha_;

  // Constant after construction.
  std::vector<std::string> service_names_;
  google::protobuf::DescriptorPool pool_;
  std::map<std::string, std::string> files_;  // serialized google.protobuf.FileDescriptorProto by name, with comments
};

}  // namespace kvs::rpc
