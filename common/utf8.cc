#include "common/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace kvs {
namespace {

struct ByteRange {
  unsigned char low, high;
};

// What the second byte of a sequence may be: it excludes overlong forms, surrogates and what is past U+10FFFF.
ByteRange SecondByte(unsigned char lead) {
  switch (lead) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
  }
  return {0x80, 0xBF};
}

}  // namespace

size_t Utf8SequenceBytes(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                        : (lead & 0xF0) == 0xE0        ? 3
                        : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  const ByteRange second = SecondByte(lead);
  if (byte(1) < second.low || byte(1) > second.high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

bool IsUtf8(absl::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  while (!text.empty()) {
    uint64_t block = 0;
    std::memcpy(&block, text.data(), std::min(text.size(), sizeof(block)));
    if ((block & kHighBits) == 0) {
      text.remove_prefix(std::min(text.size(), sizeof(block)));
      continue;
    }
    const size_t length = Utf8SequenceBytes(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace kvs
