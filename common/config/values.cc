#include "common/config/values.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <limits>

namespace kvs {
namespace {

struct SizeUnit {
  absl::string_view name;
  uint64_t bytes;
};

// Largest first.
constexpr SizeUnit kSizeUnits[] = {
    {"TiB", uint64_t{1} << 40}, {"GiB", uint64_t{1} << 30}, {"MiB", uint64_t{1} << 20}, {"KiB", uint64_t{1} << 10}};

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() ||
      duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError("expected a duration with its unit, such as 500ms, 5s or 2m");
  }
  return duration;
}

absl::StatusOr<uint64_t> ParseByteSize(absl::string_view text) {
  uint64_t unit = 1;
  for (const SizeUnit& candidate : kSizeUnits) {
    if (absl::ConsumeSuffix(&text, candidate.name)) {
      unit = candidate.bytes;
      break;
    }
  }
  const auto number = ParseInteger(text);
  if (!number.ok() || *number > std::numeric_limits<uint64_t>::max() / unit) {
    return absl::InvalidArgumentError("expected a size, such as 64MiB, 512KiB or 1048576 (bytes)");
  }
  return *number * unit;
}

std::string FormatByteSize(uint64_t bytes) {
  for (const SizeUnit& unit : kSizeUnits) {
    if (bytes >= unit.bytes && bytes % unit.bytes == 0) return absl::StrCat(bytes / unit.bytes, unit.name);
  }
  return absl::StrCat(bytes);
}

absl::StatusOr<uint64_t> ParseInteger(absl::string_view text) {
  uint64_t number = 0;
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || !absl::SimpleAtoi(text, &number)) return absl::InvalidArgumentError("expected a whole number");
  return number;
}

absl::StatusOr<bool> ParseBool(absl::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return absl::InvalidArgumentError("expected true or false");
}

}  // namespace kvs
