#include "common/rpc/server.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "common/latch.h"
#include "common/logging/logging.h"
#include "common/rpc/listen_address.h"
#include "common/rpc/peer.h"

namespace kvs::rpc {
namespace {

constexpr int kMinPingIntervalMillis = 1000;
constexpr int kHandshakeMillis = 20'000;

// How long a connection may take to close after its calls have ended or were cancelled, and how often it is then cut.
constexpr absl::Duration kClosePatience = absl::Milliseconds(250);

// How often a drain looks whether calls are still under way.
constexpr absl::Duration kDrainPoll = absl::Milliseconds(10);

// Ends the connections that were accepted on a port, or those of them with these peers. gRPC closes one only when what
// it is writing has gone out, which a peer that does not read puts off for as long as it likes.
void CutConnections(int port, const std::set<std::string>* peers = nullptr) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    int fd = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &fd)) continue;
    sockaddr_in6 address{};  // Large enough for both families, which have the port at the same place.
    socklen_t size = sizeof(address);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    if (address.sin6_family != AF_INET && address.sin6_family != AF_INET6) continue;
    if (ntohs(address.sin6_port) != port) continue;
    if (peers == nullptr || peers->contains(PeerOf(fd))) shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace

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
  // Clients may ping this often to find out whether the connection still is one.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCallsPerConnection);
  // A connection that says nothing has its place no longer than this.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMillis);
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
    for (Service* service : services_) service->Listen(loop.get(), &untaken_);
  }
  return absl::OkStatus();
}

void Server::Run() {
  running_ = true;
  for (auto& loop : loops_) loop->Start();
}

void Server::CutPeers(const std::set<std::string>& peers) const {
  LogWarn("cut connections whose clients do not take their answers",
          {{"connections", peers.size()}, {"first", *peers.begin()}, {"bytes", untaken_.total()}});
  CutConnections(port_, &peers);
}

// Once a drain has begun, what holds a loop is a call.
bool Server::HasCalls() const {
  for (const auto& loop : loops_) {
    if (loop->is_held()) return true;
  }
  return false;
}

void Server::Drain(absl::Duration timeout) {
  drained_ = true;
  if (!running_) Run();
  for (Service* service : services_) service->Drain();
  const absl::Time deadline = absl::Now() + timeout;
  Latch closed;
  std::thread cutter([&] {
    while (HasCalls() && absl::Now() < deadline) {
      if (closed.WaitFor(kDrainPoll)) return;
    }
    while (!closed.WaitFor(kClosePatience)) CutConnections(port_);
  });
  server_->Shutdown(absl::ToChronoTime(deadline));
  closed.CountDown();
  cutter.join();
}

void Server::Stop() {
  for (auto& loop : loops_) loop->Stop();
  server_.reset();
}

}  // namespace kvs::rpc
