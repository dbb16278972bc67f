#include "kvs_server/engine/precondition.h"

#include <absl/strings/str_cat.h>

#include "common/limits.h"

namespace kvs::server {
namespace {

bool IsSmall(const kvs::v1::Value& value) { return value.ByteSizeLong() <= kMaxDetailValueBytes; }

}  // namespace

absl::Status Precondition::MakeError(uint64_t current_revision, kvs::v1::PreconditionFailure failure) const {
  failure.set_current_revision(current_revision);
  absl::Status status = Error(ErrorKindOf(), absl::StrCat("nothing was changed: ", Describe(current_revision)),
                              {{"current_revision", absl::StrCat(current_revision)}});
  status.SetPayload(kPreconditionFailureTypeUrl, absl::Cord(failure.SerializeAsString()));
  return status;
}

absl::Status Precondition::FailureWithin(bool exists) const {
  return Error(ErrorKindOf(),
               exists ? "nothing was changed: an earlier operation of the batch changed the key, which exists"
                      : "nothing was changed: an earlier operation of the batch deleted the key");
}

ErrorKind Precondition::ErrorKindOf() const {
  switch (kind_) {
    case Kind::kMustNotExist:
      return errors::kKeyExists;
    case Kind::kMustExist:
      return errors::kKeyNotFound;
    case Kind::kNone:
    case Kind::kRevisionEquals:
      break;
  }
  return errors::kRevisionMismatch;
}

std::string Precondition::Describe(uint64_t current_revision) const {
  const std::string is =
      current_revision == 0 ? "the key is absent" : absl::StrCat("the key exists, at revision ", current_revision);
  if (kind_ != Kind::kRevisionEquals) return is;
  return absl::StrCat(is, revision_ == 0 ? ", not absent" : absl::StrCat(", not at revision ", revision_));
}

bool Precondition::Show(int64_t value, kvs::v1::Value* shown) {
  shown->set_int_value(value);
  return true;
}

bool Precondition::Show(uint64_t value, kvs::v1::Value* shown) {
  shown->set_uint_value(value);
  return true;
}

bool Precondition::Show(double value, kvs::v1::Value* shown) {
  shown->set_float_value(value);
  return true;
}

// What is too large before it is encoded is not copied: the lock is held.

bool Precondition::Show(const StringValue& value, kvs::v1::Value* shown) {
  if (value.size() > kMaxDetailValueBytes) return false;
  shown->set_string_value(value.view().data(), value.size());
  return IsSmall(*shown);
}

bool Precondition::Show(const SetValue& value, kvs::v1::Value* shown) {
  if (value.bytes() > kMaxDetailValueBytes) return false;
  auto* contents = shown->mutable_set_value();
  for (const std::string& member : value.members()) contents->add_members(member);
  return IsSmall(*shown);
}

bool Precondition::Show(const MapValue& value, kvs::v1::Value* shown) {
  if (value.bytes() > kMaxDetailValueBytes) return false;
  auto* fields = shown->mutable_map_value()->mutable_fields();
  for (const auto& [name, text] : value.fields()) (*fields)[name] = text;
  return IsSmall(*shown);
}

}  // namespace kvs::server
