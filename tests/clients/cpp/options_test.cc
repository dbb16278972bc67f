#include "clients/cpp/options.h"

#include "common/errors.h"
#include "tests/support/catch.h"

namespace kvs::client {
namespace {

TEST_CASE("an address without a port has the default one") {
  for (const std::string host : {"localhost", "kvs.example.com", "127.0.0.1", "[::1]"}) {
    const auto address = ServerAddress(host);
    INFO(host);
    REQUIRE(address.ok());
    CHECK(address->ToString() == host + ":5050");
    CHECK(ServerAddress(host + ":7")->ToString() == host + ":7");
  }
}

TEST_CASE("what is no address is refused with a reason") {
  const std::pair<std::string, std::string> refused[] = {
      {"", "names no host"}, {":5050", "names no host"},       {"host:", "the port must be"},
      {"a b", "HOST:PORT"},  {"host:0", "there is no port 0"}, {"host:65536", "from 0 to 65535"},
  };
  for (const auto& [text, reason] : refused) {
    const auto address = ServerAddress(text);
    INFO(text << ": " << address.status());
    REQUIRE(Is(address.status(), errors::kInvalidAddress));
    CHECK_THAT(std::string(address.status().message()), ContainsText(reason));
  }
}

}  // namespace
}  // namespace kvs::client
