#include "common/process/progress_bar.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <ostream>
#include <string>

namespace kvs {
namespace {

constexpr absl::Duration kDrawEvery = absl::Milliseconds(100);
constexpr absl::Duration kLineEvery = absl::Seconds(2);
constexpr size_t kWidth = 40;
// To the beginning of the line, and empty it.
constexpr absl::string_view kNewLine = "\r\x1b[K";

double Share(uint64_t done, uint64_t total) {
  return std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
}

std::string Amount(uint64_t done, uint64_t total) {
  if (total == 0) return absl::StrCat(done);
  return absl::StrFormat("%d%%", static_cast<int>(Share(done, total) * 100));
}

std::string Bar(uint64_t done, uint64_t total) {
  if (total == 0) return Amount(done, total);
  const auto filled = static_cast<size_t>(Share(done, total) * kWidth);
  return absl::StrFormat("[%s%s] %4s", std::string(filled, '#'), std::string(kWidth - filled, '.'),
                         Amount(done, total));
}

}  // namespace

ProgressBar::ProgressBar(std::ostream& out, Style style, absl::Time start)
    : out_(out), style_(style), next_(start + (style == Style::kLines ? kLineEvery : absl::ZeroDuration())) {}

void ProgressBar::Show(absl::string_view what, uint64_t done, uint64_t total, absl::Time now) {
  if (style_ == Style::kNone || now < next_) return;
  if (style_ == Style::kLines) {
    next_ = now + kLineEvery;
    out_ << what << ": " << Amount(done, total) << std::endl;
    return;
  }
  next_ = now + kDrawEvery;
  drawn_ = true;
  out_ << kNewLine << what << " " << Bar(done, total) << std::flush;
}

void ProgressBar::Clear() {
  if (!drawn_) return;
  drawn_ = false;
  out_ << kNewLine << std::flush;
}

}  // namespace kvs
