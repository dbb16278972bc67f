// The kvs command: hands the process to Run.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <iostream>

#include "clients/cli/input.h"
#include "clients/cli/run.h"

namespace {

// A stream that the caller has closed stays unusable: what is opened later, such as a connection, must not take its
// place.
void OccupyClosedStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) == -1) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  OccupyClosedStreams();
  // Errors are reported once, by us.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::error_code error;
  kvs::cli::StandardInput input;
  const kvs::cli::Environment environment{
      .in = input,
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
