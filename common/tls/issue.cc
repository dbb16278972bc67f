#include "common/tls/issue.h"

#include <absl/strings/str_cat.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

namespace kvs {
namespace {

constexpr int kSerialBits = 127;  // Positive in 16 bytes.

absl::Status Failed(absl::string_view action) {
  return absl::InternalError(absl::StrCat("OpenSSL cannot ", action, ": ", OpenSslError()));
}

bool SetSerialNumber(X509* certificate) {
  const std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>> number(BN_new());
  return BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetSubject(X509* certificate, const std::string& common_name) {
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool AddExtension(X509* certificate, X509V3_CTX* context, int nid, const std::string& value) {
  if (value.empty()) return true;
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

std::string Purposes(const CertificateRequest& request) {
  if (request.for_servers && request.for_clients) return "serverAuth,clientAuth";
  if (request.for_servers) return "serverAuth";
  return request.for_clients ? "clientAuth" : "";
}

bool AddExtensions(X509* certificate, X509* issuer, const CertificateRequest& request) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const auto add = [&](int nid, const std::string& value) { return AddExtension(certificate, &context, nid, value); };
  return add(NID_basic_constraints, request.is_ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
         add(NID_key_usage, request.is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
         add(NID_ext_key_usage, Purposes(request)) && add(NID_subject_key_identifier, "hash") &&
         add(NID_authority_key_identifier, request.is_ca ? "" : "keyid:always") &&
         add(NID_subject_alt_name, request.alternative_names);
}

template <typename Write>
std::string PemOf(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  write(bio.get());
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

absl::StatusOr<IssuedCertificate> IssueCertificate(const CertificateRequest& request, const IssuedCertificate* issuer) {
  IssuedCertificate issued{KeyPtr(EVP_EC_gen("P-256")), X509Ptr(X509_new())};
  if (issued.key == nullptr || issued.certificate == nullptr) return Failed("make a key");
  X509* certificate = issued.certificate.get();
  X509* signer = issuer == nullptr ? certificate : issuer->certificate.get();
  EVP_PKEY* signing_key = issuer == nullptr ? issued.key.get() : issuer->key.get();
  const bool filled = X509_set_version(certificate, X509_VERSION_3) == 1 && SetSerialNumber(certificate) &&
                      SetSubject(certificate, request.common_name) &&
                      X509_set_issuer_name(certificate, X509_get_subject_name(signer)) == 1 &&
                      ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(request.not_before)) != nullptr &&
                      ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(request.not_after)) != nullptr &&
                      X509_set_pubkey(certificate, issued.key.get()) == 1 &&
                      AddExtensions(certificate, signer, request);
  if (!filled) return Failed("fill in a certificate");
  if (X509_sign(certificate, signing_key, EVP_sha256()) == 0) return Failed("sign a certificate");
  return issued;
}

std::string ToPem(const X509& certificate) {
  return PemOf([&](BIO* bio) { PEM_write_bio_X509(bio, &certificate); });
}

std::string ToPem(const EVP_PKEY& key) {
  return PemOf([&](BIO* bio) { PEM_write_bio_PKCS8PrivateKey(bio, &key, nullptr, nullptr, 0, nullptr, nullptr); });
}

}  // namespace kvs
