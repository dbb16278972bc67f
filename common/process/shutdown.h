// Shutdown: how a server learns that it is to stop. SIGTERM, SIGINT and SIGHUP ask for a drain; a second one ends the
// process at once.
#pragma once

#include <absl/time/time.h>

#include "common/exit_codes.h"
#include "common/sync.h"

namespace kvs {

class Shutdown {
 public:
  // Takes the signals over. Created first in main(), before any other thread, so that all of them leave the signals to
  // this one; lives as long as the process.
  Shutdown();

  // Asks for a stop from within, from any thread; the first one decides the exit code.
  void Request(ExitCode code) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the exit code once a stop was asked for.
  ExitCode Wait() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the process when so much time has passed, unless it has ended by itself.
  static void ForceAfter(absl::Duration time);

 private:
  void Listen();

  Mutex mutex_;
  CondVar requested_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  ExitCode code_ ABSL_GUARDED_BY(mutex_) = kExitClean;
};

}  // namespace kvs
