// keys, exists, count: what crosses types.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <ostream>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/types.h"

namespace kvs::cli {
namespace {

absl::StatusOr<std::vector<v1::ValueType>> TypesOf(const Context& context) {
  const auto flag = context.flags.find("type");
  if (flag == context.flags.end()) return std::vector<v1::ValueType>();
  return ParseTypes(flag->second);
}

absl::StatusOr<int> List(const Context& context) {
  const auto types = TypesOf(context);
  if (!types.ok()) return types.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const bool bare = types->size() == 1;
  const absl::Status status =
      client->keys().List(context.FlagValue("prefix").value_or(""), *types, [&](const v1::KeysListResponse& part) {
        for (const v1::KeyEntry& entry : part.keys()) {
          const std::string type = bare ? "" : absl::StrCat(TypeNameOf(entry.type()), " ");
          context.output.Part(entry, absl::StrCat(type, OnOneLine(entry.key()), "\n"));
        }
        return context.environment.out.good();
      });
  if (!status.ok()) return status;
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

}  // namespace

std::vector<Command> KeyCommands() {
  return {
      {.name = "keys",
       .summary = "list keys, by type and then in byte order",
       .details = "One TYPE KEY per line; with exactly one --type, the bare keys.",
       .example = "kvs keys --prefix host:\n"
                  "kvs keys --type int --type uint",
       .flags = {{"prefix", "TEXT", "only keys that begin with this", Kind::kText}, kTypeFlag},
       .run = List},
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
