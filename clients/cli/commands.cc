#include "clients/cli/commands.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <set>

#include "clients/cli/condition.h"
#include "clients/cli/request_id.h"
#include "clients/cli/suggest.h"
#include "clients/cli/ttl.h"

namespace kvs::cli {
namespace {

// What others call it.
struct Synonym {
  absl::string_view word;
  absl::string_view command;
};

constexpr Synonym kSynonyms[] = {
    {"delete", "del"},
    {"rm", "del"},
    {"remove", "del"},
    {"unset", "del"},
    {"store", "put"},
    {"read", "get"},
    {"increment", "incr"},
    {"inc", "incr"},
    {"incrby", "incr"},
    {"decrement", "decr"},
    {"decrby", "decr"},
    {"ls", "keys"},
    {"list", "keys"},
    {"dbsize", "count"},
    {"multi", "batch"},
    {"exec", "batch"},
    {"info", "status"},
    {"ping", "echo"},
    {"sadd", "set add"},
    {"srem", "set remove"},
    {"scard", "set size"},
    {"hset", "map put"},
    {"hget", "map get"},
    {"hdel", "map remove"},
    {"hlen", "map size"},
    {"hgetall", "map get"},
    {"dump", "export"},
    {"load", "import"},
    {"verify", "log verify"},
    {"backup", "log backup"},
    {"restore", "log restore"},
    {"check", "doctor"},
    {"sismember", "set contains"},
    {"smembers", "set list"},
};

constexpr Synonym kGroupSynonyms[] = {
    {"del", "remove"},   {"delete", "remove"}, {"rm", "remove"}, {"has", "contains"}, {"count", "size"},
    {"members", "list"}, {"fields", "list"},   {"ls", "list"},   {"create", "init"},  {"check", "verify"},
};

std::vector<Command> Joined(const std::vector<std::vector<Command>>& lists) {
  std::vector<Command> all;
  for (const std::vector<Command>& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

// Every command that changes data can be made to depend on what is there.
std::vector<Section> WithMutationFlags(std::vector<Section> sections) {
  for (Section& section : sections) {
    for (Command& command : section.commands) {
      if (command.takes_ttl) command.flags.push_back(TtlFlag());
      if (command.changes && !command.is_many_requests) command.flags.push_back(RequestIdFlag());
      if (!command.changes || command.has_own_conditions) continue;
      command.flags.insert(command.flags.end(), ConditionFlags().begin(), ConditionFlags().end());
    }
  }
  return sections;
}

std::vector<absl::string_view> FirstWords() {
  std::set<absl::string_view> words;
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) words.insert(command.name.substr(0, command.name.find(' ')));
  }
  return {words.begin(), words.end()};
}

}  // namespace

const std::vector<Section>& Sections() {
  static const auto* const sections = new std::vector<Section>(WithMutationFlags({
      {"Values", ValueCommands()},
      {"Sets", SetCommands()},
      {"Maps", MapCommands()},
      {"Keys of all types",
       Joined({KeyCommands(), ExpiryCommands(), BatchCommands(), ExportCommands(), ImportCommands()})},
      {"The server", Joined({ServerCommands(), BenchCommands()})},
      {"When it does not work", DoctorCommands()},
      {"Certificates", CertsCommands()},
      {"The ledger's files", Joined({LogCommands(), LogStatCommands(), LogBackupCommands()})},
      {"The shell", CompletionCommands()},
  }));
  return *sections;
}

const Command* FindCommand(absl::string_view name) {
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
}

std::vector<const Command*> CommandsOf(absl::string_view group) {
  std::vector<const Command*> commands;
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      if (absl::StartsWith(command.name, absl::StrCat(group, " "))) commands.push_back(&command);
    }
  }
  return commands;
}

std::optional<std::string> GuessInGroup(absl::string_view group, const std::vector<std::string>& words) {
  if (group == "set") return GuessSet(words);
  if (group == "map") return GuessMap(words);
  return std::nullopt;
}

bool IsGroup(absl::string_view word) { return !CommandsOf(word).empty(); }

std::string Suggestion(absl::string_view group, absl::string_view word) {
  if (group.empty()) {
    for (const Synonym& synonym : kSynonyms) {
      if (synonym.word == word) return std::string(synonym.command);
    }
    return Nearest(word, FirstWords()).value_or("");
  }
  std::vector<absl::string_view> verbs;
  for (const Command* command : CommandsOf(group))
    verbs.push_back(absl::StripPrefix(command->name, absl::StrCat(group, " ")));
  for (const Synonym& synonym : kGroupSynonyms) {
    if (synonym.word == word && FindCommand(absl::StrCat(group, " ", synonym.command)) != nullptr) {
      return absl::StrCat(group, " ", synonym.command);
    }
  }
  const auto verb = Nearest(word, verbs);
  return verb ? absl::StrCat(group, " ", *verb) : "";
}

}  // namespace kvs::cli
