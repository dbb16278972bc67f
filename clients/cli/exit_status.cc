#include "clients/cli/exit_status.h"

#include <absl/strings/str_cat.h>

#include <string>

namespace kvs::cli {
namespace {

// Refused because others are served, which passes.
bool IsBusy(const absl::Status& status) {
  return Is(status, errors::kPendingWindowFull) || Is(status, errors::kTooManyWaiting) ||
         Is(status, errors::kTooManyScans) || Is(status, errors::kTooManyPipelines) ||
         Is(status, errors::kScanOvertaken) || Is(status, errors::kScanStalled);
}

}  // namespace

absl::Status UsageError(absl::string_view message) { return Error(kUsageError, message); }

absl::Status WithPlace(const absl::Status& status, absl::string_view place) {
  // Errors that a batch has by the thousand come without a message.
  const std::string said = status.message().empty() ? ReasonOf(status) : std::string(status.message());
  return WithMessage(status, absl::StrCat(place, ": ", said));
}

absl::Status WithEnd(const absl::Status& status, absl::string_view end) {
  return WithMessage(status, absl::StrCat(status.message(), "; ", end));
}

int ExitStatusOf(const absl::Status& status) {
  if (status.ok()) return kSuccess;
  const bool is_usage =
      Is(status, kUsageError) || Is(status, errors::kInvalidAddress) || Is(status, errors::kInvalidCredentials);
  if (is_usage) return kUsage;
  const bool is_unsettled =
      IsBusy(status) || absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
  return is_unsettled ? kUnreachable : kRefused;
}

}  // namespace kvs::cli
