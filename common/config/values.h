// The text of settings: durations, sizes, integers, switches. Errors tell what was expected, not which setting it was.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>

namespace kvs {

// Numbers with units, such as 500ms, 5s, 1m30s or 2h. Not negative, not infinite; 0 needs no unit.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

// A number of bytes, or a number with the unit KiB, MiB, GiB or TiB. Units of 1,000 are refused, since they are too
// easily taken for those of 1,024.
absl::StatusOr<uint64_t> ParseByteSize(absl::string_view text);
// In the largest unit that is exact.
std::string FormatByteSize(uint64_t bytes);

// Decimal digits only.
absl::StatusOr<uint64_t> ParseInteger(absl::string_view text);

// true or false.
absl::StatusOr<bool> ParseBool(absl::string_view text);

}  // namespace kvs
