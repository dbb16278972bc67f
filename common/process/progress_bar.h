// ProgressBar: how far something is that takes long, for a person who waits.
#pragma once

#include <absl/strings/string_view.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <cstdint>
#include <iosfwd>

namespace kvs {

// Used by one thread.
class ProgressBar {
 public:
  enum class Style {
    kNone,
    kBar,    // on one line of a terminal, which is cleared in the end
    kLines,  // a line every two seconds, for what is no terminal
  };

  // `start` is when the work begins.
  ProgressBar(std::ostream& out, Style style, absl::Time start = absl::Now());
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // What is being done, and how much of how much; 0 where nobody knows of how much. Cheap: little of it is shown.
  void Show(absl::string_view what, uint64_t done, uint64_t total, absl::Time now = absl::Now());

  // Takes the bar away, before something else is written.
  void Clear();

 private:
  std::ostream& out_;
  const Style style_;
  bool drawn_ = false;
  absl::Time next_;  // when something is shown again
};

}  // namespace kvs
