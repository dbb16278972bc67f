#include "common/config/toml_file.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>

#include "common/files.h"
#include "common/limits.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace kvs {
namespace {

absl::Status FileError(const std::string& path, const toml::source_region& source, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", source.begin.line, ": ", message));
}

std::optional<std::string> ScalarText(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return absl::StrCat(number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::vector<FileSetting>> ReadTomlFile(const std::string& path) {
  const auto contents = ReadSmallFile(path, kMiB);
  if (!contents.ok()) return contents.status();
  const toml::parse_result parsed = toml::parse(*contents);
  if (!parsed) return FileError(path, parsed.error().source(), std::string(parsed.error().description()));
  std::vector<FileSetting> settings;
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    const auto text = ScalarText(node);
    if (!text) {
      return FileError(path, key.source(),
                       absl::StrCat("\"", name, "\" must be a string, a whole number, or true or false"));
    }
    settings.push_back({.name = name, .text = *text, .line = static_cast<int>(key.source().begin.line)});
  }
  std::sort(settings.begin(), settings.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  return settings;
}

}  // namespace kvs
