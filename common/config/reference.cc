#include "common/config/reference.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>

#include <vector>

#include "common/config/version.h"

namespace kvs {
namespace {

constexpr size_t kWidth = 100;

constexpr absl::string_view kSources =
    "Every setting is a flag, an environment variable or a key of the file that --config names; what comes first here "
    "wins.";

// Breaks `text` between words; every line starts with `indent` spaces.
std::string Wrap(absl::string_view text, size_t indent) {
  std::string result;
  std::string line(indent, ' ');
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (line.size() > indent && line.size() + 1 + word.size() > kWidth) {
      absl::StrAppend(&result, line, "\n");
      line.assign(indent, ' ');
    }
    absl::StrAppend(&line, line.size() > indent ? " " : "", word);
  }
  return absl::StrCat(result, line, "\n");
}

std::string FlagForm(const Setting& setting) {
  return absl::StrCat("--", setting.name, setting.value_name.empty() ? "" : "=", setting.value_name);
}

std::string DefaultText(const Setting& setting) { return setting.default_text.empty() ? "none" : setting.default_text; }

std::string HelpOf(const ConfigParser& parser, const Setting& setting) {
  std::vector<std::string> facts = {absl::StrCat("Default: ", DefaultText(setting), ".")};
  if (!setting.allowed.empty()) facts.push_back(absl::StrCat("Allowed: ", setting.allowed, "."));
  facts.push_back(absl::StrCat("Environment: ", parser.EnvironmentName(setting.name), "."));
  return absl::StrCat("  ", FlagForm(setting), "\n", Wrap(setting.help, 6), Wrap(absl::StrJoin(facts, " "), 6));
}

// In a cell of a table a bar ends the cell even within code, and a word in angle brackets would be taken for HTML.
std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}, {"<", "&lt;"}}); }

std::string Code(absl::string_view text) { return absl::StrCat("`", absl::StrReplaceAll(text, {{"|", "\\|"}}), "`"); }

std::string MarkdownRow(const ConfigParser& parser, const Setting& setting) {
  const std::string allowed = setting.allowed.empty() ? "" : absl::StrCat(" Allowed: ", setting.allowed, ".");
  return absl::StrCat("| ", Code(FlagForm(setting)), " | ", Code(parser.EnvironmentName(setting.name)), " | ",
                      setting.default_text.empty() ? "none" : Code(setting.default_text), " | ", Cell(setting.help),
                      Cell(allowed), " |\n");
}

}  // namespace

std::string HelpText(const ConfigParser& parser) {
  std::string text = absl::StrCat(parser.program(), " ", Version(), "\n", Wrap(parser.description(), 0),
                                  "\nUsage: ", parser.program(), " [FLAG...]\n", Wrap(kSources, 0));
  for (const SettingSection& section : parser.sections()) {
    absl::StrAppend(&text, "\n", section.title, ":\n");
    for (const Setting& setting : section.settings) absl::StrAppend(&text, HelpOf(parser, setting));
  }
  absl::StrAppend(&text, "\nOther flags:\n  -h, --help\n      Print this and end.\n",
                  "  --version\n      Print the version and end.\n");
  return text;
}

std::string HelpMarkdown(const ConfigParser& parser) {
  std::string text = absl::StrCat("## ", parser.program(), "\n\n", parser.description(), "\n");
  for (const SettingSection& section : parser.sections()) {
    absl::StrAppend(&text, "\n### ", section.title,
                    "\n\n| Flag | Environment | Default | Meaning |\n| --- | --- | --- | --- |\n");
    for (const Setting& setting : section.settings) absl::StrAppend(&text, MarkdownRow(parser, setting));
  }
  return text;
}

}  // namespace kvs
