#include "common/rpc/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "tests/support/catch.h"

namespace kvs::rpc {
namespace {

// Listens on a free port of 127.0.0.1.
class Listener {
 public:
  Listener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(fd_, 1) == 0);
    REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const std::string& port() const { return port_; }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string port_;
};

TEST_CASE("a free port of this machine can be listened on") {
  for (const char* address : {"127.0.0.1:0", "localhost:0", "0.0.0.0:0"}) {
    INFO(address);
    CHECK(CheckListenAddress(address).ok());
  }
}

TEST_CASE("what is not host:port is refused with an example") {
  for (const char* address : {"", "5050", ":5050", "localhost", "localhost:", "localhost:http", "localhost:65536",
                              "localhost:-1", "::1:5050", "[::1:5050", "[]:5050", "a:b:1"}) {
    INFO(address);
    const absl::Status status = CheckListenAddress(address);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message().find("host:port") != absl::string_view::npos);
  }
}

TEST_CASE("a host that nobody knows and an address of another machine are refused") {
  const absl::Status unknown = CheckListenAddress("no-such-host.invalid:5050");
  CHECK(unknown.code() == absl::StatusCode::kInvalidArgument);
  CHECK(unknown.message().find("not known") != absl::string_view::npos);
  // An address that is reserved for documentation.
  const absl::Status elsewhere = CheckListenAddress("192.0.2.1:5050");
  CHECK(elsewhere.code() == absl::StatusCode::kInvalidArgument);
  CHECK(elsewhere.message().find("does not have that address") != absl::string_view::npos);
}

TEST_CASE("a port that is taken on one of the addresses of a name is in use") {
  const Listener listener;
  // A machine without IPv6 does not have the last one.
  for (const char* host : {"127.0.0.1:", "localhost:", "0.0.0.0:", "[::]:"}) {
    if (host[0] == '[' && !CheckListenAddress("[::]:0").ok()) continue;
    const std::string address = host + listener.port();
    INFO(address);
    const absl::Status status = CheckListenAddress(address);
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(status.message().find("already in use") != absl::string_view::npos);
    CHECK(status.message().find(listener.port()) != absl::string_view::npos);
  }
}

}  // namespace
}  // namespace kvs::rpc
