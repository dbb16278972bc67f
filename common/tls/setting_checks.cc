#include "common/tls/setting_checks.h"

#include <absl/strings/str_cat.h>

#include "common/tls/identity.h"

namespace kvs {

absl::Status CheckTlsFilesAreSet(const TlsFiles& files) {
  if (!files.ca.empty() && !files.certificate.empty() && !files.key.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--tls-ca, --tls-certificate and --tls-key must be set; `kvs certs init DIR` makes them for development");
}

absl::Status CheckTrustDomain(absl::string_view trust_domain) {
  if (IsTrustDomain(trust_domain)) return absl::OkStatus();
  return absl::InvalidArgumentError("--trust-domain must be 1 to 255 lower-case letters, digits, '.', '-' and '_'");
}

absl::Status CheckPlaintextStaysHere(absl::string_view what, const Address& address) {
  if (IsLoopback(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " ", address.ToString(), "; if the network is safe, add --insecure-any-address"));
}

}  // namespace kvs
