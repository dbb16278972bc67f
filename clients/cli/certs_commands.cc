#include <absl/strings/str_cat.h>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/json.h"
#include "common/tls/dev_certificates.h"

namespace kvs::cli {
namespace {

absl::StatusOr<int> Init(const Context& context) {
  const std::string& directory = context.arguments[0];
  DevCertificateOptions options;
  options.client_name = context.FlagValue("name").value_or("");
  const auto report = MakeDevCertificates(directory, options);
  if (absl::IsInvalidArgument(report.status())) return UsageError(report.status().message());
  if (!report.ok()) return report.status();
  for (const DevCertificateReport::Entry& entry : report->entries) {
    const std::string path = absl::StrCat(directory, "/", entry.file);
    context.output.Result(JsonObject().Add("file", path).Add("made", entry.made).Add("reason", entry.reason).ToString(),
                          entry.made ? absl::StrCat("made ", path, ": ", entry.reason) : absl::StrCat("kept ", path));
  }
  return kSuccess;
}

}  // namespace

std::vector<Command> CertsCommands() {
  return {
      {.name = "certs init",
       .arguments = "DIR",
       .summary = "make certificates for a pair on one machine",
       .details =
           "Makes in DIR an authority of its own (ca.crt) and the certificates with their keys that both servers\n"
           "(kvs.crt, txn.crt) and a client (client.crt) need. What exists and is good is kept; what is missing,\n"
           "damaged, near its end or not good for its use is made anew. For development: whoever reads DIR can be\n"
           "anybody.",
       .example = "kvs certs init .kvs/certs",
       .min_arguments = 1,
       .max_arguments = 1,
       .flags = {{"name", "NAME", "the client's name; the login name if not given", Kind::kText}},
       .completion = Kind::kDirectory,
       .run = Init},
  };
}

}  // namespace kvs::cli
