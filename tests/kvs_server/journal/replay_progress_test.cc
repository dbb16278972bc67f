#include "kvs_server/journal/replay_progress.h"

#include <vector>

#include "common/logging/logging.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

TEST_CASE("the bar shows the share, the revision and the end") {
  CHECK(ProgressBar(0, 1000) == "replaying [" + std::string(40, '.') + "] 0 %, 0 of 1000 revisions");
  CHECK(ProgressBar(500, 1000) ==
        "replaying [" + std::string(20, '#') + std::string(20, '.') + "] 50 %, 500 of 1000 revisions");
  CHECK(ProgressBar(1000, 1000) == "replaying [" + std::string(40, '#') + "] 100 %, 1000 of 1000 revisions");
}

TEST_CASE("without a terminal a replay is a line in the log every two seconds") {
  std::vector<std::string> lines;
  RedirectLog([&](absl::string_view line) { lines.emplace_back(line); });
  ReplayProgress progress;
  const absl::Time start = absl::FromUnixSeconds(1000);
  progress.Begin(start);
  for (int tenth = 1; tenth <= 50; ++tenth) progress.Update(tenth, 50, start + tenth * absl::Milliseconds(100));
  progress.End();
  RedirectLog(nullptr);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("revision=20") != std::string::npos);
  CHECK(lines[1].find("revision=40") != std::string::npos);
}

}  // namespace
}  // namespace kvs::server
