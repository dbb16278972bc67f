// absl::Status, which the code works with, to and from grpc::Status, which travels. The ErrorInfo of common/errors.h is
// kept in both directions.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace kvs::rpc {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace kvs::rpc
