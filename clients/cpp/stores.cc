#include "clients/cpp/stores.h"

#include <utility>

#include "clients/cpp/connection.h"
#include "common/rpc/status.h"

namespace kvs::client {
namespace {

template <typename Request>
Request ForKey(absl::string_view key) {
  Request request;
  request.set_key(std::string(key));
  return request;
}

template <typename Request>
Request ForKeys(Texts keys) {
  Request request;
  request.mutable_keys()->Assign(keys.begin(), keys.end());
  return request;
}

template <typename Request>
Request ForMembers(absl::string_view key, Texts members) {
  Request request = ForKey<Request>(key);
  request.mutable_members()->Assign(members.begin(), members.end());
  return request;
}

template <typename Request>
Request ForNames(absl::string_view key, Texts names) {
  Request request = ForKey<Request>(key);
  request.mutable_names()->Assign(names.begin(), names.end());
  return request;
}

template <typename Request>
Request ForFields(absl::string_view key, const Fields& fields) {
  Request request = ForKey<Request>(key);
  for (const auto& [name, value] : fields) (*request.mutable_fields())[name] = value;
  return request;
}

template <typename Request>
Request ForPage(absl::string_view key, absl::string_view start_after, uint32_t limit) {
  Request request = ForKey<Request>(key);
  request.set_start_after(std::string(start_after));
  if (limit != 0) request.set_limit(limit);
  return request;
}

template <typename Request>
void AddTypes(Types types, Request* request) {
  for (const v1::ValueType type : types) request->add_types(type);
}

}  // namespace

absl::StatusOr<v1::IntStorePutResponse> IntStore::Put(absl::string_view key, int64_t value,
                                                      const MutationOptions& options) const {
  auto request = ForKey<v1::IntStorePutRequest>(key);
  request.set_value(value);
  return connection_->Mutate(*connection_->ints, &v1::IntStore::Stub::Put, std::move(request), options);
}

absl::StatusOr<v1::IntStoreGetResponse> IntStore::Get(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::IntStoreGetRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->ints, &v1::IntStore::Stub::Get, request, options);
}

absl::StatusOr<v1::IntStoreDeleteResponse> IntStore::Delete(absl::string_view key,
                                                            const MutationOptions& options) const {
  auto request = ForKey<v1::IntStoreDeleteRequest>(key);
  return connection_->Mutate(*connection_->ints, &v1::IntStore::Stub::Delete, std::move(request), options);
}

absl::StatusOr<v1::IntStoreIncrementResponse> IntStore::Increment(absl::string_view key, int64_t delta,
                                                                  const MutationOptions& options) const {
  auto request = ForKey<v1::IntStoreIncrementRequest>(key);
  request.set_delta(delta);
  return connection_->Mutate(*connection_->ints, &v1::IntStore::Stub::Increment, std::move(request), options);
}

absl::StatusOr<v1::IntStoreMultiGetResponse> IntStore::MultiGet(Texts keys, const CallOptions& options) const {
  const auto request = ForKeys<v1::IntStoreMultiGetRequest>(keys);
  return connection_->Call(Effect::kRead, *connection_->ints, &v1::IntStore::Stub::MultiGet, request, options);
}

absl::StatusOr<v1::IntStoreMultiPutResponse> IntStore::MultiPut(Texts keys, absl::Span<const int64_t> values,
                                                                const MutationOptions& options) const {
  auto request = ForKeys<v1::IntStoreMultiPutRequest>(keys);
  request.mutable_values()->Assign(values.begin(), values.end());
  return connection_->Mutate(*connection_->ints, &v1::IntStore::Stub::MultiPut, std::move(request), options);
}

absl::StatusOr<v1::IntStoreMultiIncrementResponse> IntStore::MultiIncrement(Texts keys,
                                                                            absl::Span<const int64_t> deltas,
                                                                            const MutationOptions& options) const {
  auto request = ForKeys<v1::IntStoreMultiIncrementRequest>(keys);
  request.mutable_deltas()->Assign(deltas.begin(), deltas.end());
  return connection_->Mutate(*connection_->ints, &v1::IntStore::Stub::MultiIncrement, std::move(request), options);
}

