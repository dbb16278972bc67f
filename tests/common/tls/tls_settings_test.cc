#include "common/tls/tls_settings.h"

#include "tests/support/catch.h"

namespace kvs {
namespace {

const TlsFiles kFiles{"ca.crt", "a.crt", "a.key"};
const Address kLoopback{"127.0.0.1", 1};
const Address kAny{"0.0.0.0", 1};

std::string Refusal(const TlsSettings& settings, const Address& listen) {
  return std::string(CheckTlsSettings(settings, listen).message());
}

TEST_CASE("TLS needs all three files") {
  CHECK(CheckTlsSettings({.files = kFiles}, kAny).ok());
  CHECK(Refusal({}, kLoopback).find("TLS needs --tls-ca, --tls-certificate and --tls-key") == 0);
  for (const auto member : {&TlsFiles::ca, &TlsFiles::certificate, &TlsFiles::key}) {
    TlsSettings settings{.files = kFiles};
    (settings.files.*member).clear();
    CHECK(Refusal(settings, kLoopback).find("TLS needs --tls-ca, --tls-certificate and --tls-key") == 0);
    settings.insecure = true;
    CHECK(Refusal(settings, kLoopback).find("--insecure contradicts") == 0);
  }
}

TEST_CASE("plaintext stays on this machine unless told otherwise") {
  CHECK(CheckTlsSettings({.insecure = true}, kLoopback).ok());
  CHECK(Refusal({.insecure = true}, kAny).find("--insecure on 0.0.0.0:1 would serve plaintext to other machines") == 0);
  CHECK(CheckTlsSettings({.insecure = true, .insecure_any_address = true}, kAny).ok());
}

TEST_CASE("the settings are read") {
  TlsSettings settings;
  ClientAuth client_auth = ClientAuth::kRequire;
  ConfigParser parser("demo", "DEMO_", "Demo.");
  AddTlsSettings(parser, &settings);
  AddClientAuthSetting(parser, &client_auth);
  const auto result = parser.Parse({"--tls-ca=ca.crt", "--tls-certificate=a.crt", "--tls-key=a.key",
                                    "--trust-domain=prod", "--tls-client-auth=optional"},
                                   {});
  INFO(result.text);
  REQUIRE(result.proceed);
  CHECK(settings.files == kFiles);
  CHECK(settings.trust_domain == "prod");
  CHECK(client_auth == ClientAuth::kOptional);
  CHECK(parser.Parse({"--trust-domain=Not One"}, {}).text.find("--trust-domain=Not One (flag): expected") !=
        std::string::npos);
}

}  // namespace
}  // namespace kvs
