#include "common/config/config_parser.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_replace.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "common/config/reference.h"
#include "common/config/toml_file.h"
#include "common/config/values.h"
#include "common/config/version.h"
#include "common/control_characters.h"

namespace kvs {
namespace {

constexpr absl::string_view kConfig = "config";

// Whether Kubernetes or Docker might inject an environment variable of this name.
bool IsInjected(absl::string_view env_name) {
  return absl::EndsWith(env_name, "_PORT") || absl::StrContains(env_name, "_PORT_") ||
         absl::EndsWith(env_name, "_SERVICE_HOST") || absl::StrContains(env_name, "_SERVICE_PORT");
}

// A mistake in the table of settings, which the first start of the program shows.
[[noreturn]] void EndForBadTable(absl::string_view name, absl::string_view problem) {
  std::fprintf(stderr, "setting \"%s\" %s\n", std::string(name).c_str(), std::string(problem).c_str());
  std::abort();
}

absl::Status Located(absl::string_view name, absl::string_view text, absl::string_view source,
                     const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(name, "=", text, " (", source, "): ", status.message()));
}

// CLI11 takes the arguments last first, and would read the flag that follows --NAME= as the value of that.
std::vector<std::string> ForCli11(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (auto it = arguments.rbegin(); it != arguments.rend(); ++it) {
    if (absl::StartsWith(*it, "--") && absl::EndsWith(*it, "=")) {
      result.emplace_back();
      result.push_back(it->substr(0, it->size() - 1));
    } else {
      result.push_back(*it);
    }
  }
  return result;
}

// The setter of a setting whose text `parse` reads and whose value must be within `range`, described as `allowed`.
template <typename T, typename Field>
std::function<absl::Status(absl::string_view)> RangedSetter(absl::StatusOr<T> (*parse)(absl::string_view), Field* field,
                                                            Range<T> range, const std::string& allowed) {
  return [=](absl::string_view text) -> absl::Status {
    const auto value = parse(text);
    if (!value.ok()) return value.status();
    if (*value < range.min || *value > range.max) {
      return absl::InvalidArgumentError(absl::StrCat("must be ", allowed));
    }
    *field = *value;
    return absl::OkStatus();
  };
}

// Words for a range; `format` makes the text of one end.
template <typename T, typename Format>
std::string DescribeRange(Range<T> range, T least, T greatest, Format format) {
  if (range.min == least && range.max == greatest) return "";
  if (range.max == greatest) return absl::StrCat("at least ", format(range.min));
  return absl::StrCat(format(range.min), " to ", format(range.max));
}

std::string DescribeIntegers(Range<uint64_t> range) {
  return DescribeRange(range, kAnyInteger.min, kAnyInteger.max, [](uint64_t value) { return absl::StrCat(value); });
}

}  // namespace

ConfigParser::ConfigParser(std::string program, std::string env_prefix, std::string description)
    : program_(std::move(program)), env_prefix_(std::move(env_prefix)), description_(std::move(description)) {
  AddSection("Settings file");
  AddPath(kConfig, &config_path_,
          "A TOML file with settings: lines such as log-level = \"debug\", named like the flags. Flags and environment "
          "variables win over it.");
}

void ConfigParser::AddSection(std::string title) { sections_.push_back({.title = std::move(title)}); }

void ConfigParser::AddSwitch(absl::string_view name, bool* field, absl::string_view help) {
  Add({.name = std::string(name),
       .default_text = *field ? "true" : "false",
       .help = std::string(help),
       .set = RangedSetter<bool>(ParseBool, field, {false, true}, "")});
}

void ConfigParser::AddText(absl::string_view name, std::string* field, absl::string_view value_name,
                           absl::string_view help) {
  Add({.name = std::string(name),
       .value_name = std::string(value_name),
       .default_text = *field,
       .help = std::string(help),
       .set = [field](absl::string_view text) {
         *field = std::string(text);
         return absl::OkStatus();
       }});
}

