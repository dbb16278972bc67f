// Certificates and keys: whatever their files hold, they are accepted or refused with a reason that names a file.
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <string>
#include <vector>

#include "common/tls/certificate.h"
#include "common/tls/identity.h"
#include "common/tls/issue.h"
#include "common/tls/key_set.h"
#include "tests/fuzz/fuzz.h"

namespace kvs::fuzz::certificates {

// When the seeds are valid.
constexpr int64_t kNowSeconds = 1'800'000'000;

std::string Pem(absl::string_view label, absl::string_view der) {
  const std::string base64 = absl::Base64Escape(der);
  std::string text = absl::StrCat("-----BEGIN ", label, "-----\n");
  for (size_t i = 0; i < base64.size(); i += 64) absl::StrAppend(&text, base64.substr(i, 64), "\n");
  return absl::StrCat(text, "-----END ", label, "-----\n");
}

void CheckCertificates(const std::string& pem) {
  const auto certificates = ParseCertificates(pem);
  if (!certificates.ok()) return Require(!certificates.status().message().empty(), "refused without a word");
  Require(!certificates->empty(), "no certificate was accepted as one");
  for (const X509Ptr& certificate : *certificates) {
    SerialNumber(*certificate);
    NotBefore(*certificate);
    NotAfter(*certificate);
    IsForHost(*certificate, "localhost");
    const std::vector<std::string> uris = UriNames(*certificate);
    const auto identity = IdentityFromUris(uris, kDefaultTrustDomain);
    if (!identity.ok()) continue;
    Require(uris.size() == 1 && identity->uri == uris[0], "an identity is not that of the certificate");
    Require(identity->uri == absl::StrCat("spiffe://kvs/", identity->role, "/", identity->name),
            "an identity is not what its URI says");
  }
}

void Run(absl::string_view input) {
  Pieces pieces(input);
  const bool as_der = pieces.Byte() % 2 == 1;
  TlsFiles contents;
  if (as_der) {
    contents.ca = Pem("CERTIFICATE", pieces.Block());
    contents.certificate = Pem("CERTIFICATE", pieces.Block());
    contents.key = Pem("PRIVATE KEY", pieces.Block());
  } else {
    const std::vector<std::string> sections = Sections(pieces.rest(), 3);
    contents = {sections[0], sections[1], sections[2]};
  }
  CheckCertificates(contents.certificate);
  static_cast<void>(ParsePrivateKey(contents.key));
  const TlsFiles names{"ca.crt", "own.crt", "own.key"};
  const CertificateUse use{.by_server = true, .by_client = true, .role = "writer", .trust_domain = "kvs"};
  const auto keys = CheckKeySet(names, contents, absl::FromUnixSeconds(kNowSeconds), use);
  if (keys.ok()) return Require(!keys->serial_number.empty(), "a certificate without a number was accepted");
  Require(absl::StrContains(keys.status().message(), ".crt") || absl::StrContains(keys.status().message(), ".key"),
          absl::StrCat("the error names no file: ", keys.status().message()));
}

std::string Der(const std::string& pem) {
  const size_t begin = pem.find('\n') + 1;
  std::string der;
  Require(absl::Base64Unescape(pem.substr(begin, pem.find("-----END") - begin), &der), "a seed is no PEM");
  return der;
}

std::vector<Seed> MakeSeeds() {
  CertificateRequest request;
  request.common_name = "CA";
  request.is_ca = true;
  request.not_before = absl::FromUnixSeconds(kNowSeconds - 1'000'000);
  request.not_after = absl::FromUnixSeconds(kNowSeconds + 100'000'000);
  const auto ca = IssueCertificate(request, nullptr);
  RequireOk(ca.status(), "no CA");
  request.common_name = "kvs";
  request.is_ca = false;
  request.for_servers = request.for_clients = true;
  request.alternative_names = "DNS:localhost,IP:127.0.0.1,URI:spiffe://kvs/writer/kvs";
  const auto own = IssueCertificate(request, &*ca);
  RequireOk(own.status(), "no certificate");
  const std::string ca_pem = ToPem(*ca->certificate);
  const std::string own_pem = ToPem(*own->certificate);
  const std::string key_pem = ToPem(*own->key);
  return {{"pem", std::string(1, '\0') + ca_pem + "====\n" + own_pem + ca_pem + "====\n" + key_pem},
          {"der", '\1' + Block(Der(ca_pem)) + Block(Der(own_pem)) + Block(Der(key_pem))},
          {"swapped", std::string(1, '\0') + own_pem + "====\n" + ca_pem + "====\n" + key_pem},
          {"passphrase", std::string(1, '\0') + ca_pem + "====\n" + own_pem +
                             "====\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
                             "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n"
                             "-----END RSA PRIVATE KEY-----\n"}};
}

const Registration registration("certificates", Run, MakeSeeds);

}  // namespace kvs::fuzz::certificates
