#include "clients/cli/settings.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "clients/cli/exit_status.h"
#include "clients/cli/output.h"
#include "common/config/toml_file.h"
#include "common/config/values.h"
#include "common/control_characters.h"

namespace kvs::cli {
namespace {

namespace fs = std::filesystem;

struct Name {
  absl::string_view name;      // of the flag and in config.toml
  absl::string_view variable;  // in the environment
  Setting Settings::* setting;
};

constexpr Name kNames[] = {
    {"address", "KVS_ADDRESS", &Settings::address},
    {"ca", "KVS_CA", &Settings::ca},
    {"cert", "KVS_CERT", &Settings::cert},
    {"key", "KVS_KEY", &Settings::key},
    {"plaintext", "KVS_PLAINTEXT", &Settings::plaintext},
    {"timeout", "KVS_TIMEOUT", &Settings::timeout},
    {"output", "KVS_OUTPUT", &Settings::output},
};

const Name* FindName(absl::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kNames), std::end(kNames), [&](const Name& candidate) { return candidate.name == name; });
  return found == std::end(kNames) ? nullptr : found;
}

// Collects settings, the first place that has one first.
class Search {
 public:
  Search(const std::map<std::string, std::string>& flags, const Environment& environment)
      : flags_(flags), environment_(environment) {}

  Settings Run() {
    FromFlags();
    FromVariables();
    FromConfigFile();
    FromDotKvs();
    FromDefaults();
    ChooseSecurity();
    CheckValues();
    return std::move(settings_);
  }

 private:
  void Set(const Name& name, std::string value, std::string source) {
    Setting& setting = settings_.*name.setting;
    if (setting.source.empty()) setting = {std::move(value), std::move(source), rank_};
  }

  void NextPlace(absl::string_view description) {
    settings_.places.emplace_back(description);
    ++rank_;
  }

  void Fail(absl::string_view message) {
    if (settings_.problem.ok()) settings_.problem = UsageError(message);
  }

  void FromFlags() {
    std::vector<std::string> given;
    for (const Name& name : kNames) {
      const auto flag = flags_.find(std::string(name.name));
      if (flag == flags_.end()) continue;
      given.push_back(absl::StrCat("--", name.name));
      Set(name, flag->second, given.back());
    }
    NextPlace(absl::StrCat("flags: ", given.empty() ? "none" : absl::StrJoin(given, ", ")));
  }

  void FromVariables() {
    std::vector<std::string> given;
    for (const Name& name : kNames) {
      const auto value = environment_.variable(name.variable);
      if (!value) continue;
      given.emplace_back(name.variable);
      Set(name, *value, given.back());
    }
    NextPlace(absl::StrCat("environment: ",
                           given.empty() ? "no KVS_ADDRESS, KVS_CA, KVS_CERT, KVS_KEY" : absl::StrJoin(given, ", ")));
  }

  fs::path ConfigFile() const {
    if (const auto base = environment_.variable("XDG_CONFIG_HOME")) return fs::path(*base) / "kvs" / "config.toml";
    if (const auto home = environment_.variable("HOME")) return fs::path(*home) / ".config" / "kvs" / "config.toml";
    return {};
  }

  void FromConfigFile() {
    const fs::path path = ConfigFile();
    std::error_code error;
    if (path.empty()) return NextPlace("config.toml: no HOME to look in");
    if (!fs::exists(path, error)) return NextPlace(absl::StrCat(path.string(), ": not there"));
    const auto file = ReadTomlFile(path.string());
    if (!file.ok()) {
      Fail(file.status().message());
      return NextPlace(absl::StrCat(path.string(), ": cannot be read"));
    }
    for (const FileSetting& entry : *file) FromConfigEntry(path, entry);
    NextPlace(absl::StrCat(path.string(), ": read"));
  }

  void FromConfigEntry(const fs::path& path, const FileSetting& entry) {
    const Name* const name = FindName(entry.name);
    if (name == nullptr) {
      return Fail(absl::StrCat(path.string(), ":", entry.line, ": there is no setting ", entry.name,
                               "; there are address, ca, cert, key, plaintext, timeout and output"));
    }
    const bool is_file = entry.name == "ca" || entry.name == "cert" || entry.name == "key";
    Set(*name, is_file && !entry.text.empty() ? (path.parent_path() / entry.text).string() : entry.text, path.string());
  }

  // Whoever can make a folder above this one could send us to a server of his own, so it has to be ours.
  static bool IsTrusted(const fs::path& directory) {
    struct stat info = {};
    return stat(directory.c_str(), &info) == 0 && (info.st_uid == geteuid() || info.st_uid == 0);
  }

  std::optional<fs::path> FindDotKvs() {
    for (fs::path directory = environment_.working_directory;; directory = directory.parent_path()) {
      const fs::path candidate = directory / ".kvs";
      std::error_code error;
      if (fs::is_directory(candidate, error)) return candidate;
      if (directory == directory.parent_path()) return std::nullopt;
    }
  }

