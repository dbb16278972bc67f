// Reads a command line: which command, its arguments, its flags.
//
// Flags may stand anywhere. A word that begins with a dash and is no flag of the command is an argument wherever the
// command takes free text (Command::text_from), so that `kvs put int t -5` needs no care; a word that is nearly a flag
// is refused all the same. Everything after `--` is an argument. Values are never interpreted: `[a,b]` stays what it
// is, which is why this is not left to a general library.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <map>
#include <string>
#include <vector>

#include "clients/cli/command.h"

namespace kvs::cli {

struct CommandLine {
  const Command* command = nullptr;  // null where help or the version of kvs itself is asked for
  std::string group;                 // where help for a group is asked for
  bool help = false;
  bool version = false;
  std::vector<std::string> arguments;
  std::map<std::string, std::vector<std::string>> flags;  // "true" for those without a value
};

// `words` are the arguments of the process without its name. kUsageError, whose message ends with what to write
// instead.
absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const std::string> words);

// What --output asks for, also where the rest of the command line is wrong. Empty if it is not given.
std::string OutputFlag(absl::Span<const std::string> words);

}  // namespace kvs::cli
