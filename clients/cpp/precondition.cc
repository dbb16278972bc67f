#include "clients/cpp/precondition.h"

#include <string>

#include "common/errors.h"

namespace kvs::client {

Precondition Precondition::Absent() {
  Precondition precondition;
  precondition.proto_.set_must_not_exist(true);
  return precondition;
}

Precondition Precondition::Present() {
  Precondition precondition;
  precondition.proto_.set_must_exist(true);
  return precondition;
}

Precondition Precondition::Revision(uint64_t revision) {
  Precondition precondition;
  precondition.proto_.set_revision_equals(revision);
  return precondition;
}

std::optional<v1::PreconditionFailure> PreconditionFailureOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPreconditionFailureTypeUrl);
  v1::PreconditionFailure failure;
  if (!payload || !failure.ParseFromString(std::string(*payload))) return std::nullopt;
  return failure;
}

}  // namespace kvs::client
