#include "clients/cli/exit_status.h"

namespace kvs::cli {

absl::Status UsageError(absl::string_view message) { return Error(kUsageError, message); }

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
