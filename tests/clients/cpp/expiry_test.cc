#include <absl/time/time.h>

#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "common/errors.h"
#include "tests/clients/support/pair_client.h"
#include "tests/support/catch.h"

namespace kvs::client {
namespace {

TEST_CASE("a client makes keys expire, and live for ever again") {
  Pair pair;
  pair.Start();
  const Client c = ClientOf(pair);
  REQUIRE(c.ints().Put("k", 1, {.ttl = absl::Hours(24)}).ok());
  const auto expiry = c.keys().GetExpiry("k");
  REQUIRE(expiry.ok());
  CHECK(expiry->keys(0).ttl().seconds() == 24 * 60 * 60 - 1);
  CHECK(c.keys().Expire("k", absl::Hours(48))->changed());
  CHECK(c.keys().GetExpiry("k")->keys(0).ttl().seconds() == 48 * 60 * 60 - 1);
  CHECK(c.keys().Persist("k", {v1::VALUE_TYPE_INT})->changed());
  CHECK_FALSE(c.keys().GetExpiry("k")->keys(0).has_ttl());
  CHECK(c.keys().Expire("k", absl::Microseconds(1))->changed());
  CHECK(Is(c.ints().Get("k").status(), errors::kKeyNotFound));
}

TEST_CASE("a ttl that cannot be is refused, and so is one where there is none to be given") {
  Pair pair;
  pair.Start();
  const Client c = ClientOf(pair);
  for (const absl::Duration ttl : {absl::ZeroDuration(), -absl::Seconds(1), absl::Nanoseconds(999),
                                   absl::InfiniteDuration(), -absl::InfiniteDuration(), absl::Hours(24 * 36501)}) {
    INFO(ttl);
    CHECK(Is(c.ints().Put("k", 1, {.ttl = ttl}).status(), errors::kInvalidTtl));
  }
  CHECK(Is(c.ints().Delete("k", {.ttl = absl::Hours(1)}).status(), errors::kInvalidTtl));
  CHECK(Is(c.keys().Persist("k", {}, {.ttl = absl::Hours(1)}).status(), errors::kInvalidTtl));
  CHECK(c.keys().Count()->count() == 0);
}

}  // namespace
}  // namespace kvs::client
