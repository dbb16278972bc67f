#include "common/errors.h"

#include <optional>

#include "google/rpc/error_details.pb.h"

namespace kvs {
namespace {

std::optional<google::rpc::ErrorInfo> InfoOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorInfoTypeUrl);
  google::rpc::ErrorInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return info;
}

}  // namespace

absl::Status Error(ErrorKind kind, absl::string_view message, ErrorMetadata metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(kind.reason));
  info.set_domain("kvs");
  for (const auto& [name, value] : metadata) (*info.mutable_metadata())[name] = value;
  absl::Status status(kind.code, message);
  status.SetPayload(kErrorInfoTypeUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

bool Is(const absl::Status& status, ErrorKind kind) {
  return status.code() == kind.code && ReasonOf(status) == kind.reason;
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = InfoOf(status);
  return info ? info->reason() : std::string();
}

std::string MetadataOf(const absl::Status& status, absl::string_view name) {
  const auto info = InfoOf(status);
  if (!info) return {};
  const auto it = info->metadata().find(std::string(name));
  return it == info->metadata().end() ? std::string() : it->second;
}

absl::Status WithMetadata(absl::Status status, absl::string_view name, absl::string_view value) {
  auto info = InfoOf(status);
  if (!info) return status;
  (*info->mutable_metadata())[std::string(name)] = std::string(value);
  status.SetPayload(kErrorInfoTypeUrl, absl::Cord(info->SerializeAsString()));
  return status;
}

absl::Status WithMessage(const absl::Status& status, absl::string_view message) {
  absl::Status changed(status.code(), message);
  status.ForEachPayload(
      [&changed](absl::string_view type_url, const absl::Cord& payload) { changed.SetPayload(type_url, payload); });
  return changed;
}

}  // namespace kvs
