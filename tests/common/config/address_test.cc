#include "common/config/address.h"

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("addresses are read and written") {
  CHECK(ParseAddress("127.0.0.1:5050").value() == Address{"127.0.0.1", 5050});
  CHECK(ParseAddress("kvs-0.kvs:0").value() == Address{"kvs-0.kvs", 0});
  CHECK(ParseAddress("[::1]:65535").value() == Address{"::1", 65535});
  for (const char* text : {"127.0.0.1:5050", "localhost:1", "[::]:5050", "[fe80::1]:0"}) {
    CHECK(ParseAddress(text).value().ToString() == text);
  }
}

TEST_CASE("what is no address is refused") {
  for (const char* text :
       {"", "localhost", ":5050", "localhost:", "localhost:65536", "localhost:-1", "localhost:+1", "localhost: 1",
        "::1:5050", "[::1]", "[::1]5050", "[nonsense]:1", "[]:1", "a b:1", "http://localhost:1", "a:1:2"}) {
    INFO(text);
    CHECK_FALSE(ParseAddress(text).ok());
  }
}

TEST_CASE("loopback") {
  for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1"}) {
    INFO(host);
    CHECK(IsLoopback({host, 1}));
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "kvs"}) {
    INFO(host);
    CHECK_FALSE(IsLoopback({host, 1}));
  }
}

}  // namespace
}  // namespace kvs
