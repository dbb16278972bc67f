// The kvs command: hands the process to Run.
#include <absl/synchronization/mutex.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <iostream>

#include "clients/cli/input.h"
#include "clients/cli/run.h"

namespace {

// Whether the caller gave us this stream. One that is closed may be something else by now, since libraries open files
// before main. Theirs are to be closed by an exec, which nothing is that came through one.
bool IsGiven(int fd) {
  const int flags = fcntl(fd, F_GETFD);
  return flags != -1 && (flags & FD_CLOEXEC) == 0;
}

// In the place of a standard input that is closed.
class NoInput final : public kvs::cli::Input {
 public:
  absl::StatusOr<size_t> Read(char*, size_t) override {
    return absl::FailedPreconditionError("cannot read the standard input: it is closed");
  }
  bool IsReady() override { return true; }
};

}  // namespace

int main(int argc, char** argv) {
  // The Abseil of the distributions looks for deadlocks at every lock. That takes time, and Debian 13's may find some
  // that are none and end the process, see tests/support/lock_order.cc.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (!IsGiven(STDOUT_FILENO)) std::cout.setstate(std::ios::badbit);
  if (!IsGiven(STDERR_FILENO)) std::cerr.setstate(std::ios::badbit);
  // Errors are reported once, by us.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::error_code error;
  kvs::cli::StandardInput standard_input;
  NoInput no_input;
  const kvs::cli::Environment environment{
      .in = IsGiven(STDIN_FILENO) ? static_cast<kvs::cli::Input&>(standard_input) : no_input,
      .out = std::cout,
      .err = std::cerr,
      .variable =
          [](absl::string_view name) {
            const char* const value = getenv(std::string(name).c_str());
            return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
          },
      .working_directory = std::filesystem::current_path(error),
      .interactive = isatty(STDERR_FILENO) != 0,
  };
  return kvs::cli::Run({argv + 1, argv + argc}, environment);
}
