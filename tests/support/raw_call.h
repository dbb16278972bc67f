// A unary call of any method, as bytes: for a method that is known by its name, and for bytes that a generated stub
// would not send.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace kvs {

// Calls a method such as "/kvs.v1.IntStore/Put"; the bytes of the answer go to `response`. Fails where it would hang.
absl::Status RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     absl::string_view request, std::string* response);

}  // namespace kvs
