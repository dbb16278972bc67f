// Whether a server may listen on an address.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

namespace kvs::rpc {

// An error that says why, if nobody can listen on `address` (host:port) now: INVALID_ARGUMENT if it is no such address
// or the host is not known or not of this machine, UNAVAILABLE if the port is in use, PERMISSION_DENIED if it needs
// rights. A name such as "localhost" stands for several addresses, and all of them must be free: gRPC would be content
// with one, and the clients of the others would reach another server.
absl::Status CheckListenAddress(absl::string_view address);

}  // namespace kvs::rpc
