#include "kvs_server/journal/replay_progress.h"

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <cstdio>

#include "common/logging/logging.h"

namespace kvs::server {
namespace {

constexpr absl::Duration kLogInterval = absl::Seconds(2);
constexpr size_t kBarWidth = 40;
constexpr char kClearLine[] = "\r\x1b[K";

}  // namespace

std::string ProgressBar(uint64_t revision, uint64_t last_revision) {
  const double share = last_revision == 0 ? 1 : static_cast<double>(revision) / static_cast<double>(last_revision);
  const size_t filled = static_cast<size_t>(share * kBarWidth);
  return absl::StrCat("replaying [", std::string(filled, '#'), std::string(kBarWidth - filled, '.'), "] ",
                      static_cast<int>(share * 100), " %, ", revision, " of ", last_revision, " revisions");
}

ReplayProgress::ReplayProgress() : terminal_(isatty(STDERR_FILENO) == 1) {}

void ReplayProgress::Begin(absl::Time now) { last_told_ = now; }

void ReplayProgress::Update(uint64_t revision, uint64_t last_revision, absl::Time now) {
  if (terminal_) {
    drawn_ = true;
    std::fprintf(stderr, "%s%s", kClearLine, ProgressBar(revision, last_revision).c_str());
  } else if (now - last_told_ >= kLogInterval) {
    last_told_ = now;
    LogInfo("replaying", {{"revision", revision}, {"last_revision", last_revision}});
  }
}

void ReplayProgress::End() {
  if (drawn_) std::fputs(kClearLine, stderr);
  drawn_ = false;
}

}  // namespace kvs::server
