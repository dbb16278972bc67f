#include "common/process/file_limit.h"

#include <sys/resource.h>

#include "tests/support/catch.h"

namespace kvs {
namespace {

TEST_CASE("the process takes as many files as it may have") {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit few{100, limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  CHECK(RaiseFileLimit() == limit.rlim_max);
  rlimit raised{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &raised) == 0);
  CHECK(raised.rlim_cur == limit.rlim_max);
}

}  // namespace
}  // namespace kvs
