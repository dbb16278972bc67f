// absl::Status, which the code works with, to and from grpc::Status, which travels. Payloads are kept in both
// directions: they are messages, named by type URL, and become the details of google.rpc.Status, the ErrorInfo of
// common/errors.h first.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

#include "google/rpc/status.pb.h"

namespace kvs::rpc {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// The same as a message, for errors that travel inside of others.
google::rpc::Status ToProto(const absl::Status& status);
absl::Status FromProto(const google::rpc::Status& status);

}  // namespace kvs::rpc
