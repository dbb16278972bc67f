// What the command prints: results on stdout, errors on stderr, each as text for people or as JSON for programs.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <iosfwd>
#include <string>

#include "clients/cli/settings.h"

namespace kvs::cli {

enum class Format { kText, kJson };

// What the advice for an error depends on.
struct AdviceFor {
  bool changes = false;             // whether the command changes data, so that an unknown outcome matters
  bool has_condition_flags = true;  // whether its conditions are flags, and not in what it reads
  bool is_named = false;            // whether it was given a --request-id
  bool may_be_repeated = false;     // whether it does no harm to run it again in any case
};

class Output {
 public:
  Output(Format format, std::ostream& out, std::ostream& err) : format_(format), out_(out), err_(err) {}

  Format format() const { return format_; }

  // A result: `text`, or `message` as one JSON object.
  void Result(const google::protobuf::Message& message, absl::string_view text);
  // A part of a result, for those that are printed bit by bit; `text` may be empty or several lines.
  void Part(const google::protobuf::Message& message, absl::string_view text);
  // The same with JSON that is not a message.
  void Result(absl::string_view json, absl::string_view text);

  // Hands on what was printed; false if that, or anything before, could not be written.
  bool Flush();

  // Text that has no other form, such as help.
  void Plain(absl::string_view text);

  // An error with what to do next, and, where no kvs_server was reached, the settings that led there.
  void Error(const absl::Status& status, const Settings& settings, const AdviceFor& advice_for = {});

  // A remark for a person who waits; programs are spared.
  void Note(absl::string_view text);

 private:
  const Format format_;
  std::ostream& out_;
  std::ostream& err_;
};

// "1 key", "2 keys".
std::string Counted(uint64_t count, absl::string_view thing);

// A key, member or field as part of a line: control characters and backslashes are escaped, so that the line ends where
// it seems to and a terminal obeys nothing that somebody stored.
std::string OnOneLine(absl::string_view text);

}  // namespace kvs::cli