absl::StatusOr<v1::UintStorePutResponse> UintStore::Put(absl::string_view key, uint64_t value,
                                                        const MutationOptions& options) const {
  auto request = ForKey<v1::UintStorePutRequest>(key);
  request.set_value(value);
  return connection_->Mutate(*connection_->uints, &v1::UintStore::Stub::Put, std::move(request), options);
}

absl::StatusOr<v1::UintStoreGetResponse> UintStore::Get(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::UintStoreGetRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->uints, &v1::UintStore::Stub::Get, request, options);
}

absl::StatusOr<v1::UintStoreDeleteResponse> UintStore::Delete(absl::string_view key,
                                                              const MutationOptions& options) const {
  auto request = ForKey<v1::UintStoreDeleteRequest>(key);
  return connection_->Mutate(*connection_->uints, &v1::UintStore::Stub::Delete, std::move(request), options);
}

absl::StatusOr<v1::UintStoreIncrementResponse> UintStore::Increment(absl::string_view key, uint64_t delta,
                                                                    const MutationOptions& options) const {
  auto request = ForKey<v1::UintStoreIncrementRequest>(key);
  request.set_delta(delta);
  return connection_->Mutate(*connection_->uints, &v1::UintStore::Stub::Increment, std::move(request), options);
}

absl::StatusOr<v1::UintStoreIncrementResponse> UintStore::Decrement(absl::string_view key, uint64_t decrement,
                                                                    const MutationOptions& options) const {
  auto request = ForKey<v1::UintStoreIncrementRequest>(key);
  request.set_decrement(decrement);
  return connection_->Mutate(*connection_->uints, &v1::UintStore::Stub::Increment, std::move(request), options);
}

absl::StatusOr<v1::UintStoreMultiGetResponse> UintStore::MultiGet(Texts keys, const CallOptions& options) const {
  const auto request = ForKeys<v1::UintStoreMultiGetRequest>(keys);
  return connection_->Call(Effect::kRead, *connection_->uints, &v1::UintStore::Stub::MultiGet, request, options);
}

absl::StatusOr<v1::UintStoreMultiPutResponse> UintStore::MultiPut(Texts keys, absl::Span<const uint64_t> values,
                                                                  const MutationOptions& options) const {
  auto request = ForKeys<v1::UintStoreMultiPutRequest>(keys);
  request.mutable_values()->Assign(values.begin(), values.end());
  return connection_->Mutate(*connection_->uints, &v1::UintStore::Stub::MultiPut, std::move(request), options);
}

absl::StatusOr<v1::UintStoreMultiIncrementResponse> UintStore::MultiIncrement(Texts keys,
                                                                              absl::Span<const uint64_t> deltas,
                                                                              const MutationOptions& options) const {
  auto request = ForKeys<v1::UintStoreMultiIncrementRequest>(keys);
  request.mutable_deltas()->Assign(deltas.begin(), deltas.end());
  return connection_->Mutate(*connection_->uints, &v1::UintStore::Stub::MultiIncrement, std::move(request), options);
}

absl::StatusOr<v1::UintStoreMultiIncrementResponse> UintStore::MultiDecrement(Texts keys,
                                                                              absl::Span<const uint64_t> deltas,
                                                                              const MutationOptions& options) const {
  auto request = ForKeys<v1::UintStoreMultiIncrementRequest>(keys);
  request.mutable_deltas()->Assign(deltas.begin(), deltas.end());
  request.set_decrement(true);
  return connection_->Mutate(*connection_->uints, &v1::UintStore::Stub::MultiIncrement, std::move(request), options);
}

absl::StatusOr<v1::FloatStorePutResponse> FloatStore::Put(absl::string_view key, double value,
                                                          const MutationOptions& options) const {
  auto request = ForKey<v1::FloatStorePutRequest>(key);
  request.set_value(value);
  return connection_->Mutate(*connection_->floats, &v1::FloatStore::Stub::Put, std::move(request), options);
}

absl::StatusOr<v1::FloatStoreGetResponse> FloatStore::Get(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::FloatStoreGetRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->floats, &v1::FloatStore::Stub::Get, request, options);
}

