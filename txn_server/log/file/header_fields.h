// Numbers and texts at fixed places of the headers in files: little-endian, unsigned.
#pragma once

#include <absl/strings/str_format.h>
#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/crc32c.h"

namespace kvs::txn {

inline void Put32(std::string& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

inline void Put64(std::string& bytes, size_t at, uint64_t value) {
  for (size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

inline uint32_t Get32(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return value;
}

inline uint64_t Get64(absl::string_view bytes, size_t at) {
  return Get32(bytes, at) | uint64_t{Get32(bytes, at + 4)} << 32;
}

inline void PutText(std::string& bytes, size_t at, absl::string_view text) { text.copy(&bytes[at], text.size()); }

// What is wrong with the checksum of a header.
inline std::string CheckIntegrity(absl::string_view bytes, size_t crc_at) {
  const uint32_t stored = Get32(bytes, crc_at);
  const uint32_t actual = Crc32c(bytes.substr(0, crc_at));
  if (stored == actual) return "";
  return absl::StrFormat("the checksum of the header is %08x and its bytes give %08x", stored, actual);
}

}  // namespace kvs::txn
