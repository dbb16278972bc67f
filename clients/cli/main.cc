// The kvs command: hands the process to Run.
#include <stdlib.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <iostream>

#include "clients/cli/run.h"

int main(int argc, char** argv) {
  // Errors are reported once, by us.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::error_code error;
  const kvs::cli::Environment environment{
      .in = std::cin,
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
