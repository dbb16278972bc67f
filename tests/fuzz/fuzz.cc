#include "tests/fuzz/fuzz.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace kvs::fuzz {

std::vector<Target>& Targets() {
  static auto* const targets = new std::vector<Target>();
  return *targets;
}

Registration::Registration(const char* name, void (*run)(absl::string_view), std::vector<Seed> (*make_seeds)()) {
  Targets().push_back({name, run, make_seeds});
}

void Require(bool holds, absl::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", std::string(what).c_str());
  std::abort();
}

void RequireOk(const absl::Status& status, absl::string_view what) {
  if (!status.ok()) Require(false, absl::StrCat(what, ": ", status.ToString()));
}

uint8_t Pieces::Byte() {
  if (rest_.empty()) return 0;
  const auto byte = static_cast<uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return byte;
}

absl::string_view Pieces::Block() {
  const size_t low = Byte();
  const size_t size = std::min(low | size_t{Byte()} << 8, rest_.size());
  const absl::string_view block = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return block;
}

std::string Block(absl::string_view bytes) {
  Require(bytes.size() <= 0xFFFF, "a block of a seed is too long");
  const char length[] = {static_cast<char>(bytes.size()), static_cast<char>(bytes.size() >> 8)};
  return absl::StrCat(absl::string_view(length, sizeof(length)), bytes);
}

std::vector<std::string> Sections(absl::string_view text, size_t count) {
  std::vector<std::string> sections = absl::StrSplit(text, "====\n");
  sections.resize(count);
  return sections;
}

}  // namespace kvs::fuzz
