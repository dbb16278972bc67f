// completion bash: a script made from the table of commands.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>

#include <map>
#include <set>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/types.h"

namespace kvs::cli {
namespace {

// The bash command that offers what `kind` asks for, as far as it is typed.
std::string Offer(Kind kind, absl::string_view words) {
  switch (kind) {
    case Kind::kWords:
      return absl::StrCat("_kvs_words '", words, "'");
    case Kind::kType:
      return absl::StrCat("_kvs_words '", kTypeNames, words.empty() ? "" : " ", words, "'");
    case Kind::kFile:
      return "_kvs_files";
    case Kind::kDirectory:
      return "_kvs_directories";
    case Kind::kNothing:
    case Kind::kText:
      break;
  }
  return "return";
}

std::string FirstWordList() {
  std::set<std::string> words;
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      words.insert(std::string(command.name.substr(0, command.name.find(' '))));
    }
  }
  return absl::StrJoin(words, " ");
}

// `  name) command ;;` for each flag that has a value.
std::string FlagValueCases() {
  std::map<std::string, std::string> cases;
  const auto add = [&](const Flag& flag) {
    if (!flag.value.empty()) cases[absl::StrCat("--", flag.name)] = Offer(flag.kind, flag.words);
  };
  for (const Flag& flag : CommonFlags()) add(flag);
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      for (const Flag& flag : command.flags) add(flag);
    }
  }
  std::string text;
  for (const auto& [name, offer] : cases) absl::StrAppend(&text, "    ", name, ") ", offer, "; return ;;\n");
  return text;
}

std::string FlagWords(const std::vector<Flag>& flags) {
  return absl::StrJoin(flags, " ", [](std::string* out, const Flag& flag) { absl::StrAppend(out, "--", flag.name); });
}

std::string GroupCases() {
  std::map<std::string, std::string> groups;
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
      if (words.size() < 2) continue;
      std::string& verbs = groups[words[0]];
      absl::StrAppend(&verbs, verbs.empty() ? "" : " ", words[1]);
    }
  }
  std::string text;
  for (const auto& [group, verbs] : groups)
    absl::StrAppend(&text, "    ", group, ") _kvs_words '", verbs, "'; return ;;\n");
  return text;
}

std::string CommandFlagCases() {
  std::string text;
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      if (command.flags.empty()) continue;
      absl::StrAppend(&text, "      '", command.name, "') flags=\"$flags ", FlagWords(command.flags), "\" ;;\n");
    }
  }
  return text;
}

std::string ArgumentCases() {
  std::string text;
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      if (command.completion == Kind::kNothing) continue;
      const absl::string_view positions =
          command.completion == Kind::kDirectory && command.max_arguments == 2 ? "[01]" : "0";
      absl::StrAppend(&text, "    ", positions, ",'", command.name, "') ", Offer(command.completion, command.words),
                      " ;;\n");
    }
  }
  return text;
}

constexpr absl::string_view kScript = R"(# bash completion for kvs
_kvs_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }
_kvs_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); }
_kvs_directories() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); }

_kvs() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word i
  local command='' count=0 flags='@COMMON@'
  COMPREPLY=()

  case $prev in
@VALUES@  esac

  # The command and how many of its arguments stand before the cursor.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      @WITH_VALUE@) ((i++)) ;;
      -*) ;;
      *)
        case $command in
          '') command=$word ;;
          @GROUPS@) command="$command $word" ;;
          *) ((count++)) ;;
        esac ;;
    esac
  done

  if [[ $cur == -* ]]; then
    case $command in
@FLAGS@    esac
    _kvs_words "$flags"
    return
  fi
  case $command in
    '') _kvs_words '@COMMANDS@'; return ;;
@VERBS@  esac
  case $count,$command in
@ARGUMENTS@  esac
}
complete -F _kvs kvs
)";

std::string FlagsWithValue() {
  std::set<std::string> names;
  const auto add = [&](const Flag& flag) {
    if (!flag.value.empty()) names.insert(absl::StrCat("--", flag.name));
  };
  for (const Flag& flag : CommonFlags()) add(flag);
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      for (const Flag& flag : command.flags) add(flag);
    }
  }
  return absl::StrJoin(names, "|");
}

std::string GroupPattern() {
  std::set<std::string> groups;
  for (const Section& section : Sections()) {
    for (const Command& command : section.commands) {
      const size_t space = command.name.find(' ');
      if (space != absl::string_view::npos) groups.insert(std::string(command.name.substr(0, space)));
    }
  }
  return absl::StrJoin(groups, "|");
}

absl::StatusOr<int> Bash(const Context& context) {
  context.output.Plain(absl::StrReplaceAll(kScript, {{"@COMMON@", FlagWords(CommonFlags())},
                                                     {"@VALUES@", FlagValueCases()},
                                                     {"@WITH_VALUE@", FlagsWithValue()},
                                                     {"@GROUPS@", GroupPattern()},
                                                     {"@FLAGS@", CommandFlagCases()},
                                                     {"@COMMANDS@", FirstWordList()},
                                                     {"@VERBS@", GroupCases()},
                                                     {"@ARGUMENTS@", ArgumentCases()}}));
  return kSuccess;
}

}  // namespace

std::vector<Command> CompletionCommands() {
  return {
      {.name = "completion bash",
       .summary = "print what teaches bash to complete kvs commands",
       .details = "For one shell: the line below. For all: write it to\n"
                  "~/.local/share/bash-completion/completions/kvs",
       .example = "source <(kvs completion bash)",
       .run = Bash},
  };
}

}  // namespace kvs::cli
