#include "common/rpc/peer.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace kvs::rpc {

std::string PeerOf(int fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  char text[INET6_ADDRSTRLEN];
  const int port = ntohs(address.sin6_port);
  if (address.sin6_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    return absl::StrCat("ipv4:", inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)), ":", port);
  }
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
    return absl::StrCat("ipv4:", inet_ntop(AF_INET, &address.sin6_addr.s6_addr[12], text, sizeof(text)), ":", port);
  }
  inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof(text));
  const std::string scope = address.sin6_scope_id == 0 ? "" : absl::StrCat("%25", address.sin6_scope_id);
  return absl::StrCat("ipv6:%5B", text, scope, "%5D:", port);
}

}  // namespace kvs::rpc
