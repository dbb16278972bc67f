#include "clients/cli/run.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <map>
#include <ostream>

#include "clients/cli/command_line.h"
#include "clients/cli/commands.h"
#include "clients/cli/condition.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/help.h"
#include "clients/cli/output.h"
#include "clients/cli/request_id.h"
#include "clients/cli/settings.h"
#include "clients/cli/ttl.h"
#include "common/config/version.h"

namespace kvs::cli {
namespace {

// Of each flag, the one that counts.
std::map<std::string, std::string> Last(const std::map<std::string, std::vector<std::string>>& flags) {
  std::map<std::string, std::string> last;
  for (const auto& [name, values] : flags) last[name] = values.back();
  return last;
}

Format FormatOf(const Settings& settings) { return settings.output.value == "json" ? Format::kJson : Format::kText; }

absl::StatusOr<int> RunIn(Context& context, const Command& command) {
  if (command.changes) {
    auto condition = ConditionOf(context.flags);
    if (!condition.ok()) return condition.status();
    context.mutation.precondition = *std::move(condition);
    const auto ttl = TtlOf(context.flags);
    if (!ttl.ok()) return ttl.status();
    context.mutation.ttl = *ttl;
    auto request_id = RequestIdOf(context.flags);
    if (!request_id.ok()) return request_id.status();
    context.mutation.request_id = *std::move(request_id);
  }
  return command.run(context);
}

// Other problems of the settings are no matter to commands that read files and connect to nothing.
absl::Status CheckOutput(const CommandLine& line, const Settings& settings) {
  const Setting& output = settings.output;
  const bool known = output.value == "text" || output.value == "json";
  if (known || !absl::StartsWith(line.command->name, "log ")) return absl::OkStatus();
  return UsageError(absl::StrCat("output from ", output.source, " must be text or json, not \"", output.value, "\""));
}

AdviceFor AdviceOf(const Command& command, const Context& context) {
  return {.changes = command.changes,
          .has_condition_flags = !command.has_own_conditions,
          .is_named = !context.mutation.request_id.empty(),
          .may_be_repeated = command.may_be_repeated};
}

// `is_done` says whether the command has changed what it was to change.
absl::Status CannotWrite(bool is_done) {
  constexpr absl::string_view kMessage = "cannot write to the standard output";
  if (!is_done) return absl::AbortedError(kMessage);
  return absl::AbortedError(absl::StrCat("the change was made, but ", kMessage,
                                         " what came of it: do not run it again without a look at what is there"));
}

int RunCommand(CommandLine line, const Environment& environment) {
  Settings settings = FindSettings(Last(line.flags), environment);
  Output output(FormatOf(settings), environment.out, environment.err);
  if (const absl::Status wrong = CheckOutput(line, settings); !wrong.ok()) {
    output.Error(wrong, settings);
    return ExitStatusOf(wrong);
  }
  Context context{std::move(line.arguments), std::move(line.flags), std::move(settings), output, environment};
  const auto status = RunIn(context, *line.command);
  if (status.ok() && output.Flush()) return *status;
  const bool is_done = status.ok() && *status == kSuccess && line.command->changes;
  const absl::Status error = status.ok() ? CannotWrite(is_done) : status.status();
  output.Error(error, context.settings, AdviceOf(*line.command, context));
  return ExitStatusOf(error);
}

std::string HelpFor(const CommandLine& line) {
  if (line.command != nullptr) return CommandHelp(*line.command);
  return line.group.empty() ? OverviewHelp() : GroupHelp(line.group);
}

int ShowHelpOrVersion(const CommandLine& line, const Environment& environment) {
  Output output(Format::kText, environment.out, environment.err);
  output.Plain(line.help ? HelpFor(line) : absl::StrCat("kvs ", Version(), "\n"));
  if (output.Flush()) return kSuccess;
  const absl::Status error = CannotWrite(/*is_done=*/false);
  output.Error(error, Settings());
  return ExitStatusOf(error);
}

}  // namespace

int Run(const std::vector<std::string>& words, const Environment& environment) {
  auto line = ParseCommandLine(words);
  if (!line.ok()) {
    const std::string output = OutputFlag(words);
    const Settings settings = FindSettings(
        output.empty() ? std::map<std::string, std::string>() : std::map<std::string, std::string>{{"output", output}},
        environment);
    Output(FormatOf(settings), environment.out, environment.err).Error(line.status(), settings);
    return kUsage;
  }
  if (line->help || line->version) return ShowHelpOrVersion(*line, environment);
  return RunCommand(*std::move(line), environment);
}

}  // namespace kvs::cli
