// How one event becomes one line: pure functions behind logging.h.
#pragma once

#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <string>

#include "common/logging/logging.h"

namespace kvs {

// An event as text. Control characters are escaped, so that it stays one line and a terminal obeys none of them.
std::string FormatText(absl::Time time, LogLevel level, absl::string_view message, LogFields fields);

// An event as a JSON object, valid for every input: bytes that are not UTF-8 become U+FFFD, and numbers that JSON does
// not know (NaN, infinities) become strings.
std::string FormatJson(absl::Time time, LogLevel level, absl::string_view message, LogFields fields);

// A text as a JSON string with its quotes, valid for every input like FormatJson.
std::string JsonString(absl::string_view text);

// Lower-case name, as in --log-level.
absl::string_view LevelName(LogLevel level);

}  // namespace kvs
