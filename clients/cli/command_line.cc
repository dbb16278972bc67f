#include "clients/cli/command_line.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/suggest.h"

namespace kvs::cli {
namespace {

absl::string_view NameOf(absl::string_view word) {
  absl::ConsumePrefix(&word, "--");
  return word.substr(0, word.find('='));
}

std::vector<const Flag*> FlagsOf(const Command* command) {
  std::vector<const Flag*> flags;
  for (const Flag& flag : CommonFlags()) flags.push_back(&flag);
  if (command == nullptr) return flags;
  for (const Flag& flag : command->flags) flags.push_back(&flag);
  return flags;
}

const Flag* FindFlag(const Command* command, absl::string_view name) {
  for (const Flag* flag : FlagsOf(command)) {
    if (flag->name == name) return flag;
  }
  return nullptr;
}

std::string Usage(const Command& command) {
  return absl::StrCat("kvs ", command.name, command.arguments.empty() ? "" : " ", command.arguments);
}

class Parser {
 public:
  explicit Parser(absl::Span<const std::string> words) : words_(words) {}

  absl::StatusOr<CommandLine> Run() {
    while (next_ < words_.size()) {
      const absl::Status status = Take(words_[next_++]);
      if (!status.ok()) return status;
    }
    if (line_.help || line_.version) return std::move(line_);
    if (line_.command == nullptr) return NoCommand();
    const absl::Status counted = CheckCount();
    if (!counted.ok()) return counted;
    return std::move(line_);
  }

 private:
  absl::Status Take(const std::string& word) {
    if (only_arguments_) return TakeArgument(word);
    if (word == "--") {
      only_arguments_ = true;
      return absl::OkStatus();
    }
    if (word == "-h") return TakeFlag("--help");
    if (line_.command == nullptr && word == "--version") {
      line_.version = true;
      return absl::OkStatus();
    }
    if (absl::StartsWith(word, "--") && FindFlag(line_.command, NameOf(word)) != nullptr) return TakeFlag(word);
    if (absl::StartsWith(word, "-") && !IsText(word)) return UnknownFlag(word);
    if (absl::StartsWith(word, "--") && !flag_like_) flag_like_ = line_.arguments.size();
    return line_.command == nullptr ? TakeCommandWord(word) : TakeArgument(word);
  }

  // Whether a word that begins with a dash and is no flag is meant as an argument.
  bool IsText(const std::string& word) const {
    if (line_.command == nullptr) return false;
    const bool is_misspelt = absl::StartsWith(word, "--") && NearestFlag(word).has_value();
    return !is_misspelt && line_.command->max_arguments > line_.command->text_from &&
           line_.arguments.size() >= line_.command->text_from;
  }

  absl::Status TakeFlag(const std::string& word) {
    const std::string name(NameOf(word));
    const Flag& flag = *FindFlag(line_.command, name);
    const size_t equals = word.find('=');
    if (flag.value.empty()) {
      if (equals != std::string::npos) return UsageError(absl::StrCat("--", name, " takes no value"));
      if (name == "help") line_.help = true;
      line_.flags[name].push_back("true");
      return absl::OkStatus();
    }
    if (equals != std::string::npos) {
      line_.flags[name].push_back(word.substr(equals + 1));
    } else if (next_ < words_.size()) {
      line_.flags[name].push_back(words_[next_++]);
    } else {
      return UsageError(absl::StrCat("--", name, " needs a value: --", name, " ", flag.value));
    }
    return absl::OkStatus();
  }

  absl::Status TakeCommandWord(const std::string& word) {
    if (word == "help" && line_.group.empty()) {
      line_.help = true;
      return absl::OkStatus();
    }
    const std::string name = line_.group.empty() ? word : absl::StrCat(line_.group, " ", word);
    line_.command = FindCommand(name);
    if (line_.command != nullptr) return absl::OkStatus();
    if (line_.group.empty() && IsGroup(word)) {
      line_.group = word;
      return absl::OkStatus();
    }
    return line_.help ? absl::OkStatus() : UnknownCommand(word);
  }

  absl::Status TakeArgument(const std::string& word) {
    if (line_.command == nullptr) return UsageError("the command goes before `--`; `kvs --help` lists the commands");
    line_.arguments.push_back(word);
    return absl::OkStatus();
  }

  // The words that follow, without flags: for guesses.
  std::vector<std::string> Rest() const {
    std::vector<std::string> rest;
    for (size_t i = next_; i < words_.size(); ++i) {
      if (words_[i] == "--") continue;
      const Flag* const flag = absl::StartsWith(words_[i], "--") ? FindFlag(nullptr, NameOf(words_[i])) : nullptr;
      if (flag == nullptr) {
        rest.push_back(words_[i]);
      } else if (!flag->value.empty() && !absl::StrContains(words_[i], '=')) {
        ++i;
      }
    }
    return rest;
  }

