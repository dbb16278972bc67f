// Fuzz targets: functions that take any bytes, and end the process where a promise is broken. Each is a program of
// libFuzzer in a build of the preset fuzz, and runs over its seeds in every other one.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kvs::fuzz {

// An input that is worth starting from.
struct Seed {
  std::string name;
  std::string bytes;
};

struct Target {
  std::string name;
  void (*run)(absl::string_view input);
  std::vector<Seed> (*make_seeds)();
};

// All that are linked into the program.
std::vector<Target>& Targets();

// At namespace scope in the file of a target.
struct Registration {
  Registration(const char* name, void (*run)(absl::string_view), std::vector<Seed> (*make_seeds)());
};

// Ends the process with the reason unless `holds`.
void Require(bool holds, absl::string_view what);
void RequireOk(const absl::Status& status, absl::string_view what);

// Takes an input apart: as long as there is something left, numbers and blocks come; then zeros and empty blocks.
class Pieces {
 public:
  explicit Pieces(absl::string_view input) : rest_(input) {}

  bool empty() const { return rest_.empty(); }
  absl::string_view rest() const { return rest_; }
  uint8_t Byte();
  // Its length comes first, in two bytes.
  absl::string_view Block();

 private:
  absl::string_view rest_;
};

// What Pieces::Block takes apart.
std::string Block(absl::string_view bytes);

// The sections of a text, between lines of four equals signs; empty ones where there are fewer.
std::vector<std::string> Sections(absl::string_view text, size_t count);

}  // namespace kvs::fuzz
