// What the command sees of the process it runs in, so that tests can run it inside of theirs.
#pragma once

#include <absl/strings/string_view.h>

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "clients/cli/input.h"

namespace kvs::cli {

struct Environment {
  Input& in;
  std::ostream& out;
  std::ostream& err;
  // An environment variable; nothing if it is unset or empty.
  std::function<std::optional<std::string>(absl::string_view name)> variable;
  std::filesystem::path working_directory;
  // Whether a person watches `err`.
  bool interactive = false;
};

}  // namespace kvs::cli