absl::StatusOr<v1::FloatStoreDeleteResponse> FloatStore::Delete(absl::string_view key,
                                                                const MutationOptions& options) const {
  auto request = ForKey<v1::FloatStoreDeleteRequest>(key);
  return connection_->Mutate(*connection_->floats, &v1::FloatStore::Stub::Delete, std::move(request), options);
}

absl::StatusOr<v1::FloatStoreIncrementResponse> FloatStore::Increment(absl::string_view key, double delta,
                                                                      const MutationOptions& options) const {
  auto request = ForKey<v1::FloatStoreIncrementRequest>(key);
  request.set_delta(delta);
  return connection_->Mutate(*connection_->floats, &v1::FloatStore::Stub::Increment, std::move(request), options);
}

absl::StatusOr<v1::FloatStoreMultiGetResponse> FloatStore::MultiGet(Texts keys, const CallOptions& options) const {
  const auto request = ForKeys<v1::FloatStoreMultiGetRequest>(keys);
  return connection_->Call(Effect::kRead, *connection_->floats, &v1::FloatStore::Stub::MultiGet, request, options);
}

absl::StatusOr<v1::FloatStoreMultiPutResponse> FloatStore::MultiPut(Texts keys, absl::Span<const double> values,
                                                                    const MutationOptions& options) const {
  auto request = ForKeys<v1::FloatStoreMultiPutRequest>(keys);
  request.mutable_values()->Assign(values.begin(), values.end());
  return connection_->Mutate(*connection_->floats, &v1::FloatStore::Stub::MultiPut, std::move(request), options);
}

absl::StatusOr<v1::FloatStoreMultiIncrementResponse> FloatStore::MultiIncrement(Texts keys,
                                                                                absl::Span<const double> deltas,
                                                                                const MutationOptions& options) const {
  auto request = ForKeys<v1::FloatStoreMultiIncrementRequest>(keys);
  request.mutable_deltas()->Assign(deltas.begin(), deltas.end());
  return connection_->Mutate(*connection_->floats, &v1::FloatStore::Stub::MultiIncrement, std::move(request), options);
}

absl::StatusOr<v1::StringStorePutResponse> StringStore::Put(absl::string_view key, absl::string_view value,
                                                            const MutationOptions& options) const {
  auto request = ForKey<v1::StringStorePutRequest>(key);
  request.set_value(std::string(value));
  return connection_->Mutate(*connection_->strings, &v1::StringStore::Stub::Put, std::move(request), options);
}

absl::StatusOr<v1::StringStoreGetResponse> StringStore::Get(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::StringStoreGetRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->strings, &v1::StringStore::Stub::Get, request, options);
}

absl::StatusOr<v1::StringStoreDeleteResponse> StringStore::Delete(absl::string_view key,
                                                                  const MutationOptions& options) const {
  auto request = ForKey<v1::StringStoreDeleteRequest>(key);
  return connection_->Mutate(*connection_->strings, &v1::StringStore::Stub::Delete, std::move(request), options);
}

absl::StatusOr<v1::StringStoreAppendResponse> StringStore::Append(absl::string_view key, absl::string_view text,
                                                                  const MutationOptions& options) const {
  auto request = ForKey<v1::StringStoreAppendRequest>(key);
  request.set_value(std::string(text));
  return connection_->Mutate(*connection_->strings, &v1::StringStore::Stub::Append, std::move(request), options);
}

absl::StatusOr<v1::StringStoreMultiGetResponse> StringStore::MultiGet(Texts keys, const CallOptions& options) const {
  const auto request = ForKeys<v1::StringStoreMultiGetRequest>(keys);
  return connection_->Call(Effect::kRead, *connection_->strings, &v1::StringStore::Stub::MultiGet, request, options);
}

absl::StatusOr<v1::StringStoreMultiPutResponse> StringStore::MultiPut(Texts keys, Texts values,
                                                                      const MutationOptions& options) const {
  auto request = ForKeys<v1::StringStoreMultiPutRequest>(keys);
  request.mutable_values()->Assign(values.begin(), values.end());
  return connection_->Mutate(*connection_->strings, &v1::StringStore::Stub::MultiPut, std::move(request), options);
}

