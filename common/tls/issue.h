// Makes keys and signs certificates.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>

#include "common/tls/openssl.h"

namespace kvs {

struct CertificateRequest {
  std::string common_name;  // For people only.
  bool is_ca = false;
  // Subject alternative names as OpenSSL writes them, such as "DNS:localhost,IP:::1,URI:spiffe://kvs/client/dev". None
  // if empty.
  std::string alternative_names;
  bool for_servers = false;  // May prove the identity of a server.
  bool for_clients = false;  // May prove the identity of a client.
  absl::Time not_before;
  absl::Time not_after;
};

// A key with its certificate, as objects.
struct IssuedCertificate {
  KeyPtr key;
  X509Ptr certificate;
};

// A new ECDSA P-256 key and a certificate for it, signed by `issuer`, or by itself where that is null.
absl::StatusOr<IssuedCertificate> IssueCertificate(const CertificateRequest& request, const IssuedCertificate* issuer);

// In PEM form; the key as PKCS #8.
std::string ToPem(const X509& certificate);
std::string ToPem(const EVP_PKEY& key);

}  // namespace kvs
