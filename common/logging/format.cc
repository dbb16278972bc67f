#include "common/logging/format.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "common/control_characters.h"
#include "common/utf8.h"

namespace kvs {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string Timestamp(absl::Time time) { return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", time, absl::UTCTimeZone()); }

// Quotes and backslashes are kept as they are outside of quotes.
enum class Quoting { kNone, kQuoted };

void AppendControl(std::string& out, absl::string_view control) {
  if (control == "\n") {
    out += "\\n";
  } else if (control == "\r") {
    out += "\\r";
  } else if (control == "\t") {
    out += "\\t";
  } else {
    absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(control.back()));
  }
}

// What is quoted this way is the inside of a JSON string; text uses the same escapes.
void AppendEscaped(std::string& out, absl::string_view text, Quoting quoting) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceBytes(text);
    const absl::string_view sequence = text.substr(0, length);
    if (length == 0) {
      absl::StrAppend(&out, kReplacement);
    } else if (ControlBytes(sequence) > 0) {
      AppendControl(out, sequence);
    } else {
      if (quoting == Quoting::kQuoted && (sequence == "\"" || sequence == "\\")) out += '\\';
      absl::StrAppend(&out, sequence);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

void AppendQuoted(std::string& out, absl::string_view text) {
  out += '"';
  AppendEscaped(out, text, Quoting::kQuoted);
  out += '"';
}

bool NeedsQuotes(absl::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte <= ' ' || byte >= 0x7F || c == '"' || c == '=' || c == '\\';
         });
}

void AppendValue(std::string& out, const LogField& field, LogFormat format) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, bool>) {
          out += value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::string>) {
          if (format == LogFormat::kText && !NeedsQuotes(value)) {
            out += value;
          } else {
            AppendQuoted(out, value);
          }
        } else if constexpr (std::is_same_v<T, double>) {
          if (format == LogFormat::kJson && !std::isfinite(value)) {
            AppendQuoted(out, absl::StrCat(value));
          } else {
            absl::StrAppend(&out, value);
          }
        } else {
          absl::StrAppend(&out, value);
        }
      },
      field.value());
}

// Padded, so that messages start in one column.
absl::string_view TextLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO ";
    case LogLevel::kWarn:
      return "WARN ";
    case LogLevel::kError:
      return "ERROR";
  }
  return "ERROR";
}

}  // namespace

std::string JsonString(absl::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string FormatText(absl::Time time, LogLevel level, absl::string_view message, LogFields fields) {
  std::string line = absl::StrCat(Timestamp(time), " ", TextLevel(level), " ");
  AppendEscaped(line, message, Quoting::kNone);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, &field == fields.begin() ? "  " : " ", field.name(), "=");
    AppendValue(line, field, LogFormat::kText);
  }
  return line;
}

std::string FormatJson(absl::Time time, LogLevel level, absl::string_view message, LogFields fields) {
  std::string line =
      absl::StrCat("{\"time\":\"", Timestamp(time), "\",\"level\":\"", LevelName(level), "\",\"message\":");
  AppendQuoted(line, message);
  for (const LogField& field : fields) {
    line += ',';
    AppendQuoted(line, field.name());
    line += ':';
    AppendValue(line, field, LogFormat::kJson);
  }
  line += '}';
  return line;
}

}  // namespace kvs
