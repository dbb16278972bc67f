// The help texts, made from the table of commands.
#pragma once

#include <absl/strings/string_view.h>

#include <string>

#include "clients/cli/command.h"

namespace kvs::cli {

// For `kvs --help`: every command with its summary, the settings, the exit status.
std::string OverviewHelp();

// For `kvs set --help`.
std::string GroupHelp(absl::string_view group);

// For `kvs put --help`.
std::string CommandHelp(const Command& command);

}  // namespace kvs::cli