void ConfigParser::AddPath(absl::string_view name, std::string* field, absl::string_view help) {
  Add({.name = std::string(name),
       .value_name = "PATH",
       .default_text = *field,
       .help = std::string(help),
       .set = [field](absl::string_view text) {
         if (text.empty()) return absl::InvalidArgumentError("expected a path");
         *field = std::string(text);
         return absl::OkStatus();
       }});
}

void ConfigParser::AddInteger(absl::string_view name, uint64_t* field, Range<uint64_t> range, absl::string_view help) {
  const std::string allowed = DescribeIntegers(range);
  Add({.name = std::string(name),
       .value_name = "NUMBER",
       .default_text = absl::StrCat(*field),
       .allowed = allowed,
       .help = std::string(help),
       .set = RangedSetter(ParseInteger, field, range, allowed)});
}

void ConfigParser::AddDuration(absl::string_view name, absl::Duration* field, Range<absl::Duration> range,
                               absl::string_view help) {
  const std::string allowed = DescribeRange(range, kAnyDuration.min, kAnyDuration.max, absl::FormatDuration);
  Add({.name = std::string(name),
       .value_name = "DURATION",
       .default_text = absl::FormatDuration(*field),
       .allowed = allowed,
       .help = std::string(help),
       .set = RangedSetter(ParseDuration, field, range, allowed)});
}

void ConfigParser::AddByteSize(absl::string_view name, size_t* field, Range<uint64_t> range, absl::string_view help,
                               uint64_t unit) {
  std::string allowed = DescribeRange(range, kAnyInteger.min, kAnyInteger.max, FormatByteSize);
  if (unit > 1) absl::StrAppend(&allowed, ", a multiple of ", unit);
  Add({.name = std::string(name),
       .value_name = "SIZE",
       .default_text = FormatByteSize(*field),
       .allowed = allowed,
       .help = std::string(help),
       .set = [=, set = RangedSetter(ParseByteSize, field, range, allowed)](absl::string_view text) {
         const auto value = ParseByteSize(text);
         if (!value.ok() || *value % unit == 0) return set(text);
         return absl::InvalidArgumentError(absl::StrCat("must be ", allowed));
       }});
}

void ConfigParser::AddAddress(absl::string_view name, Address* field, absl::string_view help, bool* is_given) {
  Add({.name = std::string(name),
       .value_name = "HOST:PORT",
       .default_text = field->ToString(),
       .help = std::string(help),
       .set = [field, is_given](absl::string_view text) {
         auto address = ParseAddress(text);
         if (address.ok()) *field = *address;
         if (is_given != nullptr) *is_given = true;
         return address.status();
       }});
}

void ConfigParser::Add(Setting setting) {
  if (Find(setting.name) != nullptr) EndForBadTable(setting.name, "is in the table twice");
  if (IsInjected(EnvironmentName(setting.name))) {
    EndForBadTable(setting.name, "has an environment variable that container platforms inject");
  }
  sections_.back().settings.push_back(std::move(setting));
}

std::string ConfigParser::EnvironmentName(absl::string_view setting_name) const {
  return absl::StrCat(env_prefix_, absl::AsciiStrToUpper(absl::StrReplaceAll(setting_name, {{"-", "_"}})));
}

const Setting* ConfigParser::Find(absl::string_view name) const {
  for (const SettingSection& section : sections_) {
    for (const Setting& setting : section.settings) {
      if (setting.name == name) return &setting;
    }
  }
  return nullptr;
}

