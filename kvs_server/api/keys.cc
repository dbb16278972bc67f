#include "kvs_server/api/keys.h"

#include <google/protobuf/util/time_util.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "kvs/v1/keys.pb.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/api/request_checks.h"
#include "kvs_server/api/scans.h"

namespace kvs::server {
namespace {

namespace v1 = ::kvs::v1;
using google::protobuf::util::TimeUtil;

// Of a mutation of a key in several types.
struct TypesMutation {
  std::vector<ValueType> types;
  MutationOptions options;
};

template <class Request>
absl::StatusOr<TypesMutation> CheckTypesMutation(const Request& request) {
  if (absl::Status status = CheckKey(request.key()); !status.ok()) return status;
  absl::StatusOr<MutationOptions> options = OptionsOf(request);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::vector<ValueType>> types = CheckTypes(request.types());
  if (!types.ok()) return types.status();
  absl::Status status = CheckPreconditionForTypes(options->precondition, types->size());
  if (!status.ok()) return status;
  return TypesMutation{*std::move(types), *options};
}

// Of Keys.Expire and Keys.Persist.
template <class Request, class Response>
Outcome SetExpiry(const Session& session, const Request& request, Response* response) {
  const auto mutation = CheckTypesMutation(request);
  if (!mutation.ok()) return Refused(mutation.status());
  if constexpr (requires { request.has_ttl(); }) {
    if (!request.has_ttl()) return Refused(MissingField("ttl"));
  }
  std::vector<ValueType> changed;
  int64_t expires_at_micros = 0;
  Outcome outcome = session.SetExpiry(request.key(), mutation->types, mutation->options, &changed, &expires_at_micros);
  response->set_changed(!changed.empty());
  for (const ValueType type : changed) response->add_types(ToProto(type));
  if constexpr (requires { response->mutable_expires_at(); }) {
    if (!changed.empty()) *response->mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(expires_at_micros);
  }
  return outcome;
}

Outcome Count(Engine& engine, const v1::KeysCountRequest& request, v1::KeysCountResponse* response) {
  const auto types = CheckTypes(request.types());
  if (!types.ok()) return Refused(types.status());
  std::array<uint64_t, kValueTypeCount> keys{};
  Outcome outcome = engine.Count(&keys);
  uint64_t total = 0;
  for (const ValueType type : *types) {
    auto* entry = response->add_types();
    entry->set_type(ToProto(type));
    entry->set_count(keys[static_cast<size_t>(type)]);
    total += entry->count();
  }
  response->set_count(total);
  return outcome;
}

}  // namespace

Outcome Do(const Session& session, const v1::KeysExistsRequest& request, v1::KeysExistsResponse* response) {
  if (absl::Status status = CheckKey(request.key()); !status.ok()) return Refused(status);
  const auto types = CheckTypes(request.types());
  if (!types.ok()) return Refused(types.status());
  std::vector<ValueType> present;
  Outcome outcome = session.Exists(request.key(), *types, &present);
  response->set_exists(!present.empty());
  for (const ValueType type : present) response->add_types(ToProto(type));
  return outcome;
}

Outcome Do(const Session& session, const v1::KeysDeleteRequest& request, v1::KeysDeleteResponse* response) {
  const auto mutation = CheckTypesMutation(request);
  if (!mutation.ok()) return Refused(mutation.status());
  std::vector<ValueType> deleted;
  Outcome outcome = session.Delete(request.key(), mutation->types, mutation->options.precondition, &deleted);
  response->set_deleted(!deleted.empty());
  for (const ValueType type : deleted) response->add_types(ToProto(type));
  return outcome;
}

Outcome Do(const Session& session, const v1::KeysExpireRequest& request, v1::KeysExpireResponse* response) {
  return SetExpiry(session, request, response);
}

Outcome Do(const Session& session, const v1::KeysPersistRequest& request, v1::KeysPersistResponse* response) {
  return SetExpiry(session, request, response);
}

Outcome Do(const Session& session, const v1::KeysGetExpiryRequest& request, v1::KeysGetExpiryResponse* response) {
  if (absl::Status status = CheckKey(request.key()); !status.ok()) return Refused(status);
  const auto types = CheckTypes(request.types());
  if (!types.ok()) return Refused(types.status());
  std::vector<Expiry> expiries;
  Outcome outcome = session.GetExpiry(request.key(), *types, &expiries);
  for (const Expiry& expiry : expiries) {
    auto* key = response->add_keys();
    key->set_type(ToProto(expiry.type));
    if (expiry.at_micros == 0) continue;
    *key->mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(expiry.at_micros);
    *key->mutable_ttl() = TimeUtil::MicrosecondsToDuration(expiry.ttl_micros);
  }
  if (expiries.empty()) outcome.status = KeyNotFound(request.key());
  return outcome;
}

std::unique_ptr<rpc::Service> MakeKeysService(Engine* engine, Responder* responder) {
  auto service = std::make_unique<rpc::Service>(v1::KeysExistsRequest::descriptor()->file()->FindServiceByName("Keys"));
  AddOperations(service.get(), engine, responder, StoreOptions());
  responder->Add<v1::KeysCountRequest, v1::KeysCountResponse>(
      *service, "Count",
      [engine](const std::string&, const auto& request, auto* response) { return Count(*engine, request, response); });
  AddScans(service.get(), engine, responder);
  return service;
}

}  // namespace kvs::server
