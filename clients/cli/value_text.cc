#include "clients/cli/value_text.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/time/time.h>

#include <map>

#include "clients/cli/output.h"
#include "clients/cli/types.h"

namespace kvs::cli {

std::string ValueText(int64_t value) { return absl::StrCat(value); }

std::string ValueText(uint64_t value) { return absl::StrCat(value); }

std::string ValueText(double value) { return FormatFloat(value); }

std::string ValueText(const std::string& value) { return value; }

std::string MembersText(const google::protobuf::RepeatedPtrField<std::string>& members) {
  std::string text;
  for (const std::string& member : members) absl::StrAppend(&text, OnOneLine(member), "\n");
  return text;
}

std::string FieldText(const std::string& name, const std::string& value) {
  return absl::StrCat(absl::StrReplaceAll(OnOneLine(name), {{"=", "\\x3d"}}), "=", OnOneLine(value), "\n");
}

std::string FieldsText(const google::protobuf::Map<std::string, std::string>& fields) {
  const std::map<std::string, std::string> ordered(fields.begin(), fields.end());
  std::string text;
  for (const auto& [name, value] : ordered) absl::StrAppend(&text, FieldText(name, value));
  return text;
}

std::string TimeText(int64_t micros) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

}  // namespace kvs::cli
