// keys, scan, exists, count: what crosses types.
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/suggest.h"
#include "clients/cli/types.h"
#include "clients/cli/value_text.h"

namespace kvs::cli {
namespace {

absl::StatusOr<std::vector<v1::ValueType>> TypesOf(const Context& context) {
  const auto flag = context.flags.find("type");
  if (flag == context.flags.end()) return std::vector<v1::ValueType>();
  return ParseTypes(flag->second);
}

// The request that the flags of `keys` and `scan` ask for.
template <class Request>
absl::StatusOr<Request> RangeOf(const Context& context) {
  Request request;
  const auto types = TypesOf(context);
  if (!types.ok()) return types.status();
  request.mutable_types()->Assign(types->begin(), types->end());
  request.set_prefix(context.FlagValue("prefix").value_or(""));
  const auto start = context.FlagValue("start");
  const auto after = context.FlagValue("after");
  if (start && after) return UsageError("--start and --after exclude each other; give one of them");
  if (start) request.set_start_key(*start);
  if (after) request.set_start_after(*after);
  if (const auto limit = context.FlagValue("limit")) {
    const auto number = ParseUint(*limit);
    if (!number.ok() || *number == 0) return UsageError(absl::StrCat("--limit: \"", *limit, "\" is no number from 1"));
    request.set_limit(*number);
  }
  return request;
}

absl::StatusOr<int> ListKeys(const Context& context) {
  const auto request = RangeOf<v1::KeysListRequest>(context);
  if (!request.ok()) return request.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const bool bare = request->types_size() == 1;
  const absl::Status status = client->keys().List(*request, [&](const v1::KeysListResponse& part) {
    for (const v1::KeyEntry& entry : part.keys()) {
      const std::string type = bare ? "" : absl::StrCat(TypeNameOf(entry.type()), " ");
      context.output.Part(entry, absl::StrCat(type, OnOneLine(entry.key()), "\n"));
    }
    return context.environment.out.good();
  });
  if (!status.ok()) return status;
  return kSuccess;
}

// What stands behind `kvs put` to store the key again.
std::string PutArguments(const v1::ScanEntry& entry) {
  const auto& fields = entry.value().map_value().fields();
  const bool is_escaped =
      std::any_of(fields.begin(), fields.end(), [](const auto& field) { return absl::StrContains(field.first, '='); });
  const std::vector<std::string> values = is_escaped ? EscapedFields(fields) : ValueWords(entry.value());
  // A negative number is told from a flag, other text that begins with a dash need not be.
  const bool is_text = entry.value().has_string_value() || entry.value().has_set_value() || !fields.empty();
  const auto has_dash = [](const std::string& word) { return absl::StartsWith(word, "-"); };
  const bool has_dashes = has_dash(entry.key()) || (is_text && std::any_of(values.begin(), values.end(), has_dash));
  return absl::StrCat(TypeNameOf(entry.type()), is_escaped ? " --escaped" : "", has_dashes ? " -- " : " ",
                      ShellQuoted(entry.key()), values.empty() ? "" : " ", ShellJoined(values));
}

absl::StatusOr<int> Scan(const Context& context) {
  const auto request = RangeOf<v1::KeysScanRequest>(context);
  if (!request.ok()) return request.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto revision = client->keys().Scan(*request, [&](const v1::ScanEntry& entry) {
    context.output.Part(entry, absl::StrCat(PutArguments(entry), "\n"));
    return context.environment.out.good();
  });
  if (!revision.ok()) return revision.status();
  return kSuccess;
}

absl::StatusOr<int> Exists(const Context& context) {
  const auto types = TypesOf(context);
  if (!types.ok()) return types.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->keys().Exists(context.arguments[0], *types);
  if (!response.ok()) return response.status();
  context.output.Result(*response, response->exists() ? absl::StrJoin(TypeNamesOf(response->types()), " ") : "absent");
  return response->exists() ? kSuccess : kRefused;
}

absl::StatusOr<int> Count(const Context& context) {
  const auto types = TypesOf(context);
  if (!types.ok()) return types.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->keys().Count(*types);
  if (!response.ok()) return response.status();
  context.output.Result(*response, absl::StrCat(response->count()));
  return kSuccess;
}

const Flag kTypeFlag{"type", "TYPE", "only this type; may be given several times", Kind::kType};
const std::vector<Flag> kRangeFlags = {
    {"prefix", "TEXT", "only keys that begin with this", Kind::kText},
    kTypeFlag,
    {"start", "KEY", "from this key on, in the first of the types", Kind::kText},
    {"after", "KEY", "the same without the key itself", Kind::kText},
    {"limit", "N", "at most so many keys", Kind::kText},
};

}  // namespace

std::vector<Command> KeyCommands() {
  return {
      {.name = "keys",
       .summary = "list keys, by type and then in byte order",
       .details = "One TYPE KEY per line; with exactly one --type, the bare keys.",
       .example = "kvs keys --prefix host:\n"
                  "kvs keys --type int --type uint",
       .flags = kRangeFlags,
       .run = ListKeys},
      {.name = "scan",
       .summary = "list keys with their values",
       .details =
           "One line for each key, by type and then in byte order, all as they were at one moment. A line is what\n"
           "`kvs put` takes: TYPE KEY VALUE..., quoted for the shell, with -- or --escaped where texts need it.\n"
           "What a command line has no room for, and programs, are served by `kvs export`.",
       .example = "kvs scan --prefix host:\n"
                  "kvs scan --type int --after visits --limit 100",
       .flags = kRangeFlags,
       .run = Scan},
      {.name = "exists",
       .arguments = "KEY",
       .summary = "tell in which types a key is present",
       .details = "Prints the types, or `absent`; ends with 1 if it is absent.",
       .example = "kvs exists visits",
       .min_arguments = 1,
       .max_arguments = 1,
       .flags = {kTypeFlag},
       .run = Exists},
      {.name = "count",
       .summary = "count keys",
       .details = "As JSON also by type.",
       .example = "kvs count --type string",
       .flags = {kTypeFlag},
       .run = Count},
  };
}

}  // namespace kvs::cli
