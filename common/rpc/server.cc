#include "common/rpc/server.h"

#include <absl/strings/str_cat.h>
#include <grpcpp/server_builder.h>

#include "common/rpc/listen_address.h"

namespace kvs::rpc {

Server::~Server() {
  if (!server_) return;
  if (!drained_) Drain(absl::ZeroDuration());
  Stop();
}

absl::Status Server::Listen() {
  if (absl::Status status = CheckListenAddress(options_.address); !status.ok()) return status;
  grpc::ServerBuilder builder;
  // Without this a second server on the same port would start silently and take a part of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(options_.max_receive_bytes);
  builder.SetMaxSendMessageSize(-1);
  int port = 0;
  builder.AddListeningPort(options_.address, options_.credentials, &port);
  for (Service* service : services_) builder.RegisterService(service);
  for (int i = 0; i < options_.event_loops; ++i) {
    loops_.push_back(std::make_unique<EventLoop>(builder.AddCompletionQueue()));
  }
  server_ = builder.BuildAndStart();
  if (!server_) {
    // A queue must be shut down and emptied before it goes.
    for (auto& loop : loops_) loop->Start();
    loops_.clear();
    return absl::UnavailableError(absl::StrCat("cannot listen on ", options_.address,
                                               ": the address was taken a moment ago; see who has it with: ss -ltnp"));
  }
  port_ = port;
  for (auto& loop : loops_) {
    for (Service* service : services_) service->Listen(loop.get());
  }
  return absl::OkStatus();
}

void Server::Run() {
  running_ = true;
  for (auto& loop : loops_) loop->Start();
}

void Server::Drain(absl::Duration timeout) {
  drained_ = true;
  if (!running_) Run();
  for (Service* service : services_) service->Drain();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
}

void Server::Stop() {
  for (auto& loop : loops_) loop->Stop();
  server_.reset();
}

}  // namespace kvs::rpc
