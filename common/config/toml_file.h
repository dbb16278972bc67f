// Settings from a TOML file: keys with a string, a whole number, or true or false.
//
//   listen = "127.0.0.1:5050"
//   insecure = false
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace kvs {

struct FileSetting {
  std::string name;
  std::string text;  // The value, as one would write it after the flag.
  int line = 0;
};

// The settings of the file, by line. Fails, with FILE:LINE, on what is not TOML 1.0 and on values of any other type
// (tables, arrays, fractions, dates), since no setting is one.
absl::StatusOr<std::vector<FileSetting>> ReadTomlFile(const std::string& path);

}  // namespace kvs
