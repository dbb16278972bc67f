#include "common/rpc/peer.h"

#include <absl/strings/numbers.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include "common/rpc/server.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

namespace kvs::rpc {
namespace {

using ::grpc::health::v1::Health;
using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;

std::set<std::string> PeersOfAllSockets() {
  std::set<std::string> peers;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    int fd = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &fd)) peers.insert(PeerOf(fd));
  }
  return peers;
}

// Listens on one address and connects to another; returns the peer that the call names.
std::string PeerOfCall(const std::string& listen, const std::string& host) {
  std::string peer;
  Service service(HealthCheckRequest::descriptor()->file()->FindServiceByName("Health"));
  service.AddUnary<HealthCheckRequest, HealthCheckResponse>("Check", [&](UnaryCall& call, const auto&) {
    peer = call.context().peer();
    CHECK(PeersOfAllSockets().contains(peer));
    call.Reply(HealthCheckResponse());
  });
  service.AddStream("Watch", [](ServerStream&) { return nullptr; });
  Server server({.address = listen, .credentials = grpc::InsecureServerCredentials()});
  server.Add(&service);
  REQUIRE(server.Listen().ok());
  server.Run();
  const auto channel =
      grpc::CreateChannel(host + ":" + std::to_string(server.port()), grpc::InsecureChannelCredentials());
  TestContext context;
  HealthCheckResponse response;
  CHECK(Health::NewStub(channel)->Check(&context, {}, &response).ok());
  return peer;
}

bool HasIpv6() {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool is_bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return is_bound;
}

TEST_CASE("a peer is named as gRPC names it") {
  CHECK_THAT(PeerOfCall("127.0.0.1:0", "127.0.0.1"), ContainsText("ipv4:127.0.0.1:"));
  if (!HasIpv6()) {
    WARN("this machine has no IPv6");
    return;
  }
  CHECK_THAT(PeerOfCall("[::1]:0", "[::1]"), ContainsText("ipv6:%5B::1%5D:"));
  CHECK_THAT(PeerOfCall("[::]:0", "127.0.0.1"), ContainsText("ipv4:127.0.0.1:"));
}

TEST_CASE("what is no connection has no peer") { CHECK(PeerOf(-1).empty()); }

}  // namespace
}  // namespace kvs::rpc
