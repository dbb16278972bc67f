// What a command is, and what it is given when it runs.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/environment.h"
#include "clients/cli/output.h"
#include "clients/cli/settings.h"
#include "clients/cpp/client.h"
#include "common/process/progress_bar.h"

namespace kvs::cli {

// What a flag's value or an argument is, so that the shell can complete it.
enum class Kind { kNothing, kText, kWords, kType, kFile, kDirectory };

struct Flag {
  absl::string_view name;   // without dashes
  absl::string_view value;  // what to call its value in the help; empty if it has none
  absl::string_view help;
  Kind kind = Kind::kNothing;
  absl::string_view words = {};  // for kWords, separated by spaces
};

// The flags that every command takes.
const std::vector<Flag>& CommonFlags();

struct Context {
  std::vector<std::string> arguments;
  // In the order given; of those that may be given once, the last counts.
  std::map<std::string, std::vector<std::string>> flags;
  Settings settings;
  Output& output;
  const Environment& environment;
  // What the flags ask of a change.
  client::MutationOptions mutation = {};

  std::optional<std::string> FlagValue(const std::string& name) const;

  // How to show how far something is; programs are spared.
  ProgressBar::Style progress_style() const {
    if (environment.interactive) return ProgressBar::Style::kBar;
    return output.format() == Format::kText ? ProgressBar::Style::kLines : ProgressBar::Style::kNone;
  }

  // A client by the settings. Says on the terminal when a call has to be repeated for longer.
  absl::StatusOr<client::Client> Connect() const;
};

struct Command {
  absl::string_view name;       // "get", or "set add" where it belongs to a group
  absl::string_view arguments;  // as the help shows them, one word for each: "TYPE KEY"
  absl::string_view summary;    // one line
  absl::string_view details;    // lines of text; may be empty
  absl::string_view example;    // lines of commands
  size_t min_arguments = 0;
  size_t max_arguments = 0;
  // The first argument that is anybody's text, such as a key: from there on, what begins with a dash and is no flag is
  // an argument.
  size_t text_from = 0;
  std::vector<Flag> flags = {};
  Kind completion = Kind::kNothing;  // of the first argument; kDirectory of all
  absl::string_view words = {};      // for Kind::kWords
  bool changes = false;              // whether it changes data; it has the flags of conditions then
  bool is_many_requests = false;     // but no --request-id, which names a single one
  bool has_own_conditions = false;   // but not if what it reads has conditions of its own
  bool takes_ttl = false;            // whether it has --ttl
  bool may_be_repeated = false;      // whether it does no harm to run it again, whatever became of it
  // The exit status, or the error to report.
  absl::StatusOr<int> (*run)(const Context& context) = nullptr;
  // For arguments that are too few, too many, or not of this command: a command line that may have been meant.
  std::optional<std::string> (*guess)(const std::vector<std::string>& arguments) = nullptr;
};

inline constexpr size_t kAnyNumber = static_cast<size_t>(-1);

}  // namespace kvs::cli
