// The types and values of the command line.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>
#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/model/value.h"
#include "kvs/v1/common.pb.h"

namespace kvs::cli {

// The type names of the command line, separated by spaces.
inline constexpr absl::string_view kTypeNames = "int uint float string set map";

// The type name that `name` is a misspelling of, if there is one.
std::optional<std::string> NearestTypeName(absl::string_view name);

// kUsageError, with the nearest name, if there is no such type.
absl::StatusOr<ValueType> ParseType(absl::string_view name);

v1::ValueType ToProto(ValueType type);

// "int" for VALUE_TYPE_INT; the number for a type that this version does not know.
std::string TypeNameOf(v1::ValueType type);
std::vector<std::string> TypeNamesOf(const google::protobuf::RepeatedField<int>& types);

// Several types as --type has them, each a name or names separated by commas.
absl::StatusOr<std::vector<v1::ValueType>> ParseTypes(absl::Span<const std::string> names);

// One type, several separated by commas, or `all`, which are none.
absl::StatusOr<std::vector<v1::ValueType>> ParseTypesOrAll(absl::string_view which);

// Values; kUsageError that names the range or form. Floats are finite.
absl::StatusOr<int64_t> ParseInt(absl::string_view text);
absl::StatusOr<uint64_t> ParseUint(absl::string_view text);
absl::StatusOr<double> ParseFloat(absl::string_view text);

// NAME=VALUE words; the name ends at the first `=`. kUsageError for a word without one, or a name that comes twice. If
// they are `escaped`, names and values are written as FieldText writes them.
absl::StatusOr<std::map<std::string, std::string>> ParseFields(absl::Span<const std::string> words,
                                                               bool escaped = false);

// The shortest text that ParseFloat reads back as the same number.
std::string FormatFloat(double value);

// The type that a value typed by a person most likely has: int, float or string.
ValueType GuessType(absl::string_view value);

}  // namespace kvs::cli
