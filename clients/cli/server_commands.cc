// status, echo, health: what a server says about itself.
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/health.h"
#include "clients/cli/server_text.h"

namespace kvs::cli {
namespace {

absl::StatusOr<int> ShowStatus(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->maintenance().Status();
  if (!response.ok()) return response.status();
  context.output.Part(*response, StatusText(*response, absl::Now()));
  return kSuccess;
}

absl::StatusOr<int> SendEcho(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->maintenance().Echo(absl::StrJoin(context.arguments, " "));
  if (!response.ok()) return response.status();
  context.output.Result(*response, response->message());
  return kSuccess;
}

absl::StatusOr<int> ShowHealth(const Context& context) {
  const auto options = ClientOptions(context.settings);
  if (!options.ok()) return options.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto health = CheckHealth(*client, context.FlagValue("service").value_or(""), options->timeout);
  if (!health.ok()) return health.status();
  context.output.Result(*health, HealthText(health->status()));
  return health->status() == grpc::health::v1::HealthCheckResponse::SERVING ? kSuccess : kRefused;
}

}  // namespace

std::vector<Command> ServerCommands() {
  return {
      {.name = "status",
       .summary = "show the state of the server and of its ledger",
       .details = "Answered at any time, also while the server reads its ledger or has none.",
       .example = "kvs status\n"
                  "kvs status --output json",
       .run = ShowStatus},
      {.name = "echo",
       .arguments = "TEXT...",
       .summary = "send a text there and back",
       .details = "As JSON also the name by which the server knows the caller.",
       .example = "kvs echo hello",
       .min_arguments = 1,
       .max_arguments = kAnyNumber,
       .run = SendEcho},
      {.name = "health",
       .summary = "ask for the health, for supervisors and containers",
       .details =
           "Asks by the standard protocol grpc.health.v1, so that any gRPC server can be asked, txn_server too.\n"
           "Ends with 0 only if the answer is SERVING. Without --service it is the whole server; `kvs.write`\n"
           "is whether mutations are taken, kvs.v1.IntStore and so on are the single services.",
       .example = "kvs health\n"
                  "kvs health --service kvs.write\n"
                  "kvs health --address localhost:5051",
       .flags = {{"service", "NAME", "which service; the whole server if not given", Kind::kText}},
       .run = ShowHealth},
  };
}

}  // namespace kvs::cli
