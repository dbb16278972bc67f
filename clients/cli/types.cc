#include "clients/cli/types.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "clients/cli/exit_status.h"
#include "clients/cli/suggest.h"

namespace kvs::cli {
namespace {

// Digits with an optional sign, so that what follows can only be out of range.
bool IsWholeNumber(absl::string_view text) {
  if (absl::StartsWith(text, "-") || absl::StartsWith(text, "+")) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Undoes OnOneLine; false if the text is none that it makes.
bool Unescape(std::string* text) {
  std::string plain;
  for (size_t i = 0; i < text->size(); ++i) {
    if ((*text)[i] != '\\') {
      plain += (*text)[i];
      continue;
    }
    const char kind = ++i < text->size() ? (*text)[i] : '\0';
    int code = 0;
    if (kind == '\\') {
      plain += '\\';
    } else if (kind == 'n') {
      plain += '\n';
    } else if (kind == 't') {
      plain += '\t';
    } else if (kind == 'x' && i + 2 < text->size() && absl::SimpleHexAtoi(text->substr(i + 1, 2), &code)) {
      plain += static_cast<char>(code);
      i += 2;
    } else {
      return false;
    }
  }
  *text = std::move(plain);
  return true;
}

absl::Status NotANumber(absl::string_view text, absl::string_view expected) {
  return UsageError(absl::StrCat("\"", text, "\" is not ", expected));
}

}  // namespace

std::optional<std::string> NearestTypeName(absl::string_view name) {
  const std::vector<absl::string_view> names = absl::StrSplit(kTypeNames, ' ');
  return Nearest(name, names);
}

absl::StatusOr<ValueType> ParseType(absl::string_view name) {
  for (const ValueType type : kValueTypes) {
    if (TypeName(type) == name) return type;
  }
  const auto nearest = NearestTypeName(name);
  return UsageError(absl::StrCat("there is no type \"", name, "\"; ",
                                 nearest ? absl::StrCat("did you mean ", *nearest, "? ") : "",
                                 "the types are int, uint, float, string, set and map"));
}

v1::ValueType ToProto(ValueType type) {
  switch (type) {
    case ValueType::kInt:
      return v1::VALUE_TYPE_INT;
    case ValueType::kUint:
      return v1::VALUE_TYPE_UINT;
    case ValueType::kFloat:
      return v1::VALUE_TYPE_FLOAT;
    case ValueType::kString:
      return v1::VALUE_TYPE_STRING;
    case ValueType::kSet:
      return v1::VALUE_TYPE_SET;
    case ValueType::kMap:
      return v1::VALUE_TYPE_MAP;
  }
  return v1::VALUE_TYPE_UNSPECIFIED;
}

std::string TypeNameOf(v1::ValueType proto) {
  for (const ValueType type : kValueTypes) {
    if (ToProto(type) == proto) return std::string(TypeName(type));
  }
  return absl::StrCat(static_cast<int>(proto));
}

std::vector<std::string> TypeNamesOf(const google::protobuf::RepeatedField<int>& types) {
  std::vector<std::string> names;
  for (const int type : types) names.push_back(TypeNameOf(static_cast<v1::ValueType>(type)));
  return names;
}

absl::StatusOr<std::vector<v1::ValueType>> ParseTypes(absl::Span<const std::string> names) {
  std::vector<v1::ValueType> types;
  for (const std::string& list : names) {
    for (const absl::string_view name : absl::StrSplit(list, ',')) {
      const auto type = ParseType(name);
      if (!type.ok()) return type.status();
      if (std::find(types.begin(), types.end(), ToProto(*type)) == types.end()) types.push_back(ToProto(*type));
    }
  }
  return types;
}

absl::StatusOr<std::vector<v1::ValueType>> ParseTypesOrAll(absl::string_view which) {
  if (which == "all") return std::vector<v1::ValueType>();
  return ParseTypes({std::string(which)});
}

absl::StatusOr<int64_t> ParseInt(absl::string_view text) {
  int64_t value = 0;
  if (!IsWholeNumber(text)) return NotANumber(text, "a whole number, such as 41 or -5");
  if (absl::SimpleAtoi(text, &value)) return value;
  return NotANumber(text, "within the range of int, -9223372036854775808 to 9223372036854775807");
}

absl::StatusOr<uint64_t> ParseUint(absl::string_view text) {
  uint64_t value = 0;
  if (!IsWholeNumber(text)) return NotANumber(text, "a whole number, such as 41");
  if (absl::SimpleAtoi(text, &value)) return value;
  return NotANumber(text, "within the range of uint, 0 to 18446744073709551615");
}

absl::StatusOr<double> ParseFloat(absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value)) return NotANumber(text, "a number, such as 3.14, -5 or 6e23");
  if (!std::isfinite(value)) return NotANumber(text, "a finite number");
  return value;
}

absl::StatusOr<std::map<std::string, std::string>> ParseFields(absl::Span<const std::string> words, bool escaped) {
  std::map<std::string, std::string> fields;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      return UsageError(absl::StrCat("a field is NAME=VALUE, such as city=Oslo; \"", word, "\" has no ="));
    }
    std::string name = word.substr(0, equals);
    std::string value = word.substr(equals + 1);
    if (escaped && !(Unescape(&name) && Unescape(&value))) {
      return UsageError(absl::StrCat("\"", word, "\" has a backslash that is none of \\\\, \\n, \\t and \\xHH"));
    }
    if (!fields.emplace(name, std::move(value)).second) {
      return UsageError(absl::StrCat("the field \"", name, "\" is given twice"));
    }
  }
  return fields;
}

std::string FormatFloat(double value) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), value);
  return std::string(text, end.ptr);
}

ValueType GuessType(absl::string_view value) {
  if (ParseInt(value).ok()) return ValueType::kInt;
  if (ParseUint(value).ok()) return ValueType::kUint;
  return ParseFloat(value).ok() ? ValueType::kFloat : ValueType::kString;
}

}  // namespace kvs::cli
