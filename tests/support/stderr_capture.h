// What is written to standard error meanwhile, by whatever code.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace kvs {

// One at a time.
class StderrCapture {
 public:
  StderrCapture() {
    std::fflush(stderr);
    dup2(fileno(file_), STDERR_FILENO);
  }
  ~StderrCapture() {
    std::fflush(stderr);
    dup2(original_, STDERR_FILENO);
    close(original_);
    std::fclose(file_);
  }
  StderrCapture(const StderrCapture&) = delete;
  StderrCapture& operator=(const StderrCapture&) = delete;

  std::string Text() const {
    std::fflush(stderr);
    std::string text(static_cast<size_t>(lseek(fileno(file_), 0, SEEK_END)), '\0');
    const ssize_t size = pread(fileno(file_), text.data(), text.size(), 0);
    return text.substr(0, size < 0 ? 0 : static_cast<size_t>(size));
  }

 private:
  std::FILE* const file_ = std::tmpfile();
  const int original_ = dup(STDERR_FILENO);
};

}  // namespace kvs
