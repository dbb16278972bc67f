// Help for those who mistyped.
#pragma once

#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstddef>
#include <optional>
#include <string>

namespace kvs::cli {

// How many insertions, deletions, replacements and swaps of neighbours lead from one text to the other.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The candidate that `word` is a misspelling of, if there is one: near enough, which for short words means one edit.
std::optional<std::string> Nearest(absl::string_view word, absl::Span<const absl::string_view> candidates);

// `word` as a shell reads it back; if it has control characters, none of which it then shows, as bash and zsh do.
std::string ShellQuoted(absl::string_view word);

// Words as a command line.
std::string ShellJoined(absl::Span<const std::string> words);

}  // namespace kvs::cli
