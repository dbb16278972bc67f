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

namespace {

std::string EscapedField(const std::string& name, const std::string& value) {
  return absl::StrCat(absl::StrReplaceAll(OnOneLine(name), {{"=", "\\x3d"}}), "=", OnOneLine(value));
}

}  // namespace

std::string FieldText(const std::string& name, const std::string& value) {
  return absl::StrCat(EscapedField(name, value), "\n");
}

std::string FieldsText(const google::protobuf::Map<std::string, std::string>& fields) {
  const std::map<std::string, std::string> ordered(fields.begin(), fields.end());
  std::string text;
  for (const auto& [name, value] : ordered) absl::StrAppend(&text, FieldText(name, value));
  return text;
}

std::vector<std::string> ValueWords(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kIntValue:
      return {ValueText(int64_t{value.int_value()})};
    case v1::Value::kUintValue:
      return {ValueText(uint64_t{value.uint_value()})};
    case v1::Value::kFloatValue:
      return {ValueText(value.float_value())};
    case v1::Value::kStringValue:
      return {value.string_value()};
    case v1::Value::kSetValue:
      return {value.set_value().members().begin(), value.set_value().members().end()};
    case v1::Value::kMapValue: {
      const std::map<std::string, std::string> ordered(value.map_value().fields().begin(),
                                                       value.map_value().fields().end());
      std::vector<std::string> words;
      for (const auto& [name, text] : ordered) words.push_back(absl::StrCat(name, "=", text));
      return words;
    }
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return {};
}

std::vector<std::string> EscapedFields(const google::protobuf::Map<std::string, std::string>& fields) {
  const std::map<std::string, std::string> ordered(fields.begin(), fields.end());
  std::vector<std::string> words;
  for (const auto& [name, value] : ordered) words.push_back(EscapedField(name, value));
  return words;
}

std::string TimeText(int64_t micros) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

}  // namespace kvs::cli
