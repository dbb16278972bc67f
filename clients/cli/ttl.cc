#include "clients/cli/ttl.h"

#include <absl/strings/str_cat.h>

#include "clients/cli/exit_status.h"

namespace kvs::cli {

const Flag& TtlFlag() {
  static const Flag flag{"ttl", "DURATION", "the key expires so long from now on, such as 90s or 24h", Kind::kText};
  return flag;
}

absl::StatusOr<std::optional<absl::Duration>> TtlOf(const std::map<std::string, std::vector<std::string>>& flags) {
  const auto flag = flags.find("ttl");
  if (flag == flags.end()) return std::nullopt;
  const auto ttl = ParseTtl(flag->second.back(), "--ttl");
  if (!ttl.ok()) return ttl.status();
  return *ttl;
}

absl::StatusOr<absl::Duration> ParseTtl(absl::string_view text, absl::string_view what) {
  absl::Duration ttl;
  if (absl::ParseDuration(text, &ttl) && ttl > absl::ZeroDuration() && ttl < absl::InfiniteDuration()) return ttl;
  return UsageError(absl::StrCat(what, ": \"", text,
                                 "\" is no duration; give a number with its unit, such as 500ms, 90s, 15m or 24h"));
}

}  // namespace kvs::cli
