// Where the server is and how to talk to it, from wherever the user keeps it.
//
// Each setting is taken from the first place that has it: flags (--address), the environment (KVS_ADDRESS), the user's
// config.toml, a .kvs folder in the working directory or above it, the default. A `plaintext = true` overrides the
// certificates of later places, and certificates override a `plaintext = true` of later places.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <map>
#include <string>
#include <vector>

#include "clients/cli/environment.h"
#include "clients/cpp/options.h"

namespace kvs::cli {

struct Setting {
  std::string value;
  std::string source;  // empty where nothing sets it
  size_t rank = 0;     // of the source; smaller ones come first
};

struct Settings {
  Setting address, ca, cert, key, plaintext, timeout, output;
  // Every place that was looked at, in order, with what was there.
  std::vector<std::string> places;
  // Why the settings cannot be used: kUsageError. They are complete enough to describe all the same.
  absl::Status problem;

  bool is_plaintext() const { return plaintext.value == "true"; }
};

// `flags` are those of the command line, by name without dashes.
Settings FindSettings(const std::map<std::string, std::string>& flags, const Environment& environment);

// For a connection. The settings' problem, or kUsageError for a bad timeout.
absl::StatusOr<client::Options> ClientOptions(const Settings& settings);

// The settings with their sources, and the places looked at, as lines of text.
std::string Describe(const Settings& settings);

}  // namespace kvs::cli
