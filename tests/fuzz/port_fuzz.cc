// Raw bytes to the ports of kvs_server, in plaintext and with TLS: a connection comes to its end when its peer has
// closed it, and others are served meanwhile.
#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "common/logging/logging.h"
#include "common/tls/dev_certificates.h"
#include "kvs_server/server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/raw_call.h"
#include "tests/support/temp_dir.h"

namespace kvs::fuzz::port {

constexpr int kPatienceSeconds = 30;
// So often it is asked whether others are served.
constexpr int kInputsBetweenChecks = 16;

std::unique_ptr<server::KvsServer> StartServer(server::Config config) {
  config.listen = {"127.0.0.1", 0};
  config.has_ledger = false;
  auto server = server::KvsServer::Start(
      config, [](ExitCode, const absl::Status&) { Require(false, "the server wants to end"); });
  RequireOk(server.status(), "the server does not start");
  return *std::move(server);
}

class Ports {
 public:
  Ports() {
    InitLogging({});
    RedirectLog([](absl::string_view) {});
    RequireOk(MakeDevCertificates(certificates_.path()).status(), "no certificates");
    server::Config config;
    config.insecure = true;
    plaintext_ = StartServer(config);
    config.insecure = false;
    config.tls = DevTlsFiles(certificates_.path(), "kvs");
    tls_ = StartServer(config);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", plaintext_->port()), grpc::InsecureChannelCredentials());
  }

  int plaintext() const { return plaintext_->port(); }
  int tls() const { return tls_->port(); }

  void CheckServing() {
    std::string answer;
    RequireOk(RawCall(channel_, "/kvs.v1.Maintenance/Echo", "", &answer), "others are not served");
  }

 private:
  TempDir certificates_;
  std::unique_ptr<server::KvsServer> plaintext_;
  std::unique_ptr<server::KvsServer> tls_;
  std::shared_ptr<grpc::Channel> channel_;
};

// A connection that fails where it would hang.
class Connection {
 public:
  explicit Connection(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{kPatienceSeconds, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Require(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "the port is closed");
  }
  ~Connection() {
    // At once, so that ports do not run out.
    const linger none{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      // The server may have had enough.
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  void AwaitEnd() {
    shutdown(fd_, SHUT_WR);
    char buffer[4096];
    ssize_t received = 0;
    do {
      received = recv(fd_, buffer, sizeof(buffer), 0);
    } while (received > 0);
    Require(received == 0 || errno == ECONNRESET, "the server keeps a connection that its peer has closed");
  }

 private:
  const int fd_;
};

void Run(absl::string_view input) {
  static auto* const ports = new Ports();
  static int inputs = 0;
  Pieces pieces(input);
  const bool tls = pieces.Byte() % 2 == 1;
  Connection connection(tls ? ports->tls() : ports->plaintext());
  connection.Send(pieces.rest());
  connection.AwaitEnd();
  if (inputs++ % kInputsBetweenChecks == 0) ports->CheckServing();
}

// A frame of HTTP/2.
std::string HttpFrame(uint8_t type, uint8_t flags, uint8_t stream, absl::string_view payload) {
  const char header[] = {0,
                         static_cast<char>(payload.size() >> 8),
                         static_cast<char>(payload.size()),
                         static_cast<char>(type),
                         static_cast<char>(flags),
                         0,
                         0,
                         0,
                         static_cast<char>(stream)};
  return absl::StrCat(absl::string_view(header, sizeof(header)), payload);
}

// A header that is sent as it is.
std::string HttpHeader(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}

std::vector<Seed> MakeSeeds() {
  const std::string begin = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HttpFrame(4, 0, 0, "");
  std::string headers;
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{":method", "POST"},
                                                        {":scheme", "http"},
                                                        {":path", "/kvs.v1.IntStore/Put"},
                                                        {":authority", "x"},
                                                        {"content-type", "application/grpc"},
                                                        {"te", "trailers"}}) {
    headers += HttpHeader(name, value);
  }
  const std::string message = std::string("\0\0\0\0\5\x0a\1k\x10\2", 10);
  const std::string call = begin + HttpFrame(1, 4, 1, headers) + HttpFrame(0, 1, 1, message);
  const std::string hello(
      "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
      "01234567890123456789012345678901\x00\x00\x02\x13\x01\x01\x00\x00\x00",
      52);
  return {{"preface", '\0' + begin},
          {"call", '\0' + call},
          {"ping_and_reset", '\0' + call + HttpFrame(6, 0, 0, "12345678") + HttpFrame(3, 0, 1, std::string(4, '\0'))},
          {"http1", std::string(1, '\0') + "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
          {"tls_hello", '\1' + hello},
          {"plaintext_to_tls", '\1' + call}};
}

const Registration registration("port", Run, MakeSeeds);

}  // namespace kvs::fuzz::port
