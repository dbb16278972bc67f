// How to reach a kvs_server.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "clients/cpp/precondition.h"
#include "common/config/address.h"

namespace kvs::client {

inline constexpr uint16_t kDefaultPort = 5050;

struct Options {
  // "host", "host:port", "[IPv6 address]:port"; the port is 5050 if there is none. For a program that runs for long,
  // with gRPC 1.51, a host that has one address: such versions now and then never reconnect to one that has several.
  std::string address = "localhost:5050";

  // PEM files. Without `ca` the server is checked against the authorities that the system trusts; without `certificate`
  // and `key` the caller is anonymous.
  std::string ca;
  std::string certificate;
  std::string key;

  // No TLS at all; the files above are not looked at.
  bool plaintext = false;

  // How long a call may take with all of its retries; for Keys::List and Keys::Scan, how long the next part
  // may take.
  absl::Duration timeout = absl::Seconds(10);

  // Whether to answer kUnreachable at the first attempt that finds no server, instead of trying until the timeout.
  bool fail_fast = false;

  // Called before each retry with the reason for it, from the thread that made the call.
  std::function<void(const absl::Status&)> on_retry;
};

// What one mutation does differently.
struct MutationOptions {
  // Instead of Options::timeout.
  std::optional<absl::Duration> timeout;
  // What must be true of the key; if it is not, nothing is changed and PreconditionFailureOf(status) tells what is
  // there.
  std::optional<Precondition> precondition;
  // What the request is called, 1 to 128 bytes of text, so that it takes effect once however often it is sent: for
  // those who repeat calls themselves. If it is empty, the call makes up a name for its own retries.
  std::string request_id;
  // How long the key lives from now on, 1 microsecond to 36,500 days, otherwise the error is INVALID_TTL. If it is not
  // given, a Put makes the key live for ever, and the other verbs leave its expiry as it is. Deletes take none.
  std::optional<absl::Duration> ttl;
};

// What one call does differently; mutations take it too.
struct CallOptions {
  // Instead of Options::timeout.
  std::optional<absl::Duration> timeout;

  operator MutationOptions() const { return {.timeout = timeout}; }  // NOLINT(google-explicit-constructor)
};

// Reads Options::address; kInvalidAddress if it is none.
absl::StatusOr<Address> ServerAddress(absl::string_view address);

}  // namespace kvs::client
