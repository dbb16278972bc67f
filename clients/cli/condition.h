// --if-absent, --if-present and --if-revision: what must be true for a command to change something, and what people are
// told where it is not.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/command.h"
#include "clients/cpp/precondition.h"

namespace kvs::cli {

// The flags, which every command that changes data has.
const std::vector<Flag>& ConditionFlags();

// What the flags of a command line ask for, nothing if there are none of these; a usage error for more than one of
// them.
absl::StatusOr<std::optional<client::Precondition>> ConditionOf(
    const std::map<std::string, std::vector<std::string>>& flags);

// A usage error for --if-revision with several types: a revision is that of one key. None stands for all types.
absl::Status CheckConditionOn(const std::vector<v1::ValueType>& types,
                              const std::map<std::string, std::vector<std::string>>& flags);

// For the error of a condition that did not hold: the value that is there, as the end of the server's sentence; empty
// if it tells of none.
std::string WhatIsThere(const v1::PreconditionFailure& failure);

// How the command goes on after it; `has_flags` says whether its conditions are flags, or those of a line of JSON.
std::string NextStepAfter(const absl::Status& status, const v1::PreconditionFailure& failure, bool has_flags);

}  // namespace kvs::cli
