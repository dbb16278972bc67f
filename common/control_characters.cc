#include "common/control_characters.h"

#include <absl/strings/str_format.h>

#include <algorithm>

namespace kvs {

std::string WithoutControls(absl::string_view text) {
  std::string line;
  while (!text.empty()) {
    const size_t control = ControlBytes(text);
    if (text.front() == '\n') {
      line += "\\n";
    } else if (text.front() == '\t') {
      line += "\\t";
    } else if (control > 0) {
      AppendHex(text.substr(0, control), &line);
    } else {
      line += text.front();
    }
    text.remove_prefix(std::max<size_t>(control, 1));
  }
  return line;
}

size_t ControlBytes(absl::string_view text) {
  if (text.empty()) return 0;
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte < 0x20 || byte == 0x7F) return 1;
  // U+0080 to U+009F, of which some terminals take one for the begin of a command.
  return byte == 0xC2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xA0 ? 2 : 0;
}

void AppendHex(absl::string_view bytes, std::string* out) {
  for (const char c : bytes) absl::StrAppendFormat(out, "\\x%02x", static_cast<unsigned char>(c));
}

}  // namespace kvs
