#include "common/tls/server_credentials.h"

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "common/config/address.h"
#include "common/logging/logging.h"

namespace kvs {
namespace {

// Whether this machine has the address: localhost may stand for ::1 on one without IPv6.
bool IsConfigured(const addrinfo& info) {
  const int fd = socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const absl::Cleanup close_it = [fd] { close(fd); };
  sockaddr_storage any_port{};
  std::memcpy(&any_port, info.ai_addr, info.ai_addrlen);
  if (info.ai_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&any_port)->sin_port = 0;
  } else {
    reinterpret_cast<sockaddr_in6*>(&any_port)->sin6_port = 0;
  }
  return bind(fd, reinterpret_cast<const sockaddr*>(&any_port), info.ai_addrlen) == 0;
}

std::string NumericHost(const addrinfo& info) {
  char host[NI_MAXHOST] = "";
  getnameinfo(info.ai_addr, info.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return host;
}

// The addresses of this machine that `host` stands for.
std::vector<std::string> ResolveOwn(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* infos = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &infos); error != 0) {
    LogError("cannot resolve the address to listen on", {{"host", host}, {"reason", gai_strerror(error)}});
    return {};
  }
  const absl::Cleanup free_it = [infos] { freeaddrinfo(infos); };
  std::vector<std::string> hosts;
  for (const addrinfo* info = infos; info != nullptr; info = info->ai_next) {
    if (IsConfigured(*info)) hosts.push_back(NumericHost(*info));
  }
  return hosts;
}

}  // namespace

FetchingServerCredentials::~FetchingServerCredentials() = default;

void FetchingServerCredentials::SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) {
  LogError("metadata processors are not supported by these credentials");
}

grpc_ssl_certificate_config_reload_status FetchingServerCredentials::Fetch(
    void* port_pointer, grpc_ssl_server_certificate_config** config) {
  auto* port = static_cast<Port*>(port_pointer);
  const KeySetSource::Numbered current = port->source->Get();
  if (current.generation == port->generation) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{current.keys->key_pem.c_str(), current.keys->certificate_pem.c_str()};
  *config = grpc_ssl_server_certificate_config_create(current.keys->ca_pem.c_str(), &pair, 1);
  port->generation = current.generation;
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

int FetchingServerCredentials::AddNumericPort(const std::string& address, grpc_server* server) {
  auto port = std::make_unique<Port>(Port{&source_, 0});
  const auto request_type = client_auth_ == ClientAuth::kRequire
                                ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
  grpc_server_credentials* credentials = grpc_ssl_server_credentials_create_with_options(
      grpc_ssl_server_credentials_create_options_using_config_fetcher(request_type, Fetch, port.get()));
  const int number = grpc_server_add_http2_port(server, address.c_str(), credentials);
  grpc_server_credentials_release(credentials);
  MutexLock lock(&mutex_);
  ports_.push_back(std::move(port));
  return number;
}

int FetchingServerCredentials::AddPortToServer(const std::string& address, grpc_server* server) {
  const auto parsed = ParseAddress(address);
  if (!parsed.ok()) {
    LogError("cannot listen", {{"address", address}, {"reason", parsed.status()}});
    return 0;
  }
  int number = parsed->port;
  const std::vector<std::string> hosts = ResolveOwn(parsed->host);
  for (const std::string& host : hosts) {
    number = AddNumericPort(Address{host, static_cast<uint16_t>(number)}.ToString(), server);
    if (number == 0) return 0;
  }
  return hosts.empty() ? 0 : number;
}

}  // namespace kvs
