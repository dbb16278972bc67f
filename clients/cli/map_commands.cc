#include <absl/strings/str_cat.h>

#include "clients/cli/collection_commands.h"
#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/suggest.h"
#include "clients/cli/types.h"
#include "clients/cli/value_text.h"
#include "common/errors.h"

namespace kvs::cli {
namespace {

absl::StatusOr<int> Put(const Context& context) {
  const auto fields = ParseFields(ElementsOf(context), context.flags.count("escaped") != 0);
  if (!fields.ok()) return fields.status();
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return ShowAdded(context, client->maps().PutFields(KeyOf(context), *fields, context.mutation));
}

absl::StatusOr<int> GetAll(const Context& context, const client::Client& client) {
  const auto response = client.maps().Get(KeyOf(context));
  if (!response.ok()) return response.status();
  context.output.Part(*response, FieldsText(response->fields()));
  return kSuccess;
}

// One field is printed as its bare value, several as lines; any that is missing makes the answer incomplete.
absl::StatusOr<int> GetFields(const Context& context, const client::Client& client) {
  const std::vector<std::string> names = ElementsOf(context);
  const auto response = client.maps().GetFields(KeyOf(context), names);
  if (!response.ok()) return response.status();
  const auto& fields = response->fields();
  if (names.size() == 1 && fields.contains(names[0])) {
    context.output.Result(*response, fields.at(names[0]));
  } else {
    context.output.Part(*response, FieldsText(fields));
  }
  for (const std::string& name : names) {
    if (!fields.contains(name)) {
      return Error({absl::StatusCode::kNotFound, "FIELD_NOT_FOUND"},
                   absl::StrCat("the map has no field ", ShellQuoted(name)), {{"field", name}});
    }
  }
  return kSuccess;
}

absl::StatusOr<int> Get(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return context.arguments.size() == 1 ? GetAll(context, *client) : GetFields(context, *client);
}

absl::StatusOr<int> Remove(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return ShowRemoved(context, client->maps().RemoveFields(KeyOf(context), ElementsOf(context), context.mutation));
}

absl::StatusOr<int> Size(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return ShowSize(context, client->maps().Size(KeyOf(context)));
}

absl::StatusOr<int> ListFields(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  std::string last;
  for (bool more = true; more;) {
    const auto page = client->maps().ListFields(KeyOf(context), last);
    if (!page.ok()) return page.status();
    std::string text;
    for (const v1::MapField& field : page->fields()) text += FieldText(field.name(), field.value());
    context.output.Part(*page, text);
    more = page->more() && !page->fields().empty();
    if (more) last = page->fields().rbegin()->name();
  }
  return kSuccess;
}

}  // namespace

std::optional<std::string> GuessMap(const std::vector<std::string>& words) {
  const bool has_fields = words.size() > 1 && ParseFields(absl::MakeConstSpan(words).subspan(1)).ok();
  return absl::StrCat(has_fields ? "map put " : "map get ", ShellJoined(words));
}

std::vector<Command> MapCommands() {
  return {
      {.name = "map put",
       .arguments = "KEY NAME=VALUE...",
       .summary = "store some fields of a map and leave the others",
       .details = "A name ends at the first =. An absent key counts as an empty map.\n"
                  "`kvs put map` replaces the whole map instead.",
       .example = "kvs map put host:1 city=Oslo rack=7",
       .min_arguments = 2,
       .max_arguments = kAnyNumber,
       .flags = {EscapedFlag()},
       .changes = true,
       .takes_ttl = true,
       .run = Put},
      {.name = "map get",
       .arguments = "KEY NAME...",
       .summary = "print a map, or some of its fields",
       .details = "One name prints the bare value, several or none print one NAME=VALUE per line.\n"
                  "Ends with 1 if the map or one of the fields is absent.",
       .example = "kvs map get host:1\n"
                  "kvs map get host:1 city",
       .min_arguments = 1,
       .max_arguments = kAnyNumber,
       .run = Get},
      {.name = "map remove",
       .arguments = "KEY NAME...",
       .summary = "remove fields from a map",
       .details = "A map without fields exists until it is deleted.",
       .example = "kvs map remove host:1 rack",
       .min_arguments = 2,
       .max_arguments = kAnyNumber,
       .changes = true,
       .takes_ttl = true,
       .run = Remove},
      {.name = "map size",
       .arguments = "KEY",
       .summary = "count the fields of a map",
       .details = "",
       .example = "kvs map size host:1",
       .min_arguments = 1,
       .max_arguments = 1,
       .run = Size},
      {.name = "map list",
       .arguments = "KEY",
       .summary = "print the fields of a map of any size",
       .details = "One NAME=VALUE per line, in byte order; read in pages, as JSON one object for each page.",
       .example = "kvs map list host:1",
       .min_arguments = 1,
       .max_arguments = 1,
       .run = ListFields},
  };
}

}  // namespace kvs::cli
