#include "clients/cli/exit_status.h"

#include <absl/strings/str_cat.h>

namespace kvs::cli {

absl::Status UsageError(absl::string_view message) { return Error(kUsageError, message); }

absl::Status WithPlace(const absl::Status& status, absl::string_view place) {
  absl::Status placed(status.code(), absl::StrCat(place, ": ", status.message()));
  status.ForEachPayload(
      [&placed](absl::string_view type_url, const absl::Cord& payload) { placed.SetPayload(type_url, payload); });
  return placed;
}

int ExitStatusOf(const absl::Status& status) {
  if (status.ok()) return kSuccess;
  const bool is_usage =
      Is(status, kUsageError) || Is(status, errors::kInvalidAddress) || Is(status, errors::kInvalidCredentials);
  if (is_usage) return kUsage;
  const bool is_unsettled =
      absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
  return is_unsettled ? kUnreachable : kRefused;
}

}  // namespace kvs::cli
