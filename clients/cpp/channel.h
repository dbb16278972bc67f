// The channel to a server, by the options of a client. Internal to the clients of this project. Thread-safe.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <memory>

#include "clients/cpp/options.h"

namespace kvs::client {

// What a channel is for. One that makes load has a connection of its own, where others to the same address share one,
// and does without the retries that gRPC makes by itself: to be ready for them takes a fifth of what a call costs a
// client.
enum class ChannelUse { kCalls, kLoad };

// Connects when it is first used. kInvalidAddress, kInvalidCredentials.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const Options& options, ChannelUse use = ChannelUse::kCalls);

}  // namespace kvs::client
