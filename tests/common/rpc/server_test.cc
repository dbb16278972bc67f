#include "common/rpc/server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "common/latch.h"
#include "common/rpc/health.h"
#include "common/rpc/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

namespace kvs::rpc {
namespace {

ServerOptions Options(const std::string& address, int event_loops = 1) {
  return {.address = address, .credentials = grpc::InsecureServerCredentials(), .event_loops = event_loops};
}

absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel) {
  TestContext context;
  grpc::health::v1::HealthCheckResponse response;
  return FromGrpc(grpc::health::v1::Health::NewStub(channel)->Check(&context, {}, &response));
}

TEST_CASE("a server can be destroyed at every stage") {
  HealthService health;
  Server server(Options("127.0.0.1:0", 2));
  server.Add(&health.service());
  SECTION("before it listens") {}
  SECTION("when it listens") { REQUIRE(server.Listen().ok()); }
  SECTION("when it runs") {
    REQUIRE(server.Listen().ok());
    server.Run();
  }
  SECTION("when it has drained") {
    REQUIRE(server.Listen().ok());
    server.Run();
    server.Drain(absl::Seconds(20));
  }
  SECTION("when it has stopped") {
    REQUIRE(server.Listen().ok());
    server.Run();
    server.Drain(absl::Seconds(20));
    server.Stop();
  }
  SECTION("when it has drained without having run") {
    REQUIRE(server.Listen().ok());
    server.Drain(absl::Seconds(20));
  }
}

TEST_CASE("a port that is taken is refused, and the first server serves on") {
  HealthService health;
  TestServer first({&health.service()});
  for (const char* host : {"127.0.0.1:", "localhost:", "0.0.0.0:"}) {
    HealthService other_health;
    Server second(Options(host + std::to_string(first->port())));
    second.Add(&other_health.service());
    const absl::Status status = second.Listen();
    INFO(host);
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(status.message().find("already in use") != absl::string_view::npos);
  }
  CHECK(CheckHealth(first.Connect()).ok());
}

TEST_CASE("calls that come before Run wait for it") {
  HealthService health;
  Server server(Options("127.0.0.1:0"));
  server.Add(&health.service());
  REQUIRE(server.Listen().ok());
  absl::Status status;
  std::thread client([&] {
    const auto channel =
        grpc::CreateChannel("127.0.0.1:" + std::to_string(server.port()), grpc::InsecureChannelCredentials());
    status = CheckHealth(channel);
  });
  server.Run();
  client.join();
  CHECK(status.ok());
}

TEST_CASE("a server that drained refuses calls") {
  HealthService health;
  TestServer server({&health.service()});
  const auto channel = server.Connect();
  REQUIRE(CheckHealth(channel).ok());
  server->Drain(absl::Seconds(20));
  CHECK(CheckHealth(channel).code() == absl::StatusCode::kUnavailable);
}

// Connections that nobody uses, and whose peers do not even answer.
TEST_CASE("a drain does not wait for connections without a call") {
  HealthService health;
  TestServer server({&health.service()});
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(CheckHealth(server.Connect()).ok());
  const absl::Time begin = absl::Now();
  server->Drain(absl::Minutes(10));
  CHECK(absl::Now() - begin < absl::Minutes(1));
  close(client);
}

TEST_CASE("background work runs on after a drain, until the stop") {
  HealthService health;
  TestServer server({&health.service()}, 2);
  server->Drain(absl::ZeroDuration());
  for (size_t i = 0; i < server->loop_count(); ++i) {
    Latch ran;
    server->loop(i).Post([&] { ran.CountDown(); });
    ran.Wait();
  }
}

TEST_CASE("the port is free again when the server is gone") {
  HealthService health;
  auto first = std::make_unique<TestServer>(std::vector<Service*>{&health.service()});
  const std::string address = first->address();
  REQUIRE(CheckHealth(first->Connect()).ok());
  first.reset();
  HealthService next_health;
  Server next(Options(address));
  next.Add(&next_health.service());
  CHECK(next.Listen().ok());
}

}  // namespace
}  // namespace kvs::rpc
