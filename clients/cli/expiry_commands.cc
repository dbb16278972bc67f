// expire, persist, ttl: until when keys live.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <google/protobuf/util/time_util.h>

#include "clients/cli/commands.h"
#include "clients/cli/condition.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/ttl.h"
#include "clients/cli/types.h"
#include "clients/cli/value_text.h"

namespace kvs::cli {
namespace {

using google::protobuf::util::TimeUtil;

std::string Time(const google::protobuf::Timestamp& time) { return TimeText(TimeUtil::TimestampToMicroseconds(time)); }

absl::StatusOr<int> Expire(const Context& context) {
  const auto types = ParseTypesOrAll(context.arguments[0]);
  if (!types.ok()) return types.status();
  if (absl::Status status = CheckConditionOn(*types, context.flags); !status.ok()) return status;
  const auto ttl = ParseTtl(context.arguments[2], "DURATION");
  if (!ttl.ok()) return ttl.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->keys().Expire(context.arguments[1], *ttl, *types, context.mutation);
  if (!response.ok()) return response.status();
  context.output.Result(*response, response->changed() ? absl::StrCat("expires ", Time(response->expires_at()),
                                                                      ", revision ", response->revision())
                                                       : "was not there");
  return response->changed() ? kSuccess : kRefused;
}

absl::StatusOr<int> Persist(const Context& context) {
  const auto types = ParseTypesOrAll(context.arguments[0]);
  if (!types.ok()) return types.status();
  if (absl::Status status = CheckConditionOn(*types, context.flags); !status.ok()) return status;
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->keys().Persist(context.arguments[1], *types, context.mutation);
  if (!response.ok()) return response.status();
  const bool is_absent = response->revision() == 0;
  context.output.Result(*response, response->changed() ? absl::StrCat("lives for ever, revision ", response->revision())
                                   : is_absent         ? "was not there"
                                                       : "had no expiry");
  return is_absent ? kRefused : kSuccess;
}

absl::StatusOr<int> Ttl(const Context& context) {
  const auto types = ParseTypesOrAll(context.arguments[0]);
  if (!types.ok()) return types.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->keys().GetExpiry(context.arguments[1], *types);
  if (!response.ok()) return response.status();
  const bool bare = types->size() == 1;
  std::vector<std::string> lines;
  for (const v1::KeyExpiry& key : response->keys()) {
    const std::string type = bare ? "" : absl::StrCat(TypeNameOf(key.type()), " ");
    const absl::Duration ttl = absl::Microseconds(TimeUtil::DurationToMicroseconds(key.ttl()));
    lines.push_back(absl::StrCat(type, key.has_expires_at()
                                           ? absl::StrCat(absl::FormatDuration(absl::Trunc(ttl, absl::Milliseconds(1))),
                                                          ", until ", Time(key.expires_at()))
                                           : "for ever"));
  }
  context.output.Result(*response, absl::StrJoin(lines, "\n"));
  return kSuccess;
}

}  // namespace

std::vector<Command> ExpiryCommands() {
  return {
      {.name = "expire",
       .arguments = "TYPE KEY DURATION",
       .summary = "make a key expire",
       .details =
           "From then on the key is absent; the ledger keeps a delete with the cause. DURATION counts from now on\n"
           "and has a unit: 500ms, 90s, 15m, 24h. TYPE may be several types separated by commas, or `all`.\n"
           "Ends with 1 if the key is absent. A later put without --ttl makes the key live for ever again.",
       .example = "kvs expire string session:7 15m\n"
                  "kvs expire all session:7 24h",
       .min_arguments = 3,
       .max_arguments = 3,
       .text_from = 1,
       .completion = Kind::kType,
       .words = "all",
       .changes = true,
       .run = Expire},
      {.name = "persist",
       .arguments = "TYPE KEY",
       .summary = "make a key live for ever again",
       .details = "TYPE may be several types separated by commas, or `all`. Ends with 1 if the key is absent.",
       .example = "kvs persist string session:7",
       .min_arguments = 2,
       .max_arguments = 2,
       .text_from = 1,
       .completion = Kind::kType,
       .words = "all",
       .changes = true,
       .run = Persist},
      {.name = "ttl",
       .arguments = "TYPE KEY",
       .summary = "tell how long a key still lives",
       .details = "TYPE may be several types separated by commas, or `all`: then there is one line for each type that\n"
                  "the key is present in. Ends with 1 if the key is absent.",
       .example = "kvs ttl string session:7",
       .min_arguments = 2,
       .max_arguments = 2,
       .text_from = 1,
       .completion = Kind::kType,
       .words = "all",
       .run = Ttl},
  };
}

}  // namespace kvs::cli
