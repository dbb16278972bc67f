#include "clients/cli/help.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_split.h>

#include <algorithm>

#include "clients/cli/commands.h"

namespace kvs::cli {
namespace {

// The arguments with those that may be left out in brackets.
std::string ArgumentsText(const Command& command) {
  std::string text;
  size_t position = 0;
  for (const absl::string_view argument : absl::StrSplit(command.arguments, ' ', absl::SkipEmpty())) {
    const bool is_needed = position++ < command.min_arguments;
    absl::StrAppend(&text, " ", is_needed ? "" : "[", argument, is_needed ? "" : "]");
  }
  return text;
}

void AddSummary(const Command& command, std::string* text) {
  absl::StrAppendFormat(text, "  %-30s %s\n", absl::StrCat(command.name, ArgumentsText(command)), command.summary);
}

void AddFlags(const std::vector<Flag>& flags, std::string* text) {
  for (const Flag& flag : flags) {
    const std::string name = absl::StrCat("--", flag.name, flag.value.empty() ? "" : " ", flag.value);
    absl::StrAppendFormat(text, "  %-22s %s\n", name, flag.help);
  }
}

void AddIndented(absl::string_view lines, std::string* text) {
  for (const absl::string_view line : absl::StrSplit(lines, '\n')) absl::StrAppend(text, "  ", line, "\n");
}

constexpr absl::string_view kSettingsText =
    "\nSettings are taken from the first of: flags, the environment (KVS_ADDRESS, KVS_CA, KVS_CERT, KVS_KEY,\n"
    "KVS_PLAINTEXT, KVS_TIMEOUT, KVS_OUTPUT), ~/.config/kvs/config.toml (address = \"…\", ca, cert, key, plaintext,\n"
    "timeout, output), and the folder .kvs that `make run` makes, here or in a folder above.\n"
    "\nExit status: 0 done, 1 not found or refused, 2 wrong usage, 3 unreachable or not ready.\n";

}  // namespace

std::string OverviewHelp() {
  std::string text =
      "kvs: the typed key-value store on the command line\n"
      "\n"
      "  kvs COMMAND ARGUMENTS... [FLAGS]\n";
  for (const Section& section : Sections()) {
    absl::StrAppend(&text, "\n", section.heading, "\n");
    for (const Command& command : section.commands) AddSummary(command, &text);
  }
  absl::StrAppend(&text, "\nFlags of every command\n");
  AddFlags(CommonFlags(), &text);
  absl::StrAppendFormat(&text, "  %-22s %s\n", "--version", "the version of this program");
  absl::StrAppend(&text, kSettingsText, "\nExample\n  kvs put int visits 41\n  kvs incr int visits\n");
  absl::StrAppend(&text, "\n`kvs COMMAND --help` says more about a command.\n");
  return text;
}

std::string GroupHelp(absl::string_view group) {
  std::string text = absl::StrCat("kvs ", group, " COMMAND ARGUMENTS... [FLAGS]\n\n");
  const std::vector<const Command*> commands = CommandsOf(group);
  for (const Command* command : commands) AddSummary(*command, &text);
  absl::StrAppend(&text, "\nExample\n");
  AddIndented(commands.front()->example, &text);
  absl::StrAppend(&text, "\n`kvs ", group, " COMMAND --help` says more about a command.\n");
  return text;
}

std::string CommandHelp(const Command& command) {
  std::string text = absl::StrCat("kvs ", command.name, ArgumentsText(command), " [FLAGS]: ", command.summary, "\n");
  if (!command.details.empty()) absl::StrAppend(&text, "\n", command.details, "\n");
  absl::StrAppend(&text, "\nExample\n");
  AddIndented(command.example, &text);
  if (!command.flags.empty()) absl::StrAppend(&text, "\nFlags\n");
  AddFlags(command.flags, &text);
  absl::StrAppend(&text, "\nFlags of every command\n");
  AddFlags(CommonFlags(), &text);
  return text;
}

}  // namespace kvs::cli