absl::StatusOr<v1::SetStorePutResponse> SetStore::Put(absl::string_view key, Texts members,
                                                      const MutationOptions& options) const {
  auto request = ForMembers<v1::SetStorePutRequest>(key, members);
  return connection_->Mutate(*connection_->sets, &v1::SetStore::Stub::Put, std::move(request), options);
}

absl::StatusOr<v1::SetStoreGetResponse> SetStore::Get(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::SetStoreGetRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->sets, &v1::SetStore::Stub::Get, request, options);
}

absl::StatusOr<v1::SetStoreDeleteResponse> SetStore::Delete(absl::string_view key,
                                                            const MutationOptions& options) const {
  auto request = ForKey<v1::SetStoreDeleteRequest>(key);
  return connection_->Mutate(*connection_->sets, &v1::SetStore::Stub::Delete, std::move(request), options);
}

absl::StatusOr<v1::SetStoreAddResponse> SetStore::Add(absl::string_view key, Texts members,
                                                      const MutationOptions& options) const {
  auto request = ForMembers<v1::SetStoreAddRequest>(key, members);
  return connection_->Mutate(*connection_->sets, &v1::SetStore::Stub::Add, std::move(request), options);
}

absl::StatusOr<v1::SetStoreRemoveResponse> SetStore::Remove(absl::string_view key, Texts members,
                                                            const MutationOptions& options) const {
  auto request = ForMembers<v1::SetStoreRemoveRequest>(key, members);
  return connection_->Mutate(*connection_->sets, &v1::SetStore::Stub::Remove, std::move(request), options);
}

absl::StatusOr<v1::SetStoreContainsResponse> SetStore::Contains(absl::string_view key, absl::string_view member,
                                                                const CallOptions& options) const {
  auto request = ForKey<v1::SetStoreContainsRequest>(key);
  request.set_member(std::string(member));
  return connection_->Call(Effect::kRead, *connection_->sets, &v1::SetStore::Stub::Contains, request, options);
}

absl::StatusOr<v1::SetStoreSizeResponse> SetStore::Size(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::SetStoreSizeRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->sets, &v1::SetStore::Stub::Size, request, options);
}

absl::StatusOr<v1::SetStoreListMembersResponse> SetStore::ListMembers(absl::string_view key,
                                                                      absl::string_view start_after, uint32_t limit,
                                                                      const CallOptions& options) const {
  const auto request = ForPage<v1::SetStoreListMembersRequest>(key, start_after, limit);
  return connection_->Call(Effect::kRead, *connection_->sets, &v1::SetStore::Stub::ListMembers, request, options);
}

absl::StatusOr<v1::MapStorePutResponse> MapStore::Put(absl::string_view key, const Fields& fields,
                                                      const MutationOptions& options) const {
  auto request = ForFields<v1::MapStorePutRequest>(key, fields);
  return connection_->Mutate(*connection_->maps, &v1::MapStore::Stub::Put, std::move(request), options);
}

absl::StatusOr<v1::MapStoreGetResponse> MapStore::Get(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::MapStoreGetRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->maps, &v1::MapStore::Stub::Get, request, options);
}

absl::StatusOr<v1::MapStoreDeleteResponse> MapStore::Delete(absl::string_view key,
                                                            const MutationOptions& options) const {
  auto request = ForKey<v1::MapStoreDeleteRequest>(key);
  return connection_->Mutate(*connection_->maps, &v1::MapStore::Stub::Delete, std::move(request), options);
}

absl::StatusOr<v1::MapStorePutFieldsResponse> MapStore::PutFields(absl::string_view key, const Fields& fields,
                                                                  const MutationOptions& options) const {
  auto request = ForFields<v1::MapStorePutFieldsRequest>(key, fields);
  return connection_->Mutate(*connection_->maps, &v1::MapStore::Stub::PutFields, std::move(request), options);
}

absl::StatusOr<v1::MapStoreGetFieldsResponse> MapStore::GetFields(absl::string_view key, Texts names,
                                                                  const CallOptions& options) const {
  const auto request = ForNames<v1::MapStoreGetFieldsRequest>(key, names);
  return connection_->Call(Effect::kRead, *connection_->maps, &v1::MapStore::Stub::GetFields, request, options);
}