  absl::Status UnknownCommand(const std::string& word) const {
    std::vector<std::string> rest = Rest();
    std::string guess = Suggestion(line_.group, word);
    if (!guess.empty() && !rest.empty()) absl::StrAppend(&guess, " ", ShellJoined(rest));
    if (guess.empty() && !line_.group.empty()) {
      rest.insert(rest.begin(), word);
      guess = GuessInGroup(line_.group, rest).value_or("");
    }
    const std::string typed = line_.group.empty() ? word : absl::StrCat(line_.group, " ", word);
    return UsageError(absl::StrCat("there is no command `kvs ", typed, "`; ",
                                   guess.empty() ? absl::StrCat("`kvs ", line_.group, line_.group.empty() ? "" : " ",
                                                                "--help` lists what there is")
                                                 : absl::StrCat("did you mean `kvs ", guess, "`?")));
  }

  std::optional<std::string> NearestFlag(const std::string& word) const {
    std::vector<absl::string_view> names;
    for (const Flag* flag : FlagsOf(line_.command)) names.push_back(flag->name);
    return Nearest(NameOf(word), names);
  }

  absl::Status UnknownFlag(const std::string& word) const {
    const std::string of = line_.command == nullptr ? "kvs" : absl::StrCat("kvs ", line_.command->name);
    const auto nearest = NearestFlag(word);
    std::string message = absl::StrCat("`", of, "` has no flag ", word);
    if (nearest) absl::StrAppend(&message, "; did you mean --", *nearest, "?");
    if (line_.command != nullptr && line_.command->max_arguments > 0) {
      absl::StrAppend(&message, nearest ? " A" : "; a", "n argument that looks like a flag goes after `--`");
    } else if (!nearest) {
      absl::StrAppend(&message, "; `", of, " --help` lists the flags");
    }
    return UsageError(message);
  }

  absl::Status NoCommand() const {
    if (line_.group.empty()) return UsageError("there is no command; `kvs --help` lists the commands");
    std::vector<std::string> verbs;
    for (const Command* command : CommandsOf(line_.group)) verbs.emplace_back(command->name);
    return UsageError(absl::StrCat("`kvs ", line_.group, "` needs one more word: ", absl::StrJoin(verbs, ", "),
                                   "; `kvs ", line_.group, " --help` explains them"));
  }

  bool IsCount(size_t arguments) const {
    return arguments >= line_.command->min_arguments && arguments <= line_.command->max_arguments;
  }

  // What was meant, where the number of arguments is wrong.
  std::optional<std::string> Guess() const {
    const Command& command = *line_.command;
    std::vector<std::string> arguments = line_.arguments;
    if (flag_like_ && IsCount(arguments.size() - 1)) {
      arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(*flag_like_));
      return absl::StrCat(command.name, " ", ShellJoined(arguments));
    }
    return command.guess == nullptr ? std::nullopt : command.guess(arguments);
  }

  absl::Status CheckCount() const {
    const Command& command = *line_.command;
    const size_t count = line_.arguments.size();
    if (IsCount(count)) return absl::OkStatus();
    const auto guess = Guess();
    const std::vector<std::string> names = absl::StrSplit(command.arguments, ' ', absl::SkipEmpty());
    const std::string problem = count < command.min_arguments
                                    ? absl::StrCat(count < names.size() ? names[count] : "an argument", " is missing")
                                    : Surplus();
    return UsageError(absl::StrCat(problem, "; ",
                                   guess ? absl::StrCat("did you mean `kvs ", *guess, "`?")
                                         : absl::StrCat("it is `", Usage(command), "`, as in `",
                                                        command.example.substr(0, command.example.find('\n')), "`")));
  }

  // What is wrong where there are too many arguments. One that looks like a flag was most likely meant as one.
  std::string Surplus() const {
    if (flag_like_) return absl::StrCat("`kvs ", line_.command->name, "` has no flag ", line_.arguments[*flag_like_]);
    return absl::StrCat("there is an argument too many: ", ShellQuoted(line_.arguments[line_.command->max_arguments]));
  }

  const absl::Span<const std::string> words_;
  size_t next_ = 0;
  bool only_arguments_ = false;
  std::optional<size_t> flag_like_;  // the first argument that begins like a flag, unless it is behind `--`
  CommandLine line_;
};

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const std::string> words) { return Parser(words).Run(); }

std::string OutputFlag(absl::Span<const std::string> words) {
  constexpr absl::string_view kFlag = "--output";
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (words[i] == kFlag && i + 1 < words.size()) return words[i + 1];
    if (absl::StartsWith(words[i], "--output=")) return words[i].substr(kFlag.size() + 1);
  }
  return {};
}

}  // namespace kvs::cli
