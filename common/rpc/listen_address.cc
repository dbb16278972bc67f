#include "common/rpc/listen_address.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

namespace kvs::rpc {
namespace {

struct HostPort {
  std::string host;
  std::string port;
};

std::optional<HostPort> Split(absl::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  absl::string_view host = address.substr(0, colon);
  const absl::string_view port = address.substr(colon + 1);
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return std::nullopt;
  } else if (host.find(':') != absl::string_view::npos) {
    return std::nullopt;
  }
  uint32_t number = 0;
  if (host.empty() || !absl::SimpleAtoi(port, &number) || number > UINT16_MAX) return std::nullopt;
  return HostPort{std::string(host), std::string(port)};
}

// The errno of binding to `address`, 0 if it can be had.
int TryBind(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  // As gRPC does: connections that an earlier server closed must not keep the port, and the wildcard address of IPv6
  // takes that of IPv4 along, whatever the default of the system is.
  const int on = 1;
  const int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  const int error = bind(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  close(fd);
  return error;
}

// Addresses of a family that this machine does not have are left out where the host has another.
bool IsAbsent(int error) { return error == EADDRNOTAVAIL || error == EAFNOSUPPORT; }

absl::Status ErrorFor(int error, absl::string_view address, const std::string& port) {
  const std::string what = absl::StrCat("cannot listen on ", address, ": ");
  switch (error) {
    case EADDRINUSE:
      return absl::UnavailableError(
          absl::StrCat(what, "the address is already in use; see who has it with: ss -ltnp 'sport = :", port, "'"));
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat(what, "this user may not use port ", port, "; take one above 1023"));
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return absl::InvalidArgumentError(
          absl::StrCat(what, "this machine does not have that address; see those it has with: ip addr"));
    default:
      return absl::UnavailableError(absl::StrCat(what, std::strerror(error)));
  }
}

}  // namespace

absl::Status CheckListenAddress(absl::string_view address) {
  const auto parts = Split(address);
  if (!parts) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", address, ": an address is host:port, such as localhost:5050 or [::1]:5050"));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", address, ": the host is not known (", gai_strerror(error), ")"));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  int absent = 0;
  bool any_usable = false;
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    const int error = TryBind(*candidate);
    if (error != 0 && !IsAbsent(error)) return ErrorFor(error, address, parts->port);
    if (error == 0) {
      any_usable = true;
    } else {
      absent = error;
    }
  }
  return any_usable ? absl::OkStatus() : ErrorFor(absent, address, parts->port);
}

}  // namespace kvs::rpc
