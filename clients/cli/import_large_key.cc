#include "clients/cli/import_large_key.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "clients/cli/import_entry.h"
#include "clients/cli/types.h"
#include "common/errors.h"
#include "common/limits.h"

namespace kvs::cli {

LargeKeyImport::LargeKeyImport(const client::Client* client, v1::ValueType type, absl::string_view key, bool if_absent)
    : client_(*client), type_(type), key_(key), if_absent_(if_absent) {}

std::string LargeKeyImport::Name() const { return absl::StrCat(TypeNameOf(type_), " ", key_); }

std::string LargeKeyImport::MarkerName() const {
  std::string name = absl::StrCat(kImportMarkerPrefix, TypeNameOf(type_), ":", key_);
  if (name.size() <= kMaxKeyBytes) return name;
  // Two keys may have the same marker then: at most, what is left of one of them is taken for a key that was there.
  size_t size = kMaxKeyBytes;
  while ((static_cast<unsigned char>(name[size]) & 0xC0) == 0x80) --size;  // not within a character
  return name.substr(0, size);
}

absl::Status LargeKeyImport::Step(std::vector<v1::BatchOperation> operations, bool is_last) {
  if (is_left_alone_) return absl::OkStatus();
  for (v1::BatchOperation& operation : operations) {
    if (auto ttl = TakeTtl(&operation)) ttl_ = *std::move(ttl);
  }
  if (!is_begun_) return Begin(std::move(operations));
  if (!operations.empty()) SetPrecondition(client::Precondition::Present().proto(), &operations.front());
  const absl::Status status = Send(operations, is_last);
  if (!Is(status, errors::kKeyNotFound)) return status;
  return absl::AbortedError(absl::StrCat(Name(), " was deleted while it was imported"));
}

absl::Status LargeKeyImport::Begin(std::vector<v1::BatchOperation> operations) {
  if (if_absent_) SetPrecondition(client::Precondition::Absent().proto(), &operations.front());
  absl::Status status = Send(operations, /*is_last=*/false);
  if (if_absent_ && Is(status, errors::kKeyExists)) {
    const auto leftover = RevisionOfLeftover(status);
    if (!leftover.ok()) return leftover.status();
    is_left_alone_ = !leftover->has_value();
    if (is_left_alone_) return absl::OkStatus();
    SetPrecondition(client::Precondition::Revision(**leftover).proto(), &operations.front());
    status = Send(operations, /*is_last=*/false);
  }
  is_begun_ = status.ok() || client::MayHaveHappened(status);
  return status;
}

absl::Status LargeKeyImport::Send(const std::vector<v1::BatchOperation>& operations, bool is_last) const {
  v1::BatchExecuteRequest request;
  request.set_atomic(true);
  for (const v1::BatchOperation& operation : operations) *request.add_operations() = operation;
  if (is_last) {
    request.add_operations()->mutable_string_delete()->set_key(MarkerName());
    if (ttl_) {
      v1::KeysExpireRequest& expire = *request.add_operations()->mutable_keys_expire();
      expire.set_key(key_);
      expire.add_types(type_);
      *expire.mutable_ttl() = *ttl_;
    }
  } else {
    v1::StringStorePutRequest& marker = *request.add_operations()->mutable_string_put();
    marker.set_key(MarkerName());
    marker.set_value(absl::StrCat("kvs import has put only a part of ", Name(), "; run it again to complete it"));
  }
  return client_.batch().Execute(request).status();
}

absl::StatusOr<std::optional<uint64_t>> LargeKeyImport::RevisionOfLeftover(const absl::Status& key_exists) const {
  const auto failure = client::PreconditionFailureOf(key_exists);
  const auto marker = client_.strings().Get(MarkerName());
  if (!failure || Is(marker.status(), errors::kKeyNotFound)) return std::nullopt;
  if (!marker.ok()) return marker.status();
  if (marker->revision() != failure->current_revision() + 1) return std::nullopt;
  return failure->current_revision();
}

}  // namespace kvs::cli
