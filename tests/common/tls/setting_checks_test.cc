#include "common/tls/setting_checks.h"

#include <string>

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("TLS needs all of its files") {
  CHECK(CheckTlsFilesAreSet({"ca", "certificate", "key"}) == absl::OkStatus());
  for (const TlsFiles& files :
       {TlsFiles{"", "certificate", "key"}, TlsFiles{"ca", "", "key"}, TlsFiles{"ca", "certificate", ""}, TlsFiles{}}) {
    CHECK_THAT(std::string(CheckTlsFilesAreSet(files).message()), ContainsText("--tls-key must be set"));
  }
}

TEST_CASE("a trust domain that cannot be one is refused") {
  CHECK(CheckTrustDomain("kvs.example") == absl::OkStatus());
  CHECK(absl::IsInvalidArgument(CheckTrustDomain("Kvs")));
  CHECK(absl::IsInvalidArgument(CheckTrustDomain("")));
}

TEST_CASE("plaintext beyond loopback is refused, with the flag that allows it") {
  CHECK(CheckPlaintextStaysHere("--insecure would serve plaintext on", {"127.0.0.1", 5050}) == absl::OkStatus());
  const absl::Status status = CheckPlaintextStaysHere("--insecure would serve plaintext on", {"0.0.0.0", 5050});
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()),
             ContainsText("--insecure would serve plaintext on 0.0.0.0:5050; if the network is safe, add "
                          "--insecure-any-address"));
}

}  // namespace
}  // namespace kvs
