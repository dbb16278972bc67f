#include "kvs_server/config.h"

#include <string>

#include "tests/support/catch.h"

namespace kvs::server {
namespace {

// What most installations have: files for TLS.
Config WithTls() {
  Config config;
  config.tls.ca = "ca.crt";
  config.tls.certificate = "kvs.crt";
  config.tls.key = "kvs.key";
  return config;
}

Config WithoutTls() {
  Config config;
  config.insecure = config.insecure_ledger = true;
  return config;
}

void CheckRefused(const Config& config, const std::string& flag) {
  const absl::Status status = CheckConfig(config);
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()), ContainsText(flag));
}

TEST_CASE("settings with TLS, and without it on loopback, are accepted") {
  CHECK(CheckConfig(WithTls()).ok());
  CHECK(CheckConfig(WithoutTls()).ok());
}

TEST_CASE("TLS is asked for where it is not turned off on both sides") {
  Config config;
  CheckRefused(config, "--tls-ca");
  config.insecure = true;
  CheckRefused(config, "--tls-ca");
  CheckRefused(config, "They are for the ledger: --ledger=none does without one");
  config.insecure = false;
  config.insecure_ledger = true;
  CheckRefused(config, "--tls-ca");
}

TEST_CASE("without a ledger there is no link to secure, and nothing to take over") {
  Config config;
  config.has_ledger = false;
  CheckRefused(config, "--tls-ca");
  config.insecure = true;
  CHECK(CheckConfig(config).ok());
  config.insecure_ledger = true;
  config.ledger.host = "ledger.example.com";
  CHECK(CheckConfig(config).ok());
  config.take_over = 1;
  CheckRefused(config, "--take-over cannot go with --ledger=none");
  config.take_over = 0;
  for (const std::string address : {"127.0.0.1:5051", "ledger:1"}) {
    Config given;
    given.insecure = true;
    REQUIRE(MakeConfigParser(&given).Parse({"--ledger=none", "--ledger-address", address}, {}).proceed);
    CheckRefused(given, "--ledger-address cannot go with --ledger=none");
    given.has_ledger = true;
    given.insecure_ledger = true;
    given.insecure_any_address = true;
    CHECK(CheckConfig(given).ok());
  }
}

TEST_CASE("to evict keys there must be a limit") {
  Config config = WithTls();
  config.memory_policy = MemoryPolicy::kLru;
  CheckRefused(config, "--memory-policy=lru needs --max-memory or --max-keys");
  config.max_keys = 1;
  CHECK(CheckConfig(config).ok());
  config.max_keys = 0;
  config.max_memory_bytes = 1;
  CHECK(CheckConfig(config).ok());
}

TEST_CASE("each of the TLS files is needed") {
  for (std::string TlsFiles::* file : {&TlsFiles::ca, &TlsFiles::certificate, &TlsFiles::key}) {
    Config config = WithTls();
    (config.tls.*file).clear();
    CheckRefused(config, "--tls-key");
  }
}

TEST_CASE("plaintext leaves loopback only where it is allowed to") {
  Config clients = WithoutTls();
  clients.listen.host = "0.0.0.0";
  CheckRefused(clients, "--insecure-any-address");
  Config ledger = WithoutTls();
  ledger.ledger.host = "ledger.example.com";
  CheckRefused(ledger, "--insecure-any-address");
  clients.insecure_any_address = ledger.insecure_any_address = true;
  CHECK(CheckConfig(clients).ok());
  CHECK(CheckConfig(ledger).ok());
}

TEST_CASE("client certificates cannot be required in plaintext") {
  Config config = WithoutTls();
  config.require_client_certificate = true;
  CheckRefused(config, "--tls-client-auth");
}

TEST_CASE("a trust domain is a name") {
  Config config = WithTls();
  config.trust_domain = "Not/A Domain";
  CheckRefused(config, "--trust-domain");
}

}  // namespace
}  // namespace kvs::server
