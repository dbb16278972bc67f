#include "common/tls/certificate.h"

#include "tests/support/tls_fixture.h"

namespace kvs {
namespace {

X509Ptr Certificate(const std::string& alternative_names) {
  auto issued = IssueCertificate({.common_name = "common.name",
                                  .alternative_names = alternative_names,
                                  .not_before = absl::FromUnixSeconds(1769853600),
                                  .not_after = absl::FromUnixSeconds(4102444800)},
                                 nullptr);
  REQUIRE(issued.ok());
  return std::move(issued->certificate);
}

TEST_CASE("times are read to the second") {
  const X509Ptr certificate = Certificate("");
  CHECK(NotBefore(*certificate) == absl::FromUnixSeconds(1769853600));
  CHECK(NotAfter(*certificate) == absl::FromUnixSeconds(4102444800));  // Past 2049, in the longer form.
}

TEST_CASE("only URIs count as URIs") {
  CHECK(UriNames(*Certificate("")).empty());
  CHECK(UriNames(*Certificate("DNS:spiffe.example,IP:127.0.0.1,email:a@b")).empty());
  CHECK(UriNames(*Certificate("URI:spiffe://kvs/client/a,DNS:x,URI:https://b")) ==
        std::vector<std::string>{"spiffe://kvs/client/a", "https://b"});
}

TEST_CASE("a certificate is for its DNS names and IP addresses") {
  const X509Ptr certificate = Certificate("DNS:localhost,DNS:*.example.com,IP:127.0.0.1,IP:::1");
  for (const char* host : {"localhost", "LOCALHOST", "a.example.com", "127.0.0.1", "::1", "0:0:0:0:0:0:0:1"}) {
    INFO(host);
    CHECK(IsForHost(*certificate, host));
  }
  for (const char* host :
       {"", "localhost.example.org", "example.com", "a.b.example.com", "127.0.0.2", "::2", "common.name"}) {
    INFO(host);
    CHECK_FALSE(IsForHost(*certificate, host));
  }
}

TEST_CASE("the common name never counts") {
  CHECK_FALSE(IsForHost(*Certificate(""), "common.name"));
  CHECK_FALSE(IsForHost(*Certificate("URI:spiffe://kvs/client/a"), "common.name"));
}

}  // namespace
}  // namespace kvs
