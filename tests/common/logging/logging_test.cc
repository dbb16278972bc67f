#include "common/logging/logging.h"

#include <thread>

#include "tests/support/catch.h"
#include "tests/support/log_capture.h"

namespace kvs {
namespace {

// Puts the log back as it is before InitLogging.
struct RestoreLogging {
  ~RestoreLogging() { InitLogging({}); }
};

TEST_CASE("lines below the level are dropped") {
  const RestoreLogging restore;
  LogCapture log;
  InitLogging({.level = LogLevel::kWarn});
  LogDebug("one");
  LogInfo("two");
  LogWarn("three");
  LogError("four");
  const auto lines = log.Lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("WARN  three") != std::string::npos);
  CHECK(lines[1].find("ERROR four") != std::string::npos);
  CHECK_FALSE(LogEnabled(LogLevel::kInfo));
  CHECK(LogEnabled(LogLevel::kError));
}

TEST_CASE("the format is that of the options") {
  const RestoreLogging restore;
  LogCapture log;
  LogInfo("as text", {{"revision", 12}});
  InitLogging({.format = LogFormat::kJson});
  LogInfo("as JSON {}", {{"revision", 12}});
  const auto lines = log.Lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("INFO  as text  revision=12") != std::string::npos);
  CHECK(lines[1].front() == '{');
  CHECK(lines[1].find("\"message\":\"as JSON {}\",\"revision\":12}") != std::string::npos);
}

TEST_CASE("threads do not mix their lines") {
  LogCapture log;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) LogInfo("message", {{"number", 1}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(log.Lines().size() == 400);
  CHECK(log.Count("INFO  message  number=1") == 400);
}

}  // namespace
}  // namespace kvs
