// Who is at the other end of a TLS connection.
//
// An identity is the one URI among the subject alternative names of a verified certificate:
// spiffe://TRUST_DOMAIN/ROLE/NAME. The common name never counts, nor does anything that the peer says about itself.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>
#include <grpcpp/security/auth_context.h>

#include <optional>
#include <string>

namespace kvs {

inline constexpr absl::string_view kDefaultTrustDomain = "kvs";

// The roles that the servers tell apart.
inline constexpr absl::string_view kWriterRole = "writer";  // kvs_server, towards the ledger
inline constexpr absl::string_view kLedgerRole = "ledger";  // txn_server
inline constexpr absl::string_view kClientRole = "client";  // everybody else

struct Identity {
  std::string trust_domain;
  std::string role;
  std::string name;
  std::string uri;  // All of it.

  friend bool operator==(const Identity&, const Identity&) = default;
};

// Reads spiffe://TRUST_DOMAIN/ROLE/NAME: exactly these parts, the trust domain equal to the one given. A role or a name
// is 1 to 255 letters, digits, '.', '-' and '_', and neither "." nor "..". Errors are of the kind kNotPermitted.
absl::StatusOr<Identity> ParseIdentity(absl::string_view uri, absl::string_view trust_domain);

// The identity in a certificate with these URIs. None, or more than one, is an error of the kind kNotPermitted.
absl::StatusOr<Identity> IdentityFromUris(absl::Span<const std::string> uris, absl::string_view trust_domain);

// The identity of the caller of an RPC: nothing if it showed no certificate, or spoke plaintext. A certificate without
// a proper identity is an error of the kind kNotPermitted, so that a mistake in issuing does not pass for anonymity.
absl::StatusOr<std::optional<Identity>> PeerIdentity(const grpc::AuthContext& context, absl::string_view trust_domain);

// Whether `text` may be a trust domain: 1 to 255 lower-case letters, digits, '.', '-' and '_'.
bool IsTrustDomain(absl::string_view text);

}  // namespace kvs
