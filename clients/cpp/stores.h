// The stores as C++ sees them: one class per type, one method per call of proto/kvs/v1.
//
// Each method takes what the request carries and returns the response message, so that everything the server answers is
// there; the proto files say what the fields mean and which errors a call has. Handles come from a Client, are as cheap
// to copy as a shared_ptr, keep the connection alive, and may be used by several threads at once. Calls block. Methods
// that change something take a precondition in their options (clients/cpp/precondition.h). Those with many keys succeed
// where some of their keys fail, which their response tells.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/options.h"
#include "kvs/v1/common.pb.h"
#include "kvs/v1/float_store.pb.h"
#include "kvs/v1/int_store.pb.h"
#include "kvs/v1/keys.pb.h"
#include "kvs/v1/maintenance.pb.h"
#include "kvs/v1/map_store.pb.h"
#include "kvs/v1/set_store.pb.h"
#include "kvs/v1/string_store.pb.h"
#include "kvs/v1/uint_store.pb.h"

namespace kvs::client {

class Connection;

using Texts = absl::Span<const std::string>;

class IntStore {
 public:
  explicit IntStore(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::IntStorePutResponse> Put(absl::string_view key, int64_t value, const MutationOptions& = {}) const;
  absl::StatusOr<v1::IntStoreGetResponse> Get(absl::string_view key, const CallOptions& = {}) const;
  absl::StatusOr<v1::IntStoreDeleteResponse> Delete(absl::string_view key, const MutationOptions& = {}) const;
  absl::StatusOr<v1::IntStoreIncrementResponse> Increment(absl::string_view key, int64_t delta = 1,
                                                          const MutationOptions& = {}) const;

  // Up to 10,000 keys in one message; the lists of the request and of the response are in the order of the keys.
  absl::StatusOr<v1::IntStoreMultiGetResponse> MultiGet(Texts keys, const CallOptions& = {}) const;
  absl::StatusOr<v1::IntStoreMultiPutResponse> MultiPut(Texts keys, absl::Span<const int64_t> values,
                                                        const MutationOptions& = {}) const;
  absl::StatusOr<v1::IntStoreMultiIncrementResponse> MultiIncrement(Texts keys, absl::Span<const int64_t> deltas = {},
                                                                    const MutationOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

class UintStore {
 public:
  explicit UintStore(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::UintStorePutResponse> Put(absl::string_view key, uint64_t value,
                                               const MutationOptions& = {}) const;
  absl::StatusOr<v1::UintStoreGetResponse> Get(absl::string_view key, const CallOptions& = {}) const;
  absl::StatusOr<v1::UintStoreDeleteResponse> Delete(absl::string_view key, const MutationOptions& = {}) const;
  absl::StatusOr<v1::UintStoreIncrementResponse> Increment(absl::string_view key, uint64_t delta = 1,
                                                           const MutationOptions& = {}) const;
  absl::StatusOr<v1::UintStoreIncrementResponse> Decrement(absl::string_view key, uint64_t decrement = 1,
                                                           const MutationOptions& = {}) const;

  // Up to 10,000 keys in one message; the lists of the request and of the response are in the order of the keys.
  absl::StatusOr<v1::UintStoreMultiGetResponse> MultiGet(Texts keys, const CallOptions& = {}) const;
  absl::StatusOr<v1::UintStoreMultiPutResponse> MultiPut(Texts keys, absl::Span<const uint64_t> values,
                                                         const MutationOptions& = {}) const;
  absl::StatusOr<v1::UintStoreMultiIncrementResponse> MultiIncrement(Texts keys, absl::Span<const uint64_t> deltas = {},
                                                                     const MutationOptions& = {}) const;
  absl::StatusOr<v1::UintStoreMultiIncrementResponse> MultiDecrement(Texts keys, absl::Span<const uint64_t> deltas = {},
                                                                     const MutationOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

class FloatStore {
 public:
  explicit FloatStore(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::FloatStorePutResponse> Put(absl::string_view key, double value, const MutationOptions& = {}) const;
  absl::StatusOr<v1::FloatStoreGetResponse> Get(absl::string_view key, const CallOptions& = {}) const;
  absl::StatusOr<v1::FloatStoreDeleteResponse> Delete(absl::string_view key, const MutationOptions& = {}) const;
  absl::StatusOr<v1::FloatStoreIncrementResponse> Increment(absl::string_view key, double delta = 1,
                                                            const MutationOptions& = {}) const;

  // Up to 10,000 keys in one message; the lists of the request and of the response are in the order of the keys.
  absl::StatusOr<v1::FloatStoreMultiGetResponse> MultiGet(Texts keys, const CallOptions& = {}) const;
  absl::StatusOr<v1::FloatStoreMultiPutResponse> MultiPut(Texts keys, absl::Span<const double> values,
                                                          const MutationOptions& = {}) const;
  absl::StatusOr<v1::FloatStoreMultiIncrementResponse> MultiIncrement(Texts keys, absl::Span<const double> deltas = {},
                                                                      const MutationOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

class StringStore {
 public:
  explicit StringStore(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::StringStorePutResponse> Put(absl::string_view key, absl::string_view value,
                                                 const MutationOptions& = {}) const;
  absl::StatusOr<v1::StringStoreGetResponse> Get(absl::string_view key, const CallOptions& = {}) const;
  absl::StatusOr<v1::StringStoreDeleteResponse> Delete(absl::string_view key, const MutationOptions& = {}) const;
  absl::StatusOr<v1::StringStoreAppendResponse> Append(absl::string_view key, absl::string_view text,
                                                       const MutationOptions& = {}) const;

  // Up to 10,000 keys in one message; the lists of the request and of the response are in the order of the keys.
  absl::StatusOr<v1::StringStoreMultiGetResponse> MultiGet(Texts keys, const CallOptions& = {}) const;
  absl::StatusOr<v1::StringStoreMultiPutResponse> MultiPut(Texts keys, Texts values, const MutationOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

class SetStore {
 public:
  explicit SetStore(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::SetStorePutResponse> Put(absl::string_view key, Texts members, const MutationOptions& = {}) const;
  absl::StatusOr<v1::SetStoreGetResponse> Get(absl::string_view key, const CallOptions& = {}) const;
  absl::StatusOr<v1::SetStoreDeleteResponse> Delete(absl::string_view key, const MutationOptions& = {}) const;
  absl::StatusOr<v1::SetStoreAddResponse> Add(absl::string_view key, Texts members, const MutationOptions& = {}) const;
  absl::StatusOr<v1::SetStoreRemoveResponse> Remove(absl::string_view key, Texts members,
                                                    const MutationOptions& = {}) const;
  absl::StatusOr<v1::SetStoreContainsResponse> Contains(absl::string_view key, absl::string_view member,
                                                        const CallOptions& = {}) const;
  absl::StatusOr<v1::SetStoreSizeResponse> Size(absl::string_view key, const CallOptions& = {}) const;
  // One page: the members after `start_after`, at most `limit` of them, 0 for the server's default.
  absl::StatusOr<v1::SetStoreListMembersResponse> ListMembers(absl::string_view key, absl::string_view start_after = "",
                                                              uint32_t limit = 0, const CallOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

using Fields = std::map<std::string, std::string>;

class MapStore {
 public:
  explicit MapStore(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::MapStorePutResponse> Put(absl::string_view key, const Fields& fields,
                                              const MutationOptions& = {}) const;
  absl::StatusOr<v1::MapStoreGetResponse> Get(absl::string_view key, const CallOptions& = {}) const;
  absl::StatusOr<v1::MapStoreDeleteResponse> Delete(absl::string_view key, const MutationOptions& = {}) const;
  absl::StatusOr<v1::MapStorePutFieldsResponse> PutFields(absl::string_view key, const Fields& fields,
                                                          const MutationOptions& = {}) const;
  absl::StatusOr<v1::MapStoreGetFieldsResponse> GetFields(absl::string_view key, Texts names,
                                                          const CallOptions& = {}) const;
  absl::StatusOr<v1::MapStoreRemoveFieldsResponse> RemoveFields(absl::string_view key, Texts names,
                                                                const MutationOptions& = {}) const;
  absl::StatusOr<v1::MapStoreSizeResponse> Size(absl::string_view key, const CallOptions& = {}) const;
  // One page: the fields after the name `start_after`, at most `limit` of them, 0 for the server's default.
  absl::StatusOr<v1::MapStoreListFieldsResponse> ListFields(absl::string_view key, absl::string_view start_after = "",
                                                            uint32_t limit = 0, const CallOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

using Types = absl::Span<const v1::ValueType>;

// What crosses types; no types at all means all of them.
class Keys {
 public:
  explicit Keys(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::KeysExistsResponse> Exists(absl::string_view key, Types types = {}, const CallOptions& = {}) const;
  absl::StatusOr<v1::KeysDeleteResponse> Delete(absl::string_view key, Types types = {},
                                                const MutationOptions& = {}) const;
  // The key expires so long from now on; options.ttl is not looked at.
  absl::StatusOr<v1::KeysExpireResponse> Expire(absl::string_view key, absl::Duration ttl, Types types = {},
                                                const MutationOptions& = {}) const;
  absl::StatusOr<v1::KeysPersistResponse> Persist(absl::string_view key, Types types = {},
                                                  const MutationOptions& = {}) const;
  absl::StatusOr<v1::KeysGetExpiryResponse> GetExpiry(absl::string_view key, Types types = {},
                                                      const CallOptions& = {}) const;
  absl::StatusOr<v1::KeysCountResponse> Count(Types types = {}, const CallOptions& = {}) const;
  // Calls `visit` for each part of the list until it returns false or the list is at its end. A list that breaks off in
  // the middle is not resumed: the error is returned and what was visited was true of the revision in the first part.
  absl::Status List(absl::string_view prefix, Types types, absl::FunctionRef<bool(const v1::KeysListResponse&)> visit,
                    const CallOptions& = {}) const;
  absl::Status List(const v1::KeysListRequest& request, absl::FunctionRef<bool(const v1::KeysListResponse&)> visit,
                    const CallOptions& = {}) const;
  // The same with values. Calls `visit` for each key with all of its value, however many parts that came in, and
  // returns the revision that all of it is true of.
  absl::StatusOr<uint64_t> Scan(const v1::KeysScanRequest& request, absl::FunctionRef<bool(const v1::ScanEntry&)> visit,
                                const CallOptions& = {}) const;
  // The same with messages as they come, for those who take large values in parts.
  absl::Status ScanParts(const v1::KeysScanRequest& request, absl::FunctionRef<bool(const v1::KeysScanResponse&)> visit,
                         const CallOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

class Maintenance {
 public:
  explicit Maintenance(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<v1::MaintenanceStatusResponse> Status(const CallOptions& = {}) const;
  absl::StatusOr<v1::MaintenanceEchoResponse> Echo(absl::string_view message, const CallOptions& = {}) const;

 private:
  std::shared_ptr<const Connection> connection_;
};

}  // namespace kvs::client
