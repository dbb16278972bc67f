// kvs doctor: finds out, step by step, why the command does not reach the server or the server does not do its work.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/strings/string_view.h>

#include <string>
#include <vector>

#include "clients/cli/settings.h"

namespace kvs::cli {

// A warning is about what is well and will not stay so.
enum class Verdict { kOk, kWarning, kFailure };

struct Finding {
  absl::string_view step;  // "settings", "connection"
  Verdict verdict = Verdict::kOk;
  std::string detail;  // what was found
  std::string remedy;  // what to do about it; empty if there is nothing to do
};

// How far the examination came before it failed, which decides the exit status.
enum class Health { kWell, kUnusableSettings, kUnreachable, kUnwell };

// Examines the server that the settings name and tells `report` of each step as it is done. Ends at the first failure
// that makes the further steps pointless. Changes nothing anywhere.
Health Examine(const Settings& settings, absl::FunctionRef<void(const Finding&)> report);

}  // namespace kvs::cli
