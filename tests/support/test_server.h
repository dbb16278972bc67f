// A real server on a free port of the loopback interface, without TLS.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "common/limits.h"
#include "common/rpc/server.h"
#include "tests/support/catch.h"

namespace kvs {

class TestServer {
 public:
  // `services` outlive this.
  explicit TestServer(const std::vector<rpc::Service*>& services, int event_loops = 1)
      : server_({.address = "127.0.0.1:0",
                 .credentials = grpc::InsecureServerCredentials(),
                 .event_loops = event_loops,
                 .max_receive_bytes = static_cast<int>(kMaxRequestBytes)}) {
    for (rpc::Service* service : services) server_.Add(service);
    const absl::Status status = server_.Listen();
    INFO(status.ToString());
    REQUIRE(status.ok());
    server_.Run();
  }

  rpc::Server& operator*() { return server_; }
  rpc::Server* operator->() { return &server_; }

  std::string address() const { return "127.0.0.1:" + std::to_string(server_.port()); }

  // A connection of its own each time.
  std::shared_ptr<grpc::Channel> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // What is sent to a client that reads nothing is then the same on slow machines, for which it would be megabytes.
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments);
  }

 private:
  rpc::Server server_;
};

// The context of a client's call that fails where it would otherwise hang; long enough for many streams that are held
// open, on a busy machine and under a sanitizer.
class TestContext : public grpc::ClientContext {
 public:
  TestContext() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(110)); }
};

}  // namespace kvs
