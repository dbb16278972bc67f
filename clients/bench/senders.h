// How messages travel.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "clients/bench/runner.h"

namespace kvs::bench {

// One unary call after the other; each connection has as many of these as it has calls outstanding.
std::unique_ptr<Sender> MakeUnarySender(Runner* runner, const std::shared_ptr<grpc::Channel>& channel);

// One stream, whose answers come in the order of its messages.
std::unique_ptr<Sender> MakeStreamSender(Runner* runner, const std::shared_ptr<grpc::Channel>& channel);

}  // namespace kvs::bench
