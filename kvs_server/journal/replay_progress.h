// ReplayProgress: tells people how far a replay is: a bar on a terminal, a line in the log every two seconds elsewhere.
#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <string>

namespace kvs::server {

// The bar, without a line break: "replaying [#####.....] 50 %, 500 of 1000 revisions".
std::string ProgressBar(uint64_t revision, uint64_t last_revision);

// Thread-safety: used by one thread.
class ReplayProgress {
 public:
  // Looks at whether standard error is a terminal.
  ReplayProgress();

  void Begin(absl::Time now);
  // Call it often.
  void Update(uint64_t revision, uint64_t last_revision, absl::Time now);
  // Removes the bar.
  void End();

 private:
  const bool terminal_;
  bool drawn_ = false;
  absl::Time last_told_;
};

}  // namespace kvs::server