absl::StatusOr<v1::MapStoreRemoveFieldsResponse> MapStore::RemoveFields(absl::string_view key, Texts names,
                                                                        const MutationOptions& options) const {
  auto request = ForNames<v1::MapStoreRemoveFieldsRequest>(key, names);
  return connection_->Mutate(*connection_->maps, &v1::MapStore::Stub::RemoveFields, std::move(request), options);
}

absl::StatusOr<v1::MapStoreSizeResponse> MapStore::Size(absl::string_view key, const CallOptions& options) const {
  const auto request = ForKey<v1::MapStoreSizeRequest>(key);
  return connection_->Call(Effect::kRead, *connection_->maps, &v1::MapStore::Stub::Size, request, options);
}

absl::StatusOr<v1::MapStoreListFieldsResponse> MapStore::ListFields(absl::string_view key,
                                                                    absl::string_view start_after, uint32_t limit,
                                                                    const CallOptions& options) const {
  const auto request = ForPage<v1::MapStoreListFieldsRequest>(key, start_after, limit);
  return connection_->Call(Effect::kRead, *connection_->maps, &v1::MapStore::Stub::ListFields, request, options);
}

absl::StatusOr<v1::KeysExistsResponse> Keys::Exists(absl::string_view key, Types types,
                                                    const CallOptions& options) const {
  auto request = ForKey<v1::KeysExistsRequest>(key);
  AddTypes(types, &request);
  return connection_->Call(Effect::kRead, *connection_->keys, &v1::Keys::Stub::Exists, request, options);
}

absl::StatusOr<v1::KeysDeleteResponse> Keys::Delete(absl::string_view key, Types types,
                                                    const MutationOptions& options) const {
  auto request = ForKey<v1::KeysDeleteRequest>(key);
  AddTypes(types, &request);
  return connection_->Mutate(*connection_->keys, &v1::Keys::Stub::Delete, std::move(request), options);
}

absl::StatusOr<v1::KeysExpireResponse> Keys::Expire(absl::string_view key, absl::Duration ttl, Types types,
                                                    const MutationOptions& options) const {
  auto request = ForKey<v1::KeysExpireRequest>(key);
  AddTypes(types, &request);
  MutationOptions with_ttl = options;
  with_ttl.ttl = ttl;
  return connection_->Mutate(*connection_->keys, &v1::Keys::Stub::Expire, std::move(request), with_ttl);
}

absl::StatusOr<v1::KeysPersistResponse> Keys::Persist(absl::string_view key, Types types,
                                                      const MutationOptions& options) const {
  auto request = ForKey<v1::KeysPersistRequest>(key);
  AddTypes(types, &request);
  return connection_->Mutate(*connection_->keys, &v1::Keys::Stub::Persist, std::move(request), options);
}

absl::StatusOr<v1::KeysGetExpiryResponse> Keys::GetExpiry(absl::string_view key, Types types,
                                                          const CallOptions& options) const {
  auto request = ForKey<v1::KeysGetExpiryRequest>(key);
  AddTypes(types, &request);
  return connection_->Call(Effect::kRead, *connection_->keys, &v1::Keys::Stub::GetExpiry, request, options);
}

absl::StatusOr<v1::KeysCountResponse> Keys::Count(Types types, const CallOptions& options) const {
  v1::KeysCountRequest request;
  AddTypes(types, &request);
  return connection_->Call(Effect::kRead, *connection_->keys, &v1::Keys::Stub::Count, request, options);
}

absl::StatusOr<v1::MaintenanceStatusResponse> Maintenance::Status(const CallOptions& options) const {
  const v1::MaintenanceStatusRequest request;
  return connection_->Call(Effect::kRead, *connection_->maintenance, &v1::Maintenance::Stub::Status, request, options);
}

absl::StatusOr<v1::MaintenanceEchoResponse> Maintenance::Echo(absl::string_view message,
                                                              const CallOptions& options) const {
  v1::MaintenanceEchoRequest request;
  request.set_message(std::string(message));
  return connection_->Call(Effect::kRead, *connection_->maintenance, &v1::Maintenance::Stub::Echo, request, options);
}

}  // namespace kvs::client
