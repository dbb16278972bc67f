// The table of commands.
#pragma once

#include <absl/strings/string_view.h>

#include <optional>
#include <string>
#include <vector>

#include "clients/cli/command.h"

namespace kvs::cli {

// One function per file of commands.
std::vector<Command> ValueCommands();
std::vector<Command> SetCommands();
std::vector<Command> MapCommands();
std::vector<Command> KeyCommands();
std::vector<Command> ExpiryCommands();
std::vector<Command> BatchCommands();
std::vector<Command> ExportCommands();
std::vector<Command> ImportCommands();
std::vector<Command> ServerCommands();
std::vector<Command> BenchCommands();
std::vector<Command> DoctorCommands();
std::vector<Command> CertsCommands();
std::vector<Command> LogCommands();
std::vector<Command> LogStatCommands();
std::vector<Command> LogBackupCommands();
std::vector<Command> CompletionCommands();

// Commands under one heading of the help.
struct Section {
  absl::string_view heading;
  std::vector<Command> commands;
};

// All of them, in the order of the help.
const std::vector<Section>& Sections();

// For words after a group that are none of its commands, a command line that may have been meant:
// `kvs set visits 41` is `put int visits 41`. Without the leading `kvs`.
std::optional<std::string> GuessInGroup(absl::string_view group, const std::vector<std::string>& words);
std::optional<std::string> GuessSet(const std::vector<std::string>& words);
std::optional<std::string> GuessMap(const std::vector<std::string>& words);

// Null if there is none by that name.
const Command* FindCommand(absl::string_view name);

// Whether commands of two words begin with this one.
bool IsGroup(absl::string_view word);

// The commands of a group.
std::vector<const Command*> CommandsOf(absl::string_view group);

// What somebody who typed `word` probably wanted, by spelling or because other tools call it so; empty if nothing is
// near. `group` is the first word of the command, empty for the first word itself.
std::string Suggestion(absl::string_view group, absl::string_view word);

}  // namespace kvs::cli
