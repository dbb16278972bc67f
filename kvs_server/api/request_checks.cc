#include "kvs_server/api/request_checks.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "common/limits.h"

namespace kvs::server {
namespace {

bool HasNul(absl::string_view text) { return text.find('\0') != absl::string_view::npos; }

absl::Status TooLarge(absl::string_view what, size_t bytes) {
  return Error(errors::kValueTooLarge,
               absl::StrCat(what, " of ", bytes, " bytes is over the limit of ", kMaxValueBytes, " bytes"),
               {{"limit", absl::StrCat(kMaxValueBytes)}});
}

absl::Status InvalidPrecondition(absl::string_view problem) {
  return Error(errors::kInvalidPrecondition, absl::StrCat("the precondition cannot be checked: ", problem));
}

}  // namespace

absl::Status CheckName(absl::string_view name, absl::string_view what) {
  if (name.empty()) return Error(errors::kInvalidKey, absl::StrCat("the ", what, " is empty"));
  if (name.size() > kMaxKeyBytes) {
    return Error(errors::kInvalidKey,
                 absl::StrCat("a ", what, " of ", name.size(), " bytes is over the limit of ", kMaxKeyBytes, " bytes"),
                 {{"limit", absl::StrCat(kMaxKeyBytes)}});
  }
  if (HasNul(name)) return Error(errors::kInvalidKey, absl::StrCat("the ", what, " contains a NUL character"));
  return absl::OkStatus();
}

absl::Status CheckText(absl::string_view text, absl::string_view what) {
  if (text.size() > kMaxValueBytes) return TooLarge(absl::StrCat("a ", what), text.size());
  if (HasNul(text)) return Error(errors::kInvalidText, absl::StrCat("the ", what, " contains a NUL character"));
  return absl::OkStatus();
}

absl::Status CheckFinite(double value, absl::string_view what) {
  if (std::isfinite(value)) return absl::OkStatus();
  return Error(errors::kNotFinite, absl::StrCat("the ", what, " is not a finite number"));
}

absl::StatusOr<uint32_t> CheckPageLimit(bool has_limit, uint32_t limit) {
  if (!has_limit) return kDefaultPageEntries;
  if (limit >= 1 && limit <= kMaxPageEntries) return limit;
  return Error(errors::kInvalidLimit, absl::StrCat("the limit ", limit, " is not in 1 to ", kMaxPageEntries),
               {{"limit", absl::StrCat(kMaxPageEntries)}});
}

absl::StatusOr<Texts> CheckNames(const RepeatedText& names, NameList list, bool may_be_empty) {
  if (names.empty() && !may_be_empty) return MissingField(list.field);
  Texts texts;
  texts.reserve(names.size());
  size_t bytes = 0;
  for (const std::string& name : names) {
    if (absl::Status status = CheckName(name, list.what); !status.ok()) return status;
    bytes += name.size();
    texts.push_back(name);
  }
  if (bytes > kMaxValueBytes) return TooLarge(absl::StrCat("a request with ", list.what, "s"), bytes);
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

absl::StatusOr<Fields> CheckFields(const FieldMap& fields, bool may_be_empty) {
  if (fields.empty() && !may_be_empty) return MissingField("fields");
  Fields sorted;
  sorted.reserve(fields.size());
  size_t bytes = 0;
  for (const auto& [name, value] : fields) {
    if (absl::Status status = CheckName(name, "field name"); !status.ok()) return status;
    if (absl::Status status = CheckText(value, "field value"); !status.ok()) return status;
    bytes += name.size() + value.size();
    sorted.emplace_back(name, value);
  }
  if (bytes > kMaxValueBytes) return TooLarge("a request with fields", bytes);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

absl::StatusOr<std::vector<ValueType>> CheckTypes(const google::protobuf::RepeatedField<int>& types) {
  std::vector<ValueType> checked;
  for (const ValueType type : kValueTypes) {
    if (types.empty() || std::find(types.begin(), types.end(), ToProto(type)) != types.end()) checked.push_back(type);
  }
  for (const int type : types) {
    const bool known = std::any_of(checked.begin(), checked.end(), [&](ValueType t) { return ToProto(t) == type; });
    if (!known) return Error(errors::kUnknownType, absl::StrCat("the value type ", type, " is not known"));
  }
  return checked;
}

kvs::v1::ValueType ToProto(ValueType type) {
  switch (type) {
    case ValueType::kInt:
      return kvs::v1::VALUE_TYPE_INT;
    case ValueType::kUint:
      return kvs::v1::VALUE_TYPE_UINT;
    case ValueType::kFloat:
      return kvs::v1::VALUE_TYPE_FLOAT;
    case ValueType::kString:
      return kvs::v1::VALUE_TYPE_STRING;
    case ValueType::kSet:
      return kvs::v1::VALUE_TYPE_SET;
    case ValueType::kMap:
      return kvs::v1::VALUE_TYPE_MAP;
  }
  return kvs::v1::VALUE_TYPE_UNSPECIFIED;
}

absl::StatusOr<int64_t> CheckTtl(const google::protobuf::Duration& ttl) {
  using google::protobuf::util::TimeUtil;
  constexpr int64_t kSecondsPerDay = 24 * 60 * 60;
  const bool is_duration = std::abs(int64_t{ttl.nanos()}) < 1'000'000'000 &&
                           (ttl.seconds() == 0 || ttl.nanos() == 0 || (ttl.seconds() < 0) == (ttl.nanos() < 0));
  const bool is_too_long = ttl.seconds() > kMaxTtlDays * kSecondsPerDay ||
                           (ttl.seconds() == kMaxTtlDays * kSecondsPerDay && ttl.nanos() > 0);
  if (is_duration && ttl.seconds() >= 0 && !is_too_long) {
    const int64_t micros = TimeUtil::DurationToMicroseconds(ttl);
    if (micros > 0) return micros;
  }
  return Error(
      errors::kInvalidTtl,
      absl::StrCat("nothing was changed: the ttl is not a duration of 1 microsecond to ", kMaxTtlDays, " days"),
      {{"limit", absl::StrCat(kMaxTtlDays * kSecondsPerDay, "s")}});
}

absl::Status MissingField(absl::string_view field) {
  return Error(errors::kMissingField, absl::StrCat("the field ", field, " must be set"),
               {{"field", std::string(field)}});
}

absl::Status KeyNotFound(absl::string_view key) {
  return Error(errors::kKeyNotFound, absl::StrCat("there is no key \"", key, "\" of this type"));
}

absl::Status CheckRequestId(absl::string_view id) {
  if (!id.empty() && id.size() <= kMaxRequestIdBytes && !HasNul(id)) return absl::OkStatus();
  return Error(
      errors::kInvalidRequestId,
      absl::StrCat("nothing was changed: a request_id has 1 to ", kMaxRequestIdBytes, " bytes and no NUL character"),
      {{"limit", absl::StrCat(kMaxRequestIdBytes)}});
}

absl::Status MisplacedRequestId(absl::string_view why) {
  return Error(errors::kInvalidRequestId, absl::StrCat("nothing was changed: ", why));
}

absl::StatusOr<Precondition> ToPrecondition(const kvs::v1::Precondition& precondition) {
  switch (precondition.condition_case()) {
    case kvs::v1::Precondition::kMustNotExist:
      if (precondition.must_not_exist()) return Precondition::MustNotExist();
      return InvalidPrecondition("must_not_exist is false, which asks for nothing; set it to true, or use must_exist");
    case kvs::v1::Precondition::kMustExist:
      if (precondition.must_exist()) return Precondition::MustExist();
      return InvalidPrecondition("must_exist is false, which asks for nothing; set it to true, or use must_not_exist");
    case kvs::v1::Precondition::kRevisionEquals:
      return Precondition::RevisionEquals(precondition.revision_equals());
    case kvs::v1::Precondition::CONDITION_NOT_SET:
      break;
  }
  return InvalidPrecondition("it has no condition; set must_not_exist, must_exist or revision_equals, or leave it out");
}

absl::Status CheckBatchCount(size_t count) {
  if (count <= kMaxBatchOperations) return absl::OkStatus();
  return Error(errors::kBatchTooLarge,
               absl::StrCat("nothing was changed: the request has ", count, " operations or keys, over the limit of ",
                            kMaxBatchOperations, "; divide it"),
               {{"limit", absl::StrCat(kMaxBatchOperations)}});
}

absl::Status CheckPreconditionForKeys(const Precondition& precondition) {
  if (!precondition.NeedsOneKey()) return absl::OkStatus();
  return InvalidPrecondition(
      "revision_equals is about one key, and the request is about several; use must_not_exist or must_exist, or a "
      "batch");
}

absl::Status CheckPreconditionForTypes(const Precondition& precondition, size_t type_count) {
  if (type_count == 1 || !precondition.NeedsOneKey()) return absl::OkStatus();
  return InvalidPrecondition("revision_equals is about one key, and the request is about several types; name one type");
}

}  // namespace kvs::server
