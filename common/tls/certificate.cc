#include "common/tls/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>
#include <utility>

namespace kvs {
namespace {

BioPtr ReadFrom(absl::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm calendar{};
  // Certificates whose times cannot be read count as never valid: both ends are in the past.
  if (ASN1_TIME_to_tm(time, &calendar) != 1) return absl::InfinitePast();
  return absl::FromTM(calendar, absl::UTCTimeZone());
}

// Stands in for the prompt on the terminal.
int RefusePassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

std::string OpenSslError() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(runtime/int): OpenSSL's type
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(absl::string_view pem) {
  const BioPtr bio = ReadFrom(pem);
  std::vector<X509Ptr> certificates;
  while (X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(certificate));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string error = OpenSslError();
  if (certificates.empty() && at_end) return absl::InvalidArgumentError("holds no certificate in PEM form");
  if (!at_end) return absl::InvalidArgumentError("holds a damaged certificate: " + error);
  return certificates;
}

absl::StatusOr<KeyPtr> ParsePrivateKey(absl::string_view pem) {
  bool passphrase_needed = false;
  const BioPtr bio = ReadFrom(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, RefusePassphrase, &passphrase_needed));
  OpenSslError();
  if (passphrase_needed) return absl::InvalidArgumentError("is protected by a passphrase, which is not supported");
  if (key == nullptr) return absl::InvalidArgumentError("holds no private key in PEM form");
  return key;
}

absl::Time NotBefore(const X509& certificate) { return ToTime(X509_get0_notBefore(&certificate)); }

absl::Time NotAfter(const X509& certificate) { return ToTime(X509_get0_notAfter(&certificate)); }

std::string SerialNumber(const X509& certificate) {
  const std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  char* hex = number == nullptr ? nullptr : BN_bn2hex(number.get());
  const std::string result = hex == nullptr ? "" : hex;
  OPENSSL_free(hex);
  return result;
}

std::vector<std::string> UriNames(const X509& certificate) {
  std::vector<std::string> uris;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<size_t>(ASN1_STRING_length(uri)));
  }
  GENERAL_NAMES_free(names);
  return uris;
}

bool IsForHost(const X509& certificate, const std::string& host) {
  auto* mutable_certificate = const_cast<X509*>(&certificate);  // OpenSSL caches its extensions in it.
  const bool matches =
      X509_check_ip_asc(mutable_certificate, host.c_str(), 0) == 1 ||
      X509_check_host(mutable_certificate, host.data(), host.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
  ERR_clear_error();
  return matches;
}

}  // namespace kvs
