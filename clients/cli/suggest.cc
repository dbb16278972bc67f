#include "clients/cli/suggest.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include <algorithm>
#include <vector>

#include "common/control_characters.h"

namespace kvs::cli {

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> distance(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) distance[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) distance[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = distance[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      distance[i][j] = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[a.size()][b.size()];
}

std::optional<std::string> Nearest(absl::string_view word, absl::Span<const absl::string_view> candidates) {
  // Texts this long are not names, and the distance takes the product of the lengths.
  if (word.size() > 40) return std::nullopt;
  std::optional<std::string> nearest;
  size_t best = word.size() <= 4 ? 2 : 3;
  for (const absl::string_view candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best && distance < candidate.size()) {
      best = distance;
      nearest = std::string(candidate);
    }
  }
  return nearest;
}

namespace {

// As bash and zsh read it, so that the terminal that shows it obeys nothing.
std::string EscapedForShell(absl::string_view word) {
  std::string quoted = "$'";
  while (!word.empty()) {
    const size_t control = ControlBytes(word);
    if (control > 0) {
      AppendHex(word.substr(0, control), &quoted);
    } else if (word.front() == '\'' || word.front() == '\\') {
      quoted += {'\\', word.front()};
    } else {
      quoted += word.front();
    }
    word.remove_prefix(std::max<size_t>(control, 1));
  }
  return quoted + "'";
}

}  // namespace

std::string ShellQuoted(absl::string_view word) {
  if (WithoutControls(word) != word) return EscapedForShell(word);
  const bool is_plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains("_-./:=,@%+", absl::string_view(&c, 1));
  });
  if (is_plain) return std::string(word);
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

std::string ShellJoined(absl::Span<const std::string> words) {
  return absl::StrJoin(words, " ", [](std::string* out, const std::string& word) { out->append(ShellQuoted(word)); });
}

}  // namespace kvs::cli
