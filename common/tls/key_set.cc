#include "common/tls/key_set.h"

#include <absl/strings/str_cat.h>
#include <openssl/x509v3.h>

#include <utility>
#include <vector>

#include "common/files.h"
#include "common/limits.h"
#include "common/tls/certificate.h"
#include "common/tls/identity.h"

namespace kvs {
namespace {

constexpr size_t kMaxFileBytes = kMiB;

template <typename... Parts>
absl::Status UnusableKeySet(const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat(parts...));
}

std::string Date(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone()); }

absl::Status CheckValidity(const std::string& file, const X509& certificate, absl::Time now) {
  if (now >= NotAfter(certificate)) return UnusableKeySet(file, " expired on ", Date(NotAfter(certificate)));
  if (now < NotBefore(certificate)) {
    return UnusableKeySet(file, " is valid only from ", Date(NotBefore(certificate)), "; is the clock right?");
  }
  return absl::OkStatus();
}

// What OpenSSL found wrong with the certificate at some place of the chain, the own one being at depth 0.
absl::Status ChainError(const TlsFiles& files, int error, int depth) {
  const char* reason = X509_verify_cert_error_string(error);
  switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return UnusableKeySet(files.certificate, " is not signed by ", files.ca, " (", reason, ")");
  }
  return UnusableKeySet(depth == 0 ? files.certificate : files.ca, ": ", reason);
}

absl::Status CheckChain(const TlsFiles& files, const std::vector<X509Ptr>& authorities,
                        const std::vector<X509Ptr>& chain, absl::Time now) {
  const X509StorePtr store(X509_STORE_new());
  for (const X509Ptr& authority : authorities) X509_STORE_add_cert(store.get(), authority.get());
  STACK_OF(X509)* intermediates = sk_X509_new_null();
  for (const X509Ptr& certificate : chain) sk_X509_push(intermediates, certificate.get());
  const X509StoreContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), chain.front().get(), intermediates);
  // As gRPC does when it checks a peer: an intermediate certificate may stand in for its root.
  X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  X509_STORE_CTX_set_time(context.get(), 0, absl::ToTimeT(now));
  const bool verified = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  const int depth = X509_STORE_CTX_get_error_depth(context.get());
  sk_X509_free(intermediates);
  OpenSslError();
  return verified ? absl::OkStatus() : ChainError(files, error, depth);
}

absl::Status CheckPurpose(const std::string& file, X509& certificate, int purpose, absl::string_view name) {
  if (X509_check_purpose(&certificate, purpose, /*ca=*/0) == 1) return absl::OkStatus();
  OpenSslError();
  return UnusableKeySet(file, " is not a certificate for ", name,
                        ": its key usage or extended key usage leaves that out");
}

absl::Status CheckUse(const std::string& file, X509& certificate, const CertificateUse& use) {
  if (use.by_server) {
    const absl::Status status = CheckPurpose(file, certificate, X509_PURPOSE_SSL_SERVER, "servers");
    if (!status.ok()) return status;
  }
  if (use.by_client) {
    const absl::Status status = CheckPurpose(file, certificate, X509_PURPOSE_SSL_CLIENT, "clients");
    if (!status.ok()) return status;
  }
  if (use.role.empty()) return absl::OkStatus();
  const auto identity = IdentityFromUris(UriNames(certificate), use.trust_domain);
  if (!identity.ok()) return UnusableKeySet(file, ": ", identity.status().message());
  if (identity->role == use.role) return absl::OkStatus();
  return UnusableKeySet(file, " is that of ", identity->uri, ": its role must be \"", use.role, "\"");
}

}  // namespace

absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsFiles& files) {
  TlsFiles contents;
  for (const auto member : {&TlsFiles::ca, &TlsFiles::certificate, &TlsFiles::key}) {
    auto text = ReadSmallFile(files.*member, kMaxFileBytes);
    if (!text.ok()) return text.status();
    contents.*member = *std::move(text);
  }
  return contents;
}

absl::StatusOr<KeySet> CheckKeySet(const TlsFiles& files, const TlsFiles& contents, absl::Time now,
                                   const CertificateUse& use) {
  const auto authorities = ParseCertificates(contents.ca);
  if (!authorities.ok()) return UnusableKeySet(files.ca, " ", authorities.status().message());
  const auto chain = ParseCertificates(contents.certificate);
  if (!chain.ok()) return UnusableKeySet(files.certificate, " ", chain.status().message());
  const auto key = ParsePrivateKey(contents.key);
  if (!key.ok()) return UnusableKeySet(files.key, " ", key.status().message());
  X509& certificate = *chain->front();
  if (X509_check_private_key(&certificate, key->get()) != 1) {
    OpenSslError();
    return UnusableKeySet(files.key, " does not belong to ", files.certificate);
  }
  if (absl::Status status = CheckValidity(files.certificate, certificate, now); !status.ok()) return status;
  if (absl::Status status = CheckChain(files, *authorities, *chain, now); !status.ok()) return status;
  if (absl::Status status = CheckUse(files.certificate, certificate, use); !status.ok()) return status;
  return KeySet{.ca_pem = contents.ca,
                .certificate_pem = contents.certificate,
                .key_pem = contents.key,
                .serial_number = SerialNumber(certificate),
                .not_after = NotAfter(certificate)};
}

absl::StatusOr<KeySet> LoadKeySet(const TlsFiles& files, absl::Time now, const CertificateUse& use) {
  const auto contents = ReadTlsFiles(files);
  if (!contents.ok()) return contents.status();
  return CheckKeySet(files, *contents, now, use);
}

}  // namespace kvs
