#include "clients/cli/input.h"

#include <absl/strings/str_cat.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/limits.h"

namespace kvs::cli {
namespace {

constexpr size_t kReadBytes = 64 * kKiB;

}  // namespace

absl::StatusOr<size_t> StandardInput::Read(char* to, size_t size) {
  while (true) {
    const ssize_t bytes = read(STDIN_FILENO, to, size);
    if (bytes >= 0) return static_cast<size_t>(bytes);
    if (errno != EINTR) {
      return absl::FailedPreconditionError(absl::StrCat("cannot read the standard input: ", std::strerror(errno)));
    }
  }
}

bool StandardInput::IsReady() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, /*timeout=*/0) != 0;
}

absl::StatusOr<std::string> ReadText(Input& in, size_t max_bytes) {
  std::string text(max_bytes, '\0');
  size_t size = 0;
  while (size < max_bytes) {
    const auto read = in.Read(text.data() + size, max_bytes - size);
    if (!read.ok()) return read.status();
    if (*read == 0) break;
    size += *read;
  }
  text.resize(size);
  return text;
}

bool LineReader::HasLine() {
  const size_t end = buffer_.find('\n', searched_);
  searched_ = end == std::string::npos ? buffer_.size() : end;
  return end != std::string::npos;
}

void LineReader::Fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  const auto read = in_.Read(buffer_.data() + size, kReadBytes);
  if (!read.ok()) error_ = read.status();
  is_over_ = !read.ok() || *read == 0;
  buffer_.resize(size + (is_over_ ? 0 : *read));
}

absl::StatusOr<bool> LineReader::Next(std::string* line) {
  while (!HasLine() && !is_over_) Fill();
  if (!error_.ok()) return error_;
  if (begin_ == buffer_.size()) return false;
  line->assign(buffer_, begin_, searched_ - begin_);
  begin_ = searched_ = std::min(searched_ + 1, buffer_.size());
  ++number_;
  return true;
}

bool LineReader::IsReady() {
  while (!HasLine() && !is_over_) {
    if (!in_.IsReady()) return false;
    Fill();
  }
  return true;
}

std::string LinesText(int first, int last) {
  return first == last ? absl::StrCat("line ", first) : absl::StrCat("lines ", first, " to ", last);
}

}  // namespace kvs::cli
