#include "common/tls/identity.h"

#include "common/errors.h"
#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("an identity is read from its URI") {
  const auto identity = ParseIdentity("spiffe://kvs/client/Alice.B-1_c", "kvs");
  REQUIRE(identity.ok());
  CHECK(*identity == Identity{"kvs", "client", "Alice.B-1_c", "spiffe://kvs/client/Alice.B-1_c"});
  CHECK(ParseIdentity("spiffe://prod.example-1.com/writer/kvs", "prod.example-1.com").ok());
  CHECK(ParseIdentity("spiffe://kvs/r/" + std::string(255, 'n'), "kvs").ok());
}

TEST_CASE("what is no identity is not permitted") {
  for (const std::string uri : {"",
                                "kvs/client/a",
                                "spiffe://",
                                "spiffe:///client/a",
                                "spiffe://kvs",
                                "spiffe://kvs/",
                                "spiffe://kvs/client",
                                "spiffe://kvs/client/",
                                "spiffe://kvs//a",
                                "spiffe://kvs/client/a/",
                                "spiffe://kvs/client/a/b",
                                "SPIFFE://kvs/client/a",
                                "https://kvs/client/a",
                                " spiffe://kvs/client/a",
                                "spiffe://kvs/client/a b",
                                "spiffe://kvs/client/a?b",
                                "spiffe://kvs/client/a#b",
                                "spiffe://kvs/client/%61",
                                "spiffe://kvs/client/gr\xC3\xBCn",
                                "spiffe://kvs/client/..",
                                "spiffe://kvs/./a",
                                "spiffe://KVS/client/a",
                                "spiffe://kvs:1/client/a",
                                "spiffe://u@kvs/client/a",
                                "spiffe://kvs/client/a\n"}) {
    INFO(uri);
    CHECK(Is(ParseIdentity(uri, "kvs").status(), errors::kNotPermitted));
  }
  CHECK_FALSE(ParseIdentity("spiffe://kvs/client/" + std::string(256, 'n'), "kvs").ok());
  CHECK_FALSE(ParseIdentity(std::string("spiffe://kvs/client/a\0b", 23), "kvs").ok());
}

TEST_CASE("another trust domain is not permitted") {
  const auto identity = ParseIdentity("spiffe://other/client/a", "kvs");
  CHECK(Is(identity.status(), errors::kNotPermitted));
  CHECK(identity.status().message() == "the certificate is of the trust domain other, not kvs");
}

TEST_CASE("a certificate has exactly one identity") {
  CHECK(IdentityFromUris({"spiffe://kvs/client/a"}, "kvs").ok());
  CHECK(Is(IdentityFromUris({}, "kvs").status(), errors::kNotPermitted));
  CHECK(
      Is(IdentityFromUris({"spiffe://kvs/client/a", "spiffe://kvs/client/b"}, "kvs").status(), errors::kNotPermitted));
  CHECK(Is(IdentityFromUris({"spiffe://kvs/client/a", "https://a"}, "kvs").status(), errors::kNotPermitted));
}

TEST_CASE("trust domains") {
  CHECK(IsTrustDomain("kvs"));
  CHECK(IsTrustDomain("prod.example-1.com"));
  for (const char* text : {"", "KVS", "k/s", "k s", "k:1"}) CHECK_FALSE(IsTrustDomain(text));
}

}  // namespace
}  // namespace kvs
