#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <string>

namespace kvs {

// Where to listen or connect.
struct Address {
  std::string host;   // A name or an IP address; IPv6 without brackets.
  uint16_t port = 0;  // 0, when listening: a free one.

  // HOST:PORT, with brackets around IPv6, as gRPC takes it.
  std::string ToString() const;
  friend bool operator==(const Address&, const Address&) = default;
};

// Reads HOST:PORT or [IPV6]:PORT. Both parts are needed: every interface is 0.0.0.0 or [::], never an empty host.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

// Whether only this machine can reach it: localhost, 127.0.0.0/8 or ::1. Other names are not looked up.
bool IsLoopback(const Address& address);

}  // namespace kvs
