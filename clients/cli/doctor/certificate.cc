#include "clients/cli/doctor/certificate.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>

#include <utility>

#include "common/files.h"
#include "common/limits.h"
#include "common/tls/certificate.h"

namespace kvs::cli {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;

void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }
using StackPtr = std::unique_ptr<STACK_OF(X509), OpenSslDeleter<FreeStack>>;

constexpr size_t kMaxFileBytes = kMiB;

template <typename T>
absl::StatusOr<T> Parsed(const std::string& path, absl::StatusOr<T> (*parse)(absl::string_view)) {
  const auto pem = ReadSmallFile(path, kMaxFileBytes);
  if (!pem.ok()) return pem.status();
  auto parsed = parse(*pem);
  if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat(path, " ", parsed.status().message()));
  return parsed;
}

std::string NameText(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

std::string AddressText(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text));
  return text;
}

std::string GeneralNameText(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
      return TextOf(name->d.dNSName);
    case GEN_URI:
      return TextOf(name->d.uniformResourceIdentifier);
    case GEN_IPADD:
      return AddressText(name->d.iPAddress);
    default:
      return {};
  }
}

// Why a chain was refused, for people who did not write RFC 5280.
std::string Explain(int error, const X509& culprit) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return absl::StrCat("the certificate of ", NameText(X509_get_subject_name(&culprit)), " expired on ",
                          FormatDay(NotAfter(culprit)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::StrCat("the certificate of ", NameText(X509_get_subject_name(&culprit)), " is not valid before ",
                          FormatDay(NotBefore(culprit)));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return absl::StrCat("it is signed by ", IssuerOf(culprit), ", which is not the authority in use");
    default:
      return X509_verify_cert_error_string(error);
  }
}

}  // namespace

absl::StatusOr<std::vector<X509Ptr>> ReadCertificates(const std::string& path) {
  return Parsed(path, ParseCertificates);
}

absl::StatusOr<KeyPtr> ReadPrivateKey(const std::string& path) { return Parsed(path, ParsePrivateKey); }

absl::StatusOr<X509StorePtr> ReadAuthorities(const std::string& path) {
  X509StorePtr store(X509_STORE_new());
  if (path.empty()) {
    X509_STORE_set_default_paths(store.get());
    return store;
  }
  const auto certificates = ReadCertificates(path);
  if (!certificates.ok()) return certificates.status();
  for (const X509Ptr& certificate : *certificates) X509_STORE_add_cert(store.get(), certificate.get());
  return store;
}

std::string IssuerOf(const X509& certificate) { return NameText(X509_get_issuer_name(&certificate)); }

std::vector<std::string> NamesOf(const X509& certificate) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> texts;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    std::string text = GeneralNameText(sk_GENERAL_NAME_value(names.get(), i));
    if (!text.empty()) texts.push_back(std::move(text));
  }
  return texts;
}

absl::Status CheckValidity(const X509& certificate, absl::Time now) {
  if (now > NotAfter(certificate)) {
    return absl::FailedPreconditionError(Explain(X509_V_ERR_CERT_HAS_EXPIRED, certificate));
  }
  if (now < NotBefore(certificate)) {
    return absl::FailedPreconditionError(Explain(X509_V_ERR_CERT_NOT_YET_VALID, certificate));
  }
  return absl::OkStatus();
}

absl::Status VerifyServerChain(X509_STORE& authorities, const std::vector<X509Ptr>& chain) {
  const StackPtr intermediates(sk_X509_new_null());
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(intermediates.get(), chain[i].get());
  const X509StoreContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), &authorities, chain.front().get(), intermediates.get());
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  const X509* const culprit = X509_STORE_CTX_get_current_cert(context.get());
  const X509* const shown = culprit == nullptr ? chain.front().get() : culprit;
  return absl::FailedPreconditionError(Explain(X509_STORE_CTX_get_error(context.get()), *shown));
}

std::string FormatDay(absl::Time time) { return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()); }

}  // namespace kvs::cli
