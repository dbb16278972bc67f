#include <absl/strings/str_cat.h>
#include <signal.h>

#include "clients/cli/commands.h"
#include "clients/cli/doctor/doctor.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/json.h"
#include "common/control_characters.h"

namespace kvs::cli {
namespace {

absl::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarning:
      return "warning";
    case Verdict::kFailure:
      return "FAILED";
  }
  return "";
}

std::string Padded(absl::string_view text, size_t width) {
  return absl::StrCat(text, std::string(text.size() < width ? width - text.size() : 0, ' '));
}

std::string FindingText(const Finding& finding) {
  std::string text = absl::StrCat(Padded(VerdictName(finding.verdict), 8), " ", Padded(finding.step, 12), " ",
                                  WithoutControls(finding.detail));
  if (!finding.remedy.empty()) {
    absl::StrAppend(&text, "\n", std::string(22, ' '), "next: ", WithoutControls(finding.remedy));
  }
  return text;
}

std::string FindingJson(const Finding& finding) {
  return JsonObject()
      .Add("step", finding.step)
      .Add("ok", finding.verdict == Verdict::kOk)
      .Add("detail", finding.detail)
      .Add("remedy", finding.remedy)
      .ToString();
}

int ExitStatusOfHealth(Health health) {
  switch (health) {
    case Health::kWell:
      return kSuccess;
    case Health::kUnusableSettings:
      return kUsage;
    case Health::kUnreachable:
      return kUnreachable;
    case Health::kUnwell:
      return kRefused;
  }
  return kRefused;
}

absl::StatusOr<int> Doctor(const Context& context) {
  // OpenSSL writes to sockets whose other end may have hung up.
  signal(SIGPIPE, SIG_IGN);
  const Health health = Examine(context.settings, [&](const Finding& finding) {
    context.output.Result(FindingJson(finding), FindingText(finding));
  });
  return ExitStatusOfHealth(health);
}

}  // namespace

std::vector<Command> DoctorCommands() {
  return {
      {.name = "doctor",
       .summary = "find out why the server cannot be reached or does not do its work",
       .details = "Goes from the settings to the ledger step by step, and says at each what was found and what to do.\n"
                  "Changes nothing. Ends with 0 if all is well, 1 if the server answers but something is wrong,\n"
                  "2 if the settings are wrong, 3 if it cannot be reached.",
       .example = "kvs doctor",
       .run = Doctor},
  };
}

}  // namespace kvs::cli
