// Control characters: what a terminal or a reader of lines might obey.
#pragma once

#include <absl/strings/string_view.h>

#include <cstddef>
#include <string>

namespace kvs {

// How many bytes the control character has that the text begins with; 0 if it begins with none.
size_t ControlBytes(absl::string_view text);

// Adds each byte as "\x1b".
void AppendHex(absl::string_view bytes, std::string* out);

// A text that repeats somebody's words, as messages do: control characters are escaped, so that the line ends where it
// seems to and a terminal obeys nothing. Backslashes are as they were.
std::string WithoutControls(absl::string_view text);

}  // namespace kvs
