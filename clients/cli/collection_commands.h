// What commands on sets and on maps have in common.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <string>
#include <vector>

#include "clients/cli/command.h"
#include "clients/cli/exit_status.h"

namespace kvs::cli {

inline const std::string& KeyOf(const Context& context) { return context.arguments[0]; }

// The members, names or fields behind the key.
inline std::vector<std::string> ElementsOf(const Context& context) {
  return {context.arguments.begin() + 1, context.arguments.end()};
}

// --escaped, for fields of any name: `put` has it, and `map put`.
inline Flag EscapedFlag() {
  return {"escaped", "", R"(names and values are as `get` prints them: \n, \t, \\, \x3d for =)"};
}

// Each prints the response of a call.

template <typename T>
absl::StatusOr<int> ShowAdded(const Context& context, const absl::StatusOr<T>& response) {
  if (!response.ok()) return response.status();
  context.output.Result(*response, absl::StrCat("added ", response->added(), ", size ", response->size()));
  return kSuccess;
}

template <typename T>
absl::StatusOr<int> ShowRemoved(const Context& context, const absl::StatusOr<T>& response) {
  if (!response.ok()) return response.status();
  context.output.Result(*response, absl::StrCat("removed ", response->removed(), ", size ", response->size()));
  return kSuccess;
}

template <typename T>
absl::StatusOr<int> ShowSize(const Context& context, const absl::StatusOr<T>& response) {
  if (!response.ok()) return response.status();
  context.output.Result(*response, absl::StrCat(response->size()));
  return kSuccess;
}

}  // namespace kvs::cli
