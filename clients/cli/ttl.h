// How long keys live, on the command line.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/command.h"

namespace kvs::cli {

// --ttl, which the commands have that may change a value.
const Flag& TtlFlag();

// What the flags of a command line ask for, nothing if --ttl is not among them; a usage error for what is no duration.
absl::StatusOr<std::optional<absl::Duration>> TtlOf(const std::map<std::string, std::vector<std::string>>& flags);

// A duration with its unit; a usage error, which begins with `what`, otherwise.
absl::StatusOr<absl::Duration> ParseTtl(absl::string_view text, absl::string_view what);

}  // namespace kvs::cli
