#include "common/utf8.h"

#include <string>

#include "tests/support/catch.h"

namespace kvs {
namespace {

// A code point as its bytes, whether or not it may be encoded.
std::string Encode(uint32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

TEST_CASE("every code point but surrogates is UTF-8, wherever it stands in a text") {
  size_t wrong = 0;
  for (uint32_t c = 0; c < 0x120000; ++c) {
    const std::string text = std::string(c % 11, 'x') + Encode(c) + std::string(c % 13, 'y');
    const bool is_code_point = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
    wrong += IsUtf8(text) == is_code_point ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("overlong forms, single continuations and texts that break off are no UTF-8") {
  for (const char* text :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\x80", "\xBF", "\xFE", "\xFF", "\xF5\x80\x80\x80",
        "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC3(", "\xE2\x82(", "\xF0\x9F\x98("}) {
    INFO(text);
    CHECK_FALSE(IsUtf8(text));
    CHECK_FALSE(IsUtf8(std::string("eight 8 ") + text));
  }
  CHECK(IsUtf8(""));
  CHECK(IsUtf8(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace kvs
