// Runs the kvs command inside of the test, in an environment that the test made.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/input.h"
#include "clients/cli/run.h"
#include "tests/support/temp_dir.h"

namespace kvs {

struct CommandResult {
  int status = 0;
  std::string out;
  std::string err;
};

// A text as the standard input.
class TextInput final : public cli::Input {
 public:
  explicit TextInput(std::string text) : text_(std::move(text)) {}

  absl::StatusOr<size_t> Read(char* to, size_t size) override {
    size = text_.copy(to, size, read_);
    read_ += size;
    return size;
  }
  bool IsReady() override { return true; }

 private:
  const std::string text_;
  size_t read_ = 0;
};

class TestCli {
 public:
  // Runs in a folder of its own, where nothing sets anything.
  TestCli() : directory_(dir_.path()) {}

  TestCli& SetVariable(const std::string& name, const std::string& value) {
    variables_[name] = value;
    return *this;
  }
  TestCli& SetInput(const std::string& text) {
    input_ = text;
    return *this;
  }
  TestCli& SetDirectory(const std::string& path) {
    directory_ = path;
    return *this;
  }

  // As if a person watched.
  TestCli& SetInteractive() {
    interactive_ = true;
    return *this;
  }

  const TempDir& dir() const { return dir_; }

  CommandResult operator()(const std::vector<std::string>& words) const {
    TextInput in(input_);
    return Run(words, in);
  }

  // With another input than what was set.
  CommandResult Run(const std::vector<std::string>& words, cli::Input& in) const {
    std::ostringstream out;
    std::ostringstream err;
    const cli::Environment environment = MakeEnvironment(in, out, err);
    const int status = cli::Run(words, environment);
    return {status, out.str(), err.str()};
  }

  cli::Environment MakeEnvironment(cli::Input& in, std::ostream& out, std::ostream& err) const {
    return {.in = in,
            .out = out,
            .err = err,
            .variable =
                [this](absl::string_view name) {
                  const auto found = variables_.find(std::string(name));
                  return found == variables_.end() ? std::nullopt : std::optional(found->second);
                },
            .working_directory = directory_,
            .interactive = interactive_};
  }

 private:
  TempDir dir_;
  std::filesystem::path directory_;
  std::map<std::string, std::string> variables_;
  std::string input_;
  bool interactive_ = false;
};

}  // namespace kvs
