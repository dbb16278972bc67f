// JSON as the command writes it: one object per line.
#pragma once

#include <absl/strings/string_view.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <string>

namespace kvs::cli {

// A message by the JSON mapping of protobuf, as grpcurl prints it, on one line: 64-bit integers are strings, empty
// lists are present, maps are ordered by name.
std::string JsonOf(const google::protobuf::Message& message);

// Puts an object together, member by member, in the order of the calls. Texts are as JsonString
// (common/logging/format.h) has them.
class JsonObject {
 public:
  JsonObject& Add(absl::string_view name, absl::string_view text);
  JsonObject& Add(absl::string_view name, const char* text) { return Add(name, absl::string_view(text)); }
  JsonObject& Add(absl::string_view name, bool value);
  // As the JSON mapping of protobuf has it: a string.
  JsonObject& Add(absl::string_view name, uint64_t value);
  // `json` is a complete value already.
  JsonObject& AddJson(absl::string_view name, absl::string_view json);

  std::string ToString() const;

 private:
  std::string members_;
};

}  // namespace kvs::cli
