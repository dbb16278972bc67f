#include "common/logging/grpc_log.h"

#include <absl/time/clock.h>
#include <grpc/support/log.h>

#include "tests/support/catch.h"
#include "tests/support/log_capture.h"

namespace kvs {
namespace {

TEST_CASE("an error of gRPC becomes a warning with its source") {
  RouteGrpcLog();
  gpr_log_verbosity_init();
  LogCapture log;
  gpr_log(GPR_ERROR, "handshake failed: %d", 7);
  const auto lines = log.Lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("WARN  handshake failed: 7  grpc_source=grpc_log_test.cc:") != std::string::npos);
}

TEST_CASE("however often gRPC complains, few of its errors are written") {
  RouteGrpcLog();
  LogCapture log;
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 1000; ++i) gpr_log(GPR_ERROR, "handshake failed");
  CHECK(log.Lines().size() <= 2 + static_cast<size_t>(absl::ToInt64Seconds(absl::Now() - begin)));
}

TEST_CASE("what gRPC says below an error is written at level debug only") {
  RouteGrpcLog();
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_DEBUG);
  LogCapture log;
  gpr_log(GPR_INFO, "created a channel");
  CHECK(log.Lines().empty());
  InitLogging({.level = LogLevel::kDebug});
  gpr_log(GPR_INFO, "created a channel");
  CHECK(log.Count("DEBUG created a channel") == 1);
  InitLogging({});
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

}  // namespace
}  // namespace kvs
