#include "common/tls/identity.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>
#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <vector>

#include "common/errors.h"

namespace kvs {
namespace {

constexpr size_t kMaxPartBytes = 255;

template <typename... Parts>
absl::Status NotPermitted(const Parts&... parts) {
  return Error(errors::kNotPermitted, absl::StrCat(parts...));
}

bool IsPunctuation(char c) { return c == '.' || c == '-' || c == '_'; }

bool IsPart(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxPartBytes && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || IsPunctuation(c); });
}

}  // namespace

bool IsTrustDomain(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxPartBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || IsPunctuation(c);
  });
}

absl::StatusOr<Identity> ParseIdentity(absl::string_view uri, absl::string_view trust_domain) {
  absl::string_view rest = uri;
  std::vector<absl::string_view> parts;
  if (absl::ConsumePrefix(&rest, "spiffe://")) parts = absl::StrSplit(rest, '/');
  if (parts.size() != 3 || !IsTrustDomain(parts[0]) || !IsPart(parts[1]) || !IsPart(parts[2])) {
    return NotPermitted("the certificate's URI is not of the form spiffe://TRUST_DOMAIN/ROLE/NAME");
  }
  if (parts[0] != trust_domain) {
    return NotPermitted("the certificate is of the trust domain ", parts[0], ", not ", trust_domain);
  }
  return Identity{.trust_domain = std::string(parts[0]),
                  .role = std::string(parts[1]),
                  .name = std::string(parts[2]),
                  .uri = std::string(uri)};
}

absl::StatusOr<Identity> IdentityFromUris(absl::Span<const std::string> uris, absl::string_view trust_domain) {
  if (uris.empty()) {
    return NotPermitted(
        "the certificate has no identity: a URI spiffe://TRUST_DOMAIN/ROLE/NAME as subject alternative name");
  }
  if (uris.size() > 1) return NotPermitted("the certificate has ", uris.size(), " URIs, of which none is its identity");
  return ParseIdentity(uris.front(), trust_domain);
}

absl::StatusOr<std::optional<Identity>> PeerIdentity(const grpc::AuthContext& context, absl::string_view trust_domain) {
  // This property says that there was a certificate; IsPeerAuthenticated is false for one without a common name or DNS
  // name, as identities may well be.
  if (context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME).empty()) return std::nullopt;
  std::vector<std::string> uris;
  for (const grpc::string_ref& uri : context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    uris.emplace_back(uri.data(), uri.size());
  }
  auto identity = IdentityFromUris(uris, trust_domain);
  if (!identity.ok()) return identity.status();
  return *std::move(identity);
}

}  // namespace kvs
