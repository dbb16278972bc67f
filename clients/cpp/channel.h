// The channel to a server, by the options of a client. Internal to the clients of this project. Thread-safe.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <memory>

#include "clients/cpp/options.h"

namespace kvs::client {

// Whether channels to one address may use one connection.
enum class Sharing { kConnection, kNone };

// Connects when it is first used. kInvalidAddress, kInvalidCredentials.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const Options& options,
                                                           Sharing sharing = Sharing::kConnection);

}  // namespace kvs::client
