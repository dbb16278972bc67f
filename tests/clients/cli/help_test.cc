#include "clients/cli/help.h"

#include "clients/cli/commands.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("the overview names every command, every common flag and the exit status") {
  const std::string help = OverviewHelp();
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) CHECK_THAT(help, ContainsText("  " + std::string(command.name)));
  }
  for (const Flag& flag : CommonFlags()) CHECK_THAT(help, ContainsText("--" + std::string(flag.name)));
  CHECK_THAT(help, ContainsText("Exit status"));
}

TEST_CASE("the help of a command has its flags and an example") {
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      const std::string help = CommandHelp(command);
      INFO(help);
      CHECK_THAT(help, ContainsText(std::string(command.summary)));
      CHECK_THAT(help, ContainsText("\nExample\n  "));
      for (const Flag& flag : command.flags) CHECK_THAT(help, ContainsText("--" + std::string(flag.name)));
    }
  }
}

TEST_CASE("arguments that may be left out are in brackets") {
  CHECK_THAT(CommandHelp(*FindCommand("incr")), ContainsText("kvs incr TYPE KEY [DELTA] [FLAGS]"));
}

TEST_CASE("the help of a group lists its commands") {
  const std::string help = GroupHelp("set");
  for (const Command* command : CommandsOf("set")) CHECK_THAT(help, ContainsText(std::string(command->name)));
}

TEST_CASE("no line is longer than a terminal of 120 columns") {
  const auto check = [](const std::string& help) {
    for (size_t start = 0; start < help.size();) {
      const size_t end = help.find('\n', start);
      INFO(help.substr(start, end - start));
      CHECK(end - start <= 120);
      start = end + 1;
    }
  };
  check(OverviewHelp());
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) check(CommandHelp(command));
  }
}

}  // namespace
}  // namespace kvs::cli
