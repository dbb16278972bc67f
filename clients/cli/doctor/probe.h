// Looks at a port with bare hands: below gRPC, whose errors do not tell what is at the other end.
//
// Each probe makes a connection of its own and waits at most `timeout` for each answer.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "common/config/address.h"
#include "common/tls/openssl.h"

namespace kvs::cli {

// One IP address with its port.
struct Endpoint {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  // "127.0.0.1:5050"
  std::string ToString() const;
};

// Every address of a host. NotFound, with the resolver's reason, if there is none.
absl::StatusOr<std::vector<Endpoint>> Resolve(const Address& address);

// OK if something accepts connections; Unavailable if nothing does, DeadlineExceeded if there is silence.
absl::Status ProbeTcp(const Endpoint& endpoint, absl::Duration timeout);

// What answered to the opening of a plaintext HTTP/2 connection.
enum class PlaintextAnswer { kHttp2, kSomethingElse, kNothing };
PlaintextAnswer ProbePlaintext(const Endpoint& endpoint, absl::Duration timeout);

struct TlsOptions {
  std::string host;              // sent as the server name unless it is an IP address
  std::string certificate_path;  // a client certificate to show; empty for none
  std::string key_path;
  absl::Duration timeout;
};

// What came of a TLS connection. The server's certificate is not checked here.
struct TlsAnswer {
  bool speaks_tls = false;             // a handshake or an alert came back
  bool shook_hands = false;            // the handshake was completed
  bool has_http2 = false;              // HTTP/2 was agreed on
  bool asked_for_certificate = false;  // the server wanted to see a client certificate
  bool is_usable = false;              // the server went on talking after the handshake
  std::string problem;                 // why not, in OpenSSL's words
  std::vector<X509Ptr> chain;          // the server's certificates
};
TlsAnswer ProbeTls(const Endpoint& endpoint, const TlsOptions& options);

}  // namespace kvs::cli
