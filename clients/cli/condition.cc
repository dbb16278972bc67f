#include "clients/cli/condition.h"

#include <absl/strings/str_cat.h>

#include <map>

#include "clients/cli/exit_status.h"
#include "clients/cli/suggest.h"
#include "clients/cli/types.h"
#include "clients/cli/value_text.h"
#include "common/errors.h"
#include "common/logging/format.h"

namespace kvs::cli {
namespace {

std::string MembersOf(const v1::SetContents& set) {
  const std::vector<std::string> members(set.members().begin(), set.members().end());
  return members.empty() ? "it is an empty set" : absl::StrCat("its members are ", ShellJoined(members));
}

std::string FieldsOf(const v1::MapContents& map) {
  const std::map<std::string, std::string> ordered(map.fields().begin(), map.fields().end());
  std::vector<std::string> fields;
  for (const auto& [name, value] : ordered) fields.push_back(absl::StrCat(name, "=", value));
  return fields.empty() ? "it is an empty map" : absl::StrCat("its fields are ", ShellJoined(fields));
}

std::string Describe(const v1::Value& value) {
  constexpr absl::string_view kIs = "its value is ";
  switch (value.kind_case()) {
    case v1::Value::kIntValue:
      return absl::StrCat(kIs, ValueText(int64_t{value.int_value()}));
    case v1::Value::kUintValue:
      return absl::StrCat(kIs, ValueText(uint64_t{value.uint_value()}));
    case v1::Value::kFloatValue:
      return absl::StrCat(kIs, ValueText(value.float_value()));
    case v1::Value::kStringValue:
      return absl::StrCat(kIs, JsonString(value.string_value()));
    case v1::Value::kSetValue:
      return MembersOf(value.set_value());
    case v1::Value::kMapValue:
      return FieldsOf(value.map_value());
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return "its value is of a type that this version of kvs does not know";
}

}  // namespace

const std::vector<Flag>& ConditionFlags() {
  static const auto* const flags = new std::vector<Flag>{
      {"if-absent", "", "only if the key is absent"},
      {"if-present", "", "only if the key is present"},
      {"if-revision", "N", "only if the key's last change is this revision; 0 means absent", Kind::kText},
  };
  return *flags;
}

absl::StatusOr<std::optional<client::Precondition>> ConditionOf(
    const std::map<std::string, std::vector<std::string>>& flags) {
  const bool absent = flags.count("if-absent") > 0;
  const bool present = flags.count("if-present") > 0;
  const auto revision = flags.find("if-revision");
  if (absent + present + (revision != flags.end()) > 1) {
    return UsageError("--if-absent, --if-present and --if-revision exclude each other; give one of them");
  }
  if (absent) return client::Precondition::Absent();
  if (present) return client::Precondition::Present();
  if (revision == flags.end()) return std::nullopt;
  const auto number = ParseUint(revision->second.back());
  if (!number.ok()) return UsageError(absl::StrCat("--if-revision: ", number.status().message()));
  return client::Precondition::Revision(*number);
}

absl::Status CheckConditionOn(const std::vector<v1::ValueType>& types,
                              const std::map<std::string, std::vector<std::string>>& flags) {
  if (types.size() == 1 || flags.count("if-revision") == 0) return absl::OkStatus();
  return UsageError("--if-revision is about the key of one type: name that type alone");
}

std::string WhatIsThere(const v1::PreconditionFailure& failure) {
  if (failure.value_omitted()) return "its value is too large to be shown here";
  return failure.has_current_value() ? Describe(failure.current_value()) : "";
}

std::string NextStepAfter(const absl::Status& status, const v1::PreconditionFailure& failure, bool has_flags) {
  const bool is_one_key = failure.has_current_value() || failure.value_omitted();
  const std::string revision = absl::StrCat(failure.current_revision());
  const std::string on_revision = has_flags ? absl::StrCat("--if-revision ", revision)
                                            : absl::StrCat(R"("precondition":{"revisionEquals":")", revision, R"("})");
  if (Is(status, errors::kKeyExists)) {
    return absl::StrCat("leave out ", has_flags ? "--if-absent" : "its precondition", " to change what is there",
                        is_one_key ? absl::StrCat(", or give ", has_flags ? "" : "it ", on_revision) : "");
  }
  if (Is(status, errors::kKeyNotFound)) {
    return absl::StrCat("put the key first, or leave out ", has_flags ? "--if-present" : "its precondition");
  }
  const absl::string_view absent = has_flags ? "--if-absent" : R"("precondition":{"mustNotExist":true})";
  return absl::StrCat("if the change still fits, repeat it with ", is_one_key ? on_revision : absent);
}

}  // namespace kvs::cli
