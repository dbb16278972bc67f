// Hexadecimal digits to bytes. Abseil's function of the kind cannot tell whether there are others, or is too new for
// the oldest version that this is built with.
#pragma once

#include <absl/strings/string_view.h>

#include <optional>
#include <string>

namespace kvs {

// The bytes that pairs of digits stand for, of either case; nothing if there is anything else.
std::optional<std::string> BytesOfHex(absl::string_view digits);

}  // namespace kvs
