// The kvs command, as a function.
#pragma once

#include <string>
#include <vector>

#include "clients/cli/environment.h"

namespace kvs::cli {

// Runs one command line, without the name of the program, and returns the exit status (exit_status.h).
int Run(const std::vector<std::string>& words, const Environment& environment);

}  // namespace kvs::cli