absl::StatusOr<ConfigParser::CommandLine> ConfigParser::ReadCommandLine(
    const std::vector<std::string>& arguments) const {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  CommandLine result;
  app.add_flag("-h,--help", result.help);
  app.add_flag("--help-markdown", result.help_markdown);
  app.add_flag("--version", result.version);
  std::map<std::string, CLI::Option*> options;
  std::string unused;
  for (const SettingSection& section : sections_) {
    for (const Setting& setting : section.settings) {
      const std::string flag = absl::StrCat("--", setting.name);
      CLI::Option* option = setting.value_name.empty() ? app.add_flag(flag) : app.add_option(flag, unused);
      options[setting.name] = option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
  try {
    app.parse(ForCli11(arguments));
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  for (const std::string& extra : app.remaining()) {
    const std::string name = extra.substr(0, extra.find('='));
    return absl::InvalidArgumentError(absl::StartsWith(name, "-") ? absl::StrCat("unknown flag ", name)
                                                                  : absl::StrCat("unexpected argument \"", name, "\""));
  }
  for (const auto& [name, option] : options) {
    if (option->count() > 0) result.values.emplace_back(name, option->results().back());
  }
  return result;
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ConfigParser::ReadEnvironment(
    const std::vector<std::string>& environment) const {
  std::map<std::string, std::string> names;
  for (const SettingSection& section : sections_) {
    for (const Setting& setting : section.settings) names[EnvironmentName(setting.name)] = setting.name;
  }
  std::vector<std::pair<std::string, std::string>> values;
  for (const std::string& entry : environment) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = entry.substr(0, equals);
    const std::string text = entry.substr(equals + 1);
    if (!absl::StartsWith(name, env_prefix_) || IsInjected(name) || text.empty()) continue;
    const auto it = names.find(name);
    if (it == names.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown environment variable ", name));
    }
    values.emplace_back(it->second, text);
  }
  return values;
}

absl::Status ConfigParser::ApplyFile(const std::string& path) const {
  const auto settings = ReadTomlFile(path);
  if (!settings.ok()) return settings.status();
  for (const FileSetting& from_file : *settings) {
    const std::string source = absl::StrCat(path, ":", from_file.line);
    const Setting* setting = Find(from_file.name);
    if (setting == nullptr || setting->name == kConfig) {
      return absl::InvalidArgumentError(absl::StrCat(source, ": unknown key \"", from_file.name, "\""));
    }
    if (absl::Status status = setting->set(from_file.text); !status.ok()) {
      return Located(from_file.name, from_file.text, source, status);
    }
  }
  return absl::OkStatus();
}

absl::Status ConfigParser::Apply(const CommandLine& command_line, const std::vector<std::string>& environment) {
  const auto from_environment = ReadEnvironment(environment);
  if (!from_environment.ok()) return from_environment.status();
  const auto find_config = [this](const auto& values) {
    for (const auto& [name, text] : values) {
      if (name == kConfig) config_path_ = text;
    }
  };
  find_config(*from_environment);
  find_config(command_line.values);
  if (!config_path_.empty()) {
    if (absl::Status status = ApplyFile(config_path_); !status.ok()) return status;
  }
  for (const auto& [name, text] : *from_environment) {
    if (absl::Status status = Find(name)->set(text); !status.ok()) {
      return Located(EnvironmentName(name), text, "environment", status);
    }
  }
  for (const auto& [name, text] : command_line.values) {
    if (absl::Status status = Find(name)->set(text); !status.ok()) {
      return Located(absl::StrCat("--", name), text, "flag", status);
    }
  }
  return absl::OkStatus();
}

ConfigParser::Result ConfigParser::Parse(const std::vector<std::string>& arguments,
                                         const std::vector<std::string>& environment) {
  const auto command_line = ReadCommandLine(arguments);
  absl::Status status = command_line.status();
  if (status.ok()) {
    if (command_line->help) return {.text = HelpText(*this)};
    if (command_line->help_markdown) return {.text = HelpMarkdown(*this)};
    if (command_line->version) return {.text = absl::StrCat(program_, " ", Version(), "\n")};
    status = Apply(*command_line, environment);
  }
  if (status.ok()) return {.proceed = true};
  return {.exit_code = kExitBadSettings,
          .text = absl::StrCat(program_, ": ", WithoutControls(status.message()), "; see ", program_, " --help\n")};
}

std::optional<int> ConfigParser::ParseMain(int argc, const char* const* argv) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const Result result = Parse(std::vector<std::string>(argv + 1, argv + argc), environment);
  if (result.proceed) return std::nullopt;
  std::fputs(result.text.c_str(), result.exit_code == 0 ? stdout : stderr);
  return result.exit_code;
}

}  // namespace kvs
