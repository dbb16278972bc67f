#include <absl/strings/str_cat.h>

#include "clients/cli/collection_commands.h"
#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/suggest.h"
#include "clients/cli/types.h"
#include "clients/cli/value_text.h"

namespace kvs::cli {
namespace {

absl::StatusOr<int> Add(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return ShowAdded(context, client->sets().Add(KeyOf(context), ElementsOf(context), context.mutation));
}

absl::StatusOr<int> RemoveMembers(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return ShowRemoved(context, client->sets().Remove(KeyOf(context), ElementsOf(context), context.mutation));
}

absl::StatusOr<int> Contains(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  const auto response = client->sets().Contains(KeyOf(context), context.arguments[1]);
  if (!response.ok()) return response.status();
  context.output.Result(*response, response->contains() ? "true" : "false");
  return response->contains() ? kSuccess : kRefused;
}

absl::StatusOr<int> CountMembers(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  return ShowSize(context, client->sets().Size(KeyOf(context)));
}

absl::StatusOr<int> ListMembers(const Context& context) {
  const auto client = context.Connect();
  if (!client.ok()) return client.status();
  std::string last;
  for (bool more = true; more;) {
    const auto page = client->sets().ListMembers(KeyOf(context), last);
    if (!page.ok()) return page.status();
    context.output.Part(*page, MembersText(page->members()));
    more = page->more() && !page->members().empty();
    if (more) last = *page->members().rbegin();
  }
  return kSuccess;
}

// The set's own forms of put and get are those of `kvs put set` and `kvs get set`.
Context WithType(const Context& context) {
  Context typed = context;
  typed.arguments.insert(typed.arguments.begin(), "set");
  return typed;
}

absl::StatusOr<int> PutSet(const Context& context) { return FindCommand("put")->run(WithType(context)); }

absl::StatusOr<int> GetSet(const Context& context) { return FindCommand("get")->run(WithType(context)); }

}  // namespace

std::optional<std::string> GuessSet(const std::vector<std::string>& words) {
  if (words.size() >= 2 && ParseType(words[0]).ok()) return absl::StrCat("put ", ShellJoined(words));
  if (words.size() == 1) return absl::StrCat("set list ", ShellJoined(words));
  if (words.size() == 2) return absl::StrCat("put ", TypeName(GuessType(words[1])), " ", ShellJoined(words));
  return absl::StrCat("set add ", ShellJoined(words));
}

std::vector<Command> SetCommands() {
  return {
      {.name = "set add",
       .arguments = "KEY MEMBER...",
       .summary = "add members to a set",
       .details = "An absent key counts as an empty set.",
       .example = "kvs set add colors red blue",
       .min_arguments = 2,
       .max_arguments = kAnyNumber,
       .changes = true,
       .takes_ttl = true,
       .run = Add},
      {.name = "set remove",
       .arguments = "KEY MEMBER...",
       .summary = "remove members from a set",
       .details = "A set without members exists until it is deleted.",
       .example = "kvs set remove colors red",
       .min_arguments = 2,
       .max_arguments = kAnyNumber,
       .changes = true,
       .takes_ttl = true,
       .run = RemoveMembers},
      {.name = "set contains",
       .arguments = "KEY MEMBER",
       .summary = "tell whether a set has a member",
       .details = "Prints true or false; ends with 1 if it is false or the set is absent.",
       .example = "kvs set contains colors blue",
       .min_arguments = 2,
       .max_arguments = 2,
       .run = Contains},
      {.name = "set size",
       .arguments = "KEY",
       .summary = "count the members of a set",
       .details = "",
       .example = "kvs set size colors",
       .min_arguments = 1,
       .max_arguments = 1,
       .run = CountMembers},
      {.name = "set list",
       .arguments = "KEY",
       .summary = "print the members of a set of any size",
       .details = "One member per line, in byte order; read in pages, as JSON one object for each page.",
       .example = "kvs set list colors",
       .min_arguments = 1,
       .max_arguments = 1,
       .run = ListMembers},
      {.name = "set get",
       .arguments = "KEY",
       .summary = "print the members of a set, as `kvs get set`",
       .details = "All members as they were at one moment; up to 3 MiB.",
       .example = "kvs set get colors",
       .min_arguments = 1,
       .max_arguments = 1,
       .run = GetSet},
      {.name = "set put",
       .arguments = "KEY MEMBER...",
       .summary = "store a whole set, replacing what was there, as `kvs put set`",
       .details = "Without members it stores an empty set.",
       .example = "kvs set put colors red blue",
       .min_arguments = 1,
       .max_arguments = kAnyNumber,
       .changes = true,
       .takes_ttl = true,
       .run = PutSet},
  };
}

}  // namespace kvs::cli
