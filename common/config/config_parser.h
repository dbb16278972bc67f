// The settings of a program: one table, read from flags, environment variables and a TOML file.
//
// A program has one documented struct of settings, whose initial values are the defaults, and one function that lists
// them. The setting "drain-timeout" of a program with the prefix TXN_SERVER_ is the flag --drain-timeout=10s, the
// environment variable TXN_SERVER_DRAIN_TIMEOUT=10s and the line drain-timeout = "10s" of the file that --config names.
// A flag wins over the environment, that over the file, that over the default.
//
// Nothing is ignored: an unknown flag, file key or environment variable with the prefix, a malformed value and one out
// of range are errors, even where something of higher precedence overrides them. Errors name the setting and where it
// came from. Exempt are the variables that container platforms inject for a service of the program's name (…_PORT,
// …_PORT_…, …_SERVICE_HOST, …_SERVICE_PORT…), and empty ones, which count as not set.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/config/address.h"
#include "common/exit_codes.h"

namespace kvs {

// What a setting may be, both ends included.
template <typename T>
struct Range {
  T min;
  T max;
};

inline constexpr Range<uint64_t> kAnyInteger{0, std::numeric_limits<uint64_t>::max()};
inline constexpr Range<absl::Duration> kAnyDuration{absl::ZeroDuration(), absl::InfiniteDuration()};

// One row of the table, as --help and the reference show it.
struct Setting {
  std::string name;          // As in --NAME.
  std::string value_name;    // What stands for the value, such as HOST:PORT. Empty for a switch.
  std::string default_text;  // Empty if there is none.
  std::string allowed;       // What it may be, such as "1s to 1h". Empty if value_name says all.
  std::string help;          // Sentences: meaning, and what depends on it.
  // Stores a value; an error tells what was expected.
  std::function<absl::Status(absl::string_view text)> set;
};

struct SettingSection {
  std::string title;
  std::vector<Setting> settings;
};

class ConfigParser {
 public:
  // `env_prefix` ends in an underscore. `description` is one or two sentences.
  ConfigParser(std::string program, std::string env_prefix, std::string description);

  // The settings that follow belong to this section of --help. Programs begin with one.
  void AddSection(std::string title);

  // Each adds a setting whose default is what `field` holds now, and which Parse stores there. Names are lower case
  // with hyphens; one whose environment variable a container platform might inject ends the program, as does one that
  // is there twice.
  void AddSwitch(absl::string_view name, bool* field, absl::string_view help);
  void AddText(absl::string_view name, std::string* field, absl::string_view value_name, absl::string_view help);
  void AddPath(absl::string_view name, std::string* field, absl::string_view help);
  void AddInteger(absl::string_view name, uint64_t* field, Range<uint64_t> range, absl::string_view help);
  void AddDuration(absl::string_view name, absl::Duration* field, Range<absl::Duration> range, absl::string_view help);
  // A multiple of `unit`.
  void AddByteSize(absl::string_view name, size_t* field, Range<uint64_t> range, absl::string_view help,
                   uint64_t unit = 1);
  // `is_given`, unless it is null, becomes true where the setting is given, be it as its default.
  void AddAddress(absl::string_view name, Address* field, absl::string_view help, bool* is_given = nullptr);
  // One of the named values.
  template <typename Enum>
  void AddChoice(absl::string_view name, Enum* field, std::initializer_list<std::pair<absl::string_view, Enum>> choices,
                 absl::string_view help);
  // A setting of any other kind.
  void Add(Setting setting);

  // What Parse decided.
  struct Result {
    // Whether to go on. If not, the program prints `text` and ends with `exit_code`.
    bool proceed = false;
    // 0 after --help, --version and --help-markdown, else kExitBadSettings.
    int exit_code = 0;
    // For standard output if the exit code is 0, else one line for standard error.
    std::string text;
  };

  // Reads the settings into their fields. `arguments` are without the program's name, `environment` holds NAME=VALUE.
  Result Parse(const std::vector<std::string>& arguments, const std::vector<std::string>& environment);

  // The same for main(): the process's own environment, output printed, and the exit code if the program should end.
  std::optional<int> ParseMain(int argc, const char* const* argv);

  // The environment variable of a setting.
  std::string EnvironmentName(absl::string_view setting_name) const;

  // The file that Parse read, empty if there was none.
  const std::string& config_path() const { return config_path_; }

  const std::string& program() const { return program_; }
  const std::string& description() const { return description_; }
  const std::vector<SettingSection>& sections() const { return sections_; }

 private:
  // What the command line holds.
  struct CommandLine {
    std::vector<std::pair<std::string, std::string>> values;  // Setting name, text.
    bool help = false;
    bool help_markdown = false;
    bool version = false;
  };

  const Setting* Find(absl::string_view name) const;
  absl::StatusOr<CommandLine> ReadCommandLine(const std::vector<std::string>& arguments) const;
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ReadEnvironment(
      const std::vector<std::string>& environment) const;
  absl::Status ApplyFile(const std::string& path) const;
  absl::Status Apply(const CommandLine& command_line, const std::vector<std::string>& environment);

  const std::string program_;
  const std::string env_prefix_;
  const std::string description_;
  std::string config_path_;
  std::vector<SettingSection> sections_;
};

template <typename Enum>
void ConfigParser::AddChoice(absl::string_view name, Enum* field,
                             std::initializer_list<std::pair<absl::string_view, Enum>> choices,
                             absl::string_view help) {
  std::string names;
  std::string default_text;
  std::vector<std::pair<std::string, Enum>> table;
  for (const auto& [choice, value] : choices) {
    absl::StrAppend(&names, names.empty() ? "" : "|", choice);
    if (value == *field) default_text = std::string(choice);
    table.emplace_back(std::string(choice), value);
  }
  Add({.name = std::string(name),
       .value_name = names,
       .default_text = default_text,
       .help = std::string(help),
       .set = [field, table, names](absl::string_view text) {
         for (const auto& [choice, value] : table) {
           if (text != choice) continue;
           *field = value;
           return absl::OkStatus();
         }
         return absl::InvalidArgumentError(absl::StrCat("expected one of ", names));
       }});
}

}  // namespace kvs
