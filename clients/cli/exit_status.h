// How the command ends, which scripts branch on. docs/cli.md tells users.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include "common/errors.h"

namespace kvs::cli {

inline constexpr int kSuccess = 0;
inline constexpr int kRefused = 1;      // not found, refused, or the answer is no
inline constexpr int kUsage = 2;        // the command line, the settings or a line of the input are wrong
inline constexpr int kUnreachable = 3;  // no answer that settles it: unreachable, not ready, or timed out

// The command line is wrong. The message says how, and what to write instead.
inline constexpr ErrorKind kUsageError{absl::StatusCode::kInvalidArgument, "USAGE"};

absl::Status UsageError(absl::string_view message);

// The same error, its message with the place in the input before it, or with what else there is to say behind it.
absl::Status WithPlace(const absl::Status& status, absl::string_view place);
absl::Status WithEnd(const absl::Status& status, absl::string_view end);

int ExitStatusOf(const absl::Status& status);

}  // namespace kvs::cli
