#include "common/process/shutdown.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <thread>

#include "common/logging/logging.h"

namespace kvs {
namespace {

constexpr absl::Duration kSameSignal = absl::Milliseconds(200);

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

Shutdown::Shutdown() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A peer that went away is an error of the write, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
  std::thread([this] { Listen(); }).detach();
}

void Shutdown::Listen() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  sigwait(&signals, &signal);
  LogInfo("stopping; a second signal ends the process at once",
          {{"signal", absl::StrCat("SIG", sigabbrev_np(signal))}});
  Request(kExitClean);
  // A wrapper that passes a signal on to its process group and to its child sends it twice.
  const absl::Time first = absl::Now();
  do {
    sigwait(&signals, &signal);
  } while (absl::Now() - first < kSameSignal);
  LogWarn("a second signal: ending at once");
  _exit(kExitForced);
}

void Shutdown::ForceAfter(absl::Duration time) {
  std::thread([time] {
    absl::SleepFor(time);
    LogError(
        "the drain does not end, as something does not answer; ending without it. Nothing is lost that was "
        "acknowledged");
    _exit(kExitForced);
  }).detach();
}

void Shutdown::Request(ExitCode code) {
  MutexLock lock(&mutex_);
  if (stop_) return;
  stop_ = true;
  code_ = code;
  requested_.SignalAll();
}

ExitCode Shutdown::Wait() {
  MutexLock lock(&mutex_);
  while (!stop_) requested_.Wait(&mutex_);
  return code_;
}

}  // namespace kvs
