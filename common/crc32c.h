// CRC-32C (Castagnoli, as in RFC 3720), the checksum of ledgers and of replays.
#pragma once

#include <absl/strings/string_view.h>

#include <cstdint>

namespace kvs {

// The checksum of the bytes that gave `crc`, followed by `bytes`; start with 0.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view bytes);

inline uint32_t Crc32c(absl::string_view bytes) { return ExtendCrc32c(0, bytes); }

}  // namespace kvs
