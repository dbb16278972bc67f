#include "common/tls/key_set.h"

#include <openssl/pem.h>

#include "tests/support/catch.h"
#include "tests/support/tls_fixture.h"

namespace kvs {
namespace {

std::string Refusal(const TlsFiles& files, absl::Time now = absl::Now()) {
  const auto keys = LoadKeySet(files, now);
  CHECK_FALSE(keys.ok());
  return std::string(keys.status().message());
}

void Write(const std::string& path, absl::string_view contents) {
  REQUIRE(WriteFileAtomically(path, contents, 0600).ok());
}

std::string Read(const std::string& path) { return ReadSmallFile(path, 1 << 20).value(); }

TEST_CASE("files that belong together are loaded") {
  const TempDir dir;
  const TlsFiles files = TestCa().Issue(dir, "a", "URI:spiffe://kvs/client/a");
  const auto keys = LoadKeySet(files, absl::Now());
  INFO(keys.status());
  REQUIRE(keys.ok());
  CHECK(keys->key_pem == Read(files.key));
  CHECK(keys->certificate_pem == Read(files.certificate));
  CHECK(keys->ca_pem == Read(files.ca));
  CHECK(keys->serial_number.size() == 32);
  CHECK(keys->not_after > absl::Now() + absl::Hours(23));
  CHECK(keys->not_after < absl::Now() + absl::Hours(25));
}

TEST_CASE("a key of another certificate is refused") {
  const TempDir dir;
  const TestCa ca;
  TlsFiles files = ca.Issue(dir, "a", "");
  files.key = ca.Issue(dir, "b", "").key;
  CHECK(Refusal(files) == files.key + " does not belong to " + files.certificate);
}

TEST_CASE("a certificate outside its time is refused") {
  const TempDir dir;
  const TlsFiles files = TestCa().Issue(dir, "a", "");
  CHECK_THAT(Refusal(files, absl::Now() + absl::Hours(25)), ContainsText(files.certificate + " expired on 20"));
  CHECK_THAT(Refusal(files, absl::Now() - absl::Hours(2)), ContainsText(files.certificate + " is valid only from 20"));
}

TEST_CASE("a certificate of another CA is refused") {
  const TempDir dir, other;
  TlsFiles files = TestCa().Issue(dir, "a", "");
  files.ca = TestCa().Issue(other, "a", "").ca;
  CHECK_THAT(Refusal(files), ContainsText(files.certificate + " is not signed by " + files.ca));
}

TEST_CASE("a certificate that is not good for what it is used for is refused") {
  const TempDir dir;
  const TestCa ca;
  const absl::Time now = absl::Now();
  const CertificateUse writer{.by_server = true, .by_client = true, .role = "writer", .trust_domain = "kvs"};
  const auto refusal = [&](const TlsFiles& files) {
    return std::string(LoadKeySet(files, now, writer).status().message());
  };
  const auto issue = [&](bool for_servers, bool for_clients, const std::string& names) {
    return ca.Issue(dir, "a",
                    {.alternative_names = names,
                     .for_servers = for_servers,
                     .for_clients = for_clients,
                     .not_before = now - absl::Hours(1),
                     .not_after = now + absl::Hours(1)});
  };
  const TlsFiles files = issue(true, true, "URI:spiffe://kvs/writer/a");
  CHECK(LoadKeySet(files, now, writer).status() == absl::OkStatus());

  issue(false, true, "URI:spiffe://kvs/writer/a");
  CHECK_THAT(refusal(files), ContainsText(files.certificate + " is not a certificate for servers"));
  issue(true, false, "URI:spiffe://kvs/writer/a");
  CHECK_THAT(refusal(files), ContainsText(files.certificate + " is not a certificate for clients"));
  issue(true, true, "URI:spiffe://kvs/client/a");
  CHECK(refusal(files) == files.certificate + " is that of spiffe://kvs/client/a: its role must be \"writer\"");
  issue(true, true, "URI:spiffe://other/writer/a");
  CHECK_THAT(refusal(files), ContainsText(files.certificate + ": "));
  issue(true, true, "");
  CHECK_THAT(refusal(files), ContainsText(files.certificate + ": "));
}

TEST_CASE("one of several CAs is enough") {
  const TempDir dir, other;
  const TlsFiles files = TestCa().Issue(dir, "a", "");
  Write(files.ca, Read(TestCa().Issue(other, "a", "").ca) + Read(files.ca));
  CHECK(LoadKeySet(files, absl::Now()).ok());
}

TEST_CASE("a CA that has expired is refused") {
  const TempDir dir;
  const absl::Time long_ago = absl::Now() - absl::Hours(24 * 3651);
  const TestCa ca(long_ago);
  const TlsFiles files =
      ca.Issue(dir, "a", {.not_before = absl::Now() - absl::Hours(1), .not_after = absl::Now() + absl::Hours(1)});
  CHECK_THAT(Refusal(files), ContainsText(files.ca + ": certificate has expired"));
}

TEST_CASE("files that are missing or hold something else are refused by name") {
  const TempDir dir;
  const TlsFiles good = TestCa().Issue(dir, "a", "");
  for (const auto member : {&TlsFiles::ca, &TlsFiles::certificate, &TlsFiles::key}) {
    TlsFiles files = good;
    files.*member = dir / "absent";
    CHECK_THAT(Refusal(files), ContainsText(dir / "absent: cannot open: No such file or directory"));
    for (const char* text : {"", "hello\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
      Write(dir / "bad", text);
      files.*member = dir / "bad";
      CHECK_THAT(Refusal(files), ContainsText(dir / "bad holds "));
    }
  }
  TlsFiles swapped = good;
  std::swap(swapped.key, swapped.certificate);
  CHECK(Refusal(swapped) == good.key + " holds no certificate in PEM form");
}

TEST_CASE("a damaged certificate after a good one is refused") {
  const TempDir dir;
  const TlsFiles files = TestCa().Issue(dir, "a", "");
  Write(files.certificate, Read(files.certificate) + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  CHECK_THAT(Refusal(files), ContainsText(files.certificate + " holds a damaged certificate"));
}

TEST_CASE("a key with a passphrase is refused") {
  const TempDir dir;
  const TlsFiles files = TestCa().Issue(dir, "a", "");
  const auto key = ParsePrivateKey(Read(files.key));
  const BioPtr bio(BIO_new_file(files.key.c_str(), "w"));
  char passphrase[] = "secret";
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio.get(), key->get(), EVP_aes_128_cbc(), passphrase, 6, nullptr, nullptr) ==
          1);
  BIO_flush(bio.get());
  CHECK(Refusal(files) == files.key + " is protected by a passphrase, which is not supported");
}

}  // namespace
}  // namespace kvs
