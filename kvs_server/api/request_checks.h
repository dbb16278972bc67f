// Request checks: pure functions from what a client sent to OK or the error that tells what is wrong with it. They run
// before anything is evaluated, so that bad input changes nothing.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/map.h>
#include <google/protobuf/repeated_field.h>

#include <string>
#include <vector>

#include "common/errors.h"
#include "common/model/transaction.h"
#include "common/model/value.h"
#include "kvs/v1/common.pb.h"
#include "kvs_server/engine/engine.h"
#include "kvs_server/engine/precondition.h"

namespace kvs::server {

// A key, a set member or a map field name, `what` for people: 1 to kMaxKeyBytes bytes without NUL. That it is UTF-8 was
// checked when the request was parsed.
absl::Status CheckName(absl::string_view name, absl::string_view what);
inline absl::Status CheckKey(absl::string_view key) { return CheckName(key, "key"); }

// Text of at most kMaxValueBytes without NUL.
absl::Status CheckText(absl::string_view text, absl::string_view what);

// NaN and infinity are refused.
absl::Status CheckFinite(double value, absl::string_view what);

// The limit of a page: kDefaultPageEntries if it is not set.
absl::StatusOr<uint32_t> CheckPageLimit(bool has_limit, uint32_t limit);

// What a list of names holds, for people, and the field of the request that it is.
struct NameList {
  absl::string_view what;
  absl::string_view field;
};
inline constexpr NameList kMembers{"member", "members"};
inline constexpr NameList kFieldNames{"field name", "names"};

// Names without repetition, in byte order; they borrow from the request. At least one unless `may_be_empty`.
using RepeatedText = google::protobuf::RepeatedPtrField<std::string>;
absl::StatusOr<Texts> CheckNames(const RepeatedText& names, NameList list, bool may_be_empty);

// Fields in byte order of their names; they borrow from the request. At least one unless `may_be_empty`.
using FieldMap = google::protobuf::Map<std::string, std::string>;
absl::StatusOr<Fields> CheckFields(const FieldMap& fields, bool may_be_empty);

// Types without repetition, in ascending order; all of them for none.
absl::StatusOr<std::vector<ValueType>> CheckTypes(const google::protobuf::RepeatedField<int>& types);

kvs::v1::ValueType ToProto(ValueType type);

// How long a key is to live, in microseconds; INVALID_TTL for what is no duration, shorter than a microsecond or longer
// than kMaxTtlDays.
absl::StatusOr<int64_t> CheckTtl(const google::protobuf::Duration& ttl);

// The error for a field that must be set.
absl::Status MissingField(absl::string_view field);

// The error for a key that is absent, in the types asked for.
absl::Status KeyNotFound(absl::string_view key);

// What a client calls a request: 1 to kMaxRequestIdBytes bytes without NUL; INVALID_REQUEST_ID otherwise.
absl::Status CheckRequestId(absl::string_view id);

// The error for a request_id where there can be none.
absl::Status MisplacedRequestId(absl::string_view why);

// What a mutation asks for, none if it asks for nothing. INVALID_PRECONDITION for one without a condition, or whose
// condition is false.
absl::StatusOr<Precondition> ToPrecondition(const kvs::v1::Precondition& precondition);

// What a mutation asks for besides its verb.
template <class Request>
absl::StatusOr<MutationOptions> OptionsOf(const Request& request) {
  MutationOptions options;
  if constexpr (requires { request.has_ttl(); }) {
    if (request.has_ttl()) {
      const absl::StatusOr<int64_t> ttl = CheckTtl(request.ttl());
      if (!ttl.ok()) return ttl.status();
      options.ttl_micros = *ttl;
    }
  }
  if (request.has_precondition()) {
    const absl::StatusOr<Precondition> precondition = ToPrecondition(request.precondition());
    if (!precondition.ok()) return precondition.status();
    options.precondition = *precondition;
  }
  return options;
}

// BATCH_TOO_LARGE for more than kMaxBatchOperations operations or keys.
absl::Status CheckBatchCount(size_t count);

// For mutations of several keys: INVALID_PRECONDITION if the precondition is about one key's revision.
absl::Status CheckPreconditionForKeys(const Precondition& precondition);

// For mutations of a key in several types: INVALID_PRECONDITION if the precondition is about one key's revision.
absl::Status CheckPreconditionForTypes(const Precondition& precondition, size_t type_count);

}  // namespace kvs::server
