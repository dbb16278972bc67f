#include "clients/cli/doctor/probe.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

namespace kvs::cli {
namespace {

// The client's side of the opening of HTTP/2: the preface and an empty SETTINGS frame.
constexpr char kHttp2Opening[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
constexpr absl::string_view kHttp2OpeningBytes(kHttp2Opening, sizeof(kHttp2Opening) - 1);
constexpr size_t kFrameHeaderBytes = 9;

// OpenSSL reports an alert from the peer as this plus the alert's number.
constexpr int kFirstAlertReason = SSL_AD_REASON_OFFSET;
constexpr int kLastAlertReason = SSL_AD_REASON_OFFSET + 255;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }

  int fd() const { return fd_; }

 private:
  int fd_;
};

absl::Status ErrorOf(int error, const Endpoint& endpoint) {
  const std::string text = absl::StrCat(endpoint.ToString(), ": ", strerror(error));
  return error == ETIMEDOUT ? absl::DeadlineExceededError(text) : absl::UnavailableError(text);
}

// A blocking socket whose reads and writes give up after `timeout`.
absl::StatusOr<Socket> Connect(const Endpoint& endpoint, absl::Duration timeout) {
  Socket socket(::socket(endpoint.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd() < 0) return ErrorOf(errno, endpoint);
  const auto* const address = reinterpret_cast<const sockaddr*>(&endpoint.storage);
  if (connect(socket.fd(), address, endpoint.size) != 0) {
    if (errno != EINPROGRESS) return ErrorOf(errno, endpoint);
    pollfd connected = {socket.fd(), POLLOUT, 0};
    if (poll(&connected, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) != 1) {
      return ErrorOf(ETIMEDOUT, endpoint);
    }
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return ErrorOf(error, endpoint);
  }
  fcntl(socket.fd(), F_SETFL, fcntl(socket.fd(), F_GETFL) & ~O_NONBLOCK);
  const timeval limit = absl::ToTimeval(timeout);
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  return socket;
}

// Whether these are the first bytes of an HTTP/2 server: a SETTINGS frame on stream 0.
bool IsSettingsFrame(absl::string_view bytes) {
  return bytes.size() >= kFrameHeaderBytes && bytes[3] == 4 && bytes.substr(5, 4) == absl::string_view("\0\0\0\0", 4);
}

using ContextPtr = std::unique_ptr<SSL_CTX, OpenSslDeleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpenSslDeleter<SSL_free>>;

int NoteCertificateRequest(SSL*, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 1;
}

ContextPtr MakeContext(const TlsOptions& options, bool* asked_for_certificate) {
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof(kHttp2));
  SSL_CTX_set_cert_cb(context.get(), NoteCertificateRequest, asked_for_certificate);
  if (!options.certificate_path.empty()) {
    SSL_CTX_use_certificate_chain_file(context.get(), options.certificate_path.c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), options.key_path.c_str(), SSL_FILETYPE_PEM);
  }
  return context;
}

bool IsIpAddress(const std::string& host) {
  unsigned char ignored[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), ignored) == 1 || inet_pton(AF_INET6, host.c_str(), ignored) == 1;
}

// Takes the reason of the failure from OpenSSL's queue, or from the socket where it has none.
void NoteFailure(TlsAnswer* answer) {
  const unsigned long error = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(error);
  const char* const text = error == 0 ? nullptr : ERR_reason_error_string(error);
  if (reason >= kFirstAlertReason && reason <= kLastAlertReason) answer->speaks_tls = true;
  answer->problem = text != nullptr ? text : "the server closed the connection, or kept silent";
}

std::vector<X509Ptr> PeerChain(SSL* ssl) {
  std::vector<X509Ptr> chain;
  STACK_OF(X509)* const peers = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; peers != nullptr && i < sk_X509_num(peers); ++i) {
    X509* const certificate = sk_X509_value(peers, i);
    X509_up_ref(certificate);
    chain.emplace_back(certificate);
  }
  return chain;
}

bool AgreedOnHttp2(SSL* ssl) {
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  return absl::string_view(reinterpret_cast<const char*>(protocol), size) == "h2";
}

}  // namespace

std::string Endpoint::ToString() const {
  char host[NI_MAXHOST] = "?";
  char port[NI_MAXSERV] = "?";
  getnameinfo(reinterpret_cast<const sockaddr*>(&storage), size, host, sizeof(host), port, sizeof(port),
              NI_NUMERICHOST | NI_NUMERICSERV);
  return storage.ss_family == AF_INET6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<std::vector<Endpoint>> Resolve(const Address& address) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (error != 0) return absl::NotFoundError(gai_strerror(error));
  std::vector<Endpoint> endpoints;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Endpoint endpoint;
    memcpy(&endpoint.storage, info->ai_addr, info->ai_addrlen);
    endpoint.size = info->ai_addrlen;
    endpoints.push_back(endpoint);
  }
  freeaddrinfo(found);
  return endpoints;
}

absl::Status ProbeTcp(const Endpoint& endpoint, absl::Duration timeout) { return Connect(endpoint, timeout).status(); }

PlaintextAnswer ProbePlaintext(const Endpoint& endpoint, absl::Duration timeout) {
  const auto socket = Connect(endpoint, timeout);
  if (!socket.ok()) return PlaintextAnswer::kNothing;
  if (send(socket->fd(), kHttp2OpeningBytes.data(), kHttp2OpeningBytes.size(), MSG_NOSIGNAL) < 0) {
    return PlaintextAnswer::kNothing;
  }
  char bytes[kFrameHeaderBytes];
  const ssize_t received = recv(socket->fd(), bytes, sizeof(bytes), MSG_WAITALL);
  if (received <= 0) return PlaintextAnswer::kNothing;
  return IsSettingsFrame(absl::string_view(bytes, static_cast<size_t>(received))) ? PlaintextAnswer::kHttp2
                                                                                  : PlaintextAnswer::kSomethingElse;
}

TlsAnswer ProbeTls(const Endpoint& endpoint, const TlsOptions& options) {
  TlsAnswer answer;
  const auto socket = Connect(endpoint, options.timeout);
  if (!socket.ok()) {
    answer.problem = std::string(socket.status().message());
    return answer;
  }
  const ContextPtr context = MakeContext(options, &answer.asked_for_certificate);
  const SslPtr ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), socket->fd());
  if (!IsIpAddress(options.host)) SSL_set_tlsext_host_name(ssl.get(), options.host.c_str());

  ERR_clear_error();
  answer.shook_hands = SSL_connect(ssl.get()) == 1;
  answer.speaks_tls = answer.shook_hands;
  answer.chain = PeerChain(ssl.get());
  if (!answer.shook_hands) {
    NoteFailure(&answer);
    return answer;
  }
  answer.has_http2 = AgreedOnHttp2(ssl.get());

  // With TLS 1.3 the client is done before the server has judged its certificate: only an answer tells.
  char bytes[kFrameHeaderBytes];
  answer.is_usable = SSL_write(ssl.get(), kHttp2OpeningBytes.data(), static_cast<int>(kHttp2OpeningBytes.size())) > 0 &&
                     SSL_read(ssl.get(), bytes, sizeof(bytes)) > 0;
  if (!answer.is_usable) NoteFailure(&answer);
  return answer;
}

}  // namespace kvs::cli