  void FromDotKvs() {
    const auto found = FindDotKvs();
    if (!found) {
      return NextPlace(
          absl::StrCat(".kvs: not in ", environment_.working_directory.string(), " nor in a folder above it"));
    }
    if (!IsTrusted(*found)) {
      return NextPlace(absl::StrCat(found->string(), ": not used, because it belongs to another user"));
    }
    if (euidaccess(found->c_str(), R_OK | X_OK) != 0) {
      return NextPlace(absl::StrCat(found->string(), ": not used, because you may not read it"));
    }
    const std::string source = found->string();
    std::ifstream address_file(*found / "address");
    std::string address;
    if (std::getline(address_file, address)) {
      Set(*FindName("address"), std::string(absl::StripAsciiWhitespace(address)), source);
    }
    constexpr std::pair<absl::string_view, absl::string_view> kFiles[] = {
        {"ca", "ca.crt"}, {"cert", "client.crt"}, {"key", "client.key"}};
    std::error_code error;
    for (const auto& [name, file] : kFiles) {
      const fs::path path = *found / "certs" / std::string(file);
      if (fs::exists(path, error)) Set(*FindName(name), path.string(), source);
    }
    NextPlace(absl::StrCat(source, ": found"));
  }

  void FromDefaults() {
    constexpr absl::string_view kDefault = "the default";
    Set(*FindName("address"), "localhost:5050", std::string(kDefault));
    Set(*FindName("timeout"), "10s", std::string(kDefault));
    Set(*FindName("output"), "text", std::string(kDefault));
  }

  void ChooseSecurity() {
    const auto is_plaintext = ParseBool(settings_.plaintext.source.empty() ? "false" : settings_.plaintext.value);
    if (!is_plaintext.ok()) {
      return Fail(absl::StrCat("plaintext from ", settings_.plaintext.source, " must be true or false, not \"",
                               settings_.plaintext.value, "\""));
    }
    if (!*is_plaintext) return;
    for (Setting Settings::* file : {&Settings::ca, &Settings::cert, &Settings::key}) {
      const Setting& certificate = settings_.*file;
      if (certificate.source.empty() || certificate.rank > settings_.plaintext.rank) continue;
      if (certificate.rank == settings_.plaintext.rank) {
        return Fail(absl::StrCat(settings_.plaintext.source, " and ", certificate.source,
                                 " contradict each other: certificates belong to TLS; give one of them"));
      }
      settings_.plaintext = {};
      return;
    }
    settings_.ca = settings_.cert = settings_.key = {};
  }

  void CheckValues() {
    const auto& output = settings_.output;
    if (output.value != "text" && output.value != "json") {
      Fail(absl::StrCat("output from ", output.source, " must be text or json, not \"", output.value, "\""));
    }
    if (settings_.cert.source.empty() != settings_.key.source.empty()) {
      const bool has_cert = !settings_.cert.source.empty();
      Fail(absl::StrCat("there is a ", has_cert ? "certificate" : "key", " (from ",
                        has_cert ? settings_.cert.source : settings_.key.source, ") without its ",
                        has_cert ? "key: give --key too" : "certificate: give --cert too"));
    }
  }

  const std::map<std::string, std::string>& flags_;
  const Environment& environment_;
  Settings settings_;
  size_t rank_ = 0;
};

// Seconds where there is no unit.
absl::StatusOr<absl::Duration> ParseTimeout(const Setting& setting) {
  double seconds = 0;
  auto timeout = absl::SimpleAtod(setting.value, &seconds) ? absl::StatusOr<absl::Duration>(absl::Seconds(seconds))
                                                           : ParseDuration(setting.value);
  if (timeout.ok() && *timeout > absl::ZeroDuration() && *timeout <= absl::Hours(24)) return timeout;
  return UsageError(absl::StrCat("the timeout \"", setting.value, "\" from ", setting.source,
                                 " must be more than nothing and at most a day, such as 500ms, 10s or 2m"));
}

}  // namespace

Settings FindSettings(const std::map<std::string, std::string>& flags, const Environment& environment) {
  return Search(flags, environment).Run();
}

absl::StatusOr<client::Options> ClientOptions(const Settings& settings) {
  if (!settings.problem.ok()) return settings.problem;
  const auto timeout = ParseTimeout(settings.timeout);
  if (!timeout.ok()) return timeout.status();
  client::Options options;
  options.address = settings.address.value;
  options.ca = settings.ca.value;
  options.certificate = settings.cert.value;
  options.key = settings.key.value;
  options.plaintext = settings.is_plaintext();
  options.timeout = *timeout;
  return options;
}

std::string Describe(const Settings& settings) {
  std::string text;
  const auto add = [&](absl::string_view name, const Setting& setting, absl::string_view absent) {
    const bool is_set = !setting.source.empty();
    absl::StrAppendFormat(&text, "  %-9s %s  (%s)\n", name,
                          is_set ? WithoutControls(setting.value) : std::string(absent),
                          is_set ? WithoutControls(setting.source) : "nothing sets it");
  };
  add("address", settings.address, "");
  if (settings.is_plaintext()) {
    add("plaintext", settings.plaintext, "");
  } else {
    add("ca", settings.ca, "the authorities that this system trusts");
    add("cert", settings.cert, "none, so the server sees no name");
    add("key", settings.key, "none");
  }
  absl::StrAppend(&text, "looked at:\n");
  for (const std::string& place : settings.places) absl::StrAppend(&text, "  ", WithoutControls(place), "\n");
  return text;
}

}  // namespace kvs::cli
