// What certificate and key files hold.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <string>
#include <vector>

#include "common/tls/openssl.h"

namespace kvs {

// The certificates of a PEM text, at least one. The first is the one that others vouch for.
absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(absl::string_view pem);

// The private key of a PEM text. One with a passphrase is refused, since nobody could type it at a restart.
absl::StatusOr<KeyPtr> ParsePrivateKey(absl::string_view pem);

absl::Time NotBefore(const X509& certificate);
absl::Time NotAfter(const X509& certificate);

// Upper-case hexadecimal, as in `openssl x509 -serial`.
std::string SerialNumber(const X509& certificate);

// The URIs among its subject alternative names.
std::vector<std::string> UriNames(const X509& certificate);

// Whether its subject alternative names hold this DNS name or IP address. The common name never counts.
bool IsForHost(const X509& certificate, const std::string& host);

}  // namespace kvs
