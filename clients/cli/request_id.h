// --request-id: what a change is called, so that it takes effect once however often the command is run.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

#include "clients/cli/command.h"

namespace kvs::cli {

// The flag, which every command that changes data has.
const Flag& RequestIdFlag();

// What the flags of a command line ask for, empty if it is not among them; a usage error for what is no request_id.
absl::StatusOr<std::string> RequestIdOf(const std::map<std::string, std::vector<std::string>>& flags);

}  // namespace kvs::cli
