// What commands read: the standard input, or what a test has in its place.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <string>

namespace kvs::cli {

class Input {
 public:
  virtual ~Input() = default;

  // Waits until there is something, puts at most `size` bytes of it at `to`, and returns how many those are: 0 at the
  // end. An error, which names its cause, is not the end.
  virtual absl::StatusOr<size_t> Read(char* to, size_t size) = 0;

  // Whether Read would not have to wait.
  virtual bool IsReady() = 0;
};

// The standard input of the process.
class StandardInput final : public Input {
 public:
  absl::StatusOr<size_t> Read(char* to, size_t size) override;
  bool IsReady() override;
};

// All of it, but no more than `max_bytes`.
absl::StatusOr<std::string> ReadText(Input& in, size_t max_bytes);

// Lines of an input.
class LineReader {
 public:
  explicit LineReader(Input* in) : in_(*in) {}

  // Sets `line` to the next one, without its end; false at the end of the input.
  absl::StatusOr<bool> Next(std::string* line);

  // Whether Next would not have to wait.
  bool IsReady();

  // Of the line that Next has told, from 1.
  int number() const { return number_; }

 private:
  // Whether the next line is in the buffer.
  bool HasLine();
  void Fill();

  Input& in_;
  std::string buffer_;
  size_t begin_ = 0;     // of the next line in it
  size_t searched_ = 0;  // up to there, no line ends
  bool is_over_ = false;
  absl::Status error_;  // why it is over, if that is not the end
  int number_ = 0;
};

// "line 3", "lines 3 to 7".
std::string LinesText(int first, int last);

}  // namespace kvs::cli
