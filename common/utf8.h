// UTF-8 as the Unicode standard has it (table 3-7): without overlong forms, surrogates, and what is past U+10FFFF.
#pragma once

#include <absl/strings/string_view.h>

#include <cstddef>

namespace kvs {

// Bytes of the sequence at the front of `text`, 0 if there is no valid one. REQUIRES: it is not empty.
size_t Utf8SequenceBytes(absl::string_view text);

bool IsUtf8(absl::string_view text);

}  // namespace kvs
