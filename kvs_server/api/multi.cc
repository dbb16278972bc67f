// MultiGet, MultiPut and MultiIncrement: one message, many keys, in lists that go together.
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "common/rpc/status.h"
#include "kvs_server/api/lists.h"
#include "kvs_server/api/once.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/api/request_checks.h"
#include "kvs_server/engine/verbs.h"

namespace kvs::server {
namespace {

using MaybeOperation = absl::StatusOr<std::optional<Operation>>;
using Errors = google::protobuf::RepeatedPtrField<v1::KeyErrors>;

// Room for what encloses a text in a list.
constexpr size_t kTextOverheadBytes = 4;

template <class T, class Values>
void AddValue(const T* value, Values* values) {
  values->Add(value ? *value : T{});
}

void AddValue(const StringValue* value, google::protobuf::RepeatedPtrField<std::string>* values) {
  std::string* added = values->Add();
  if (value) added->assign(value->view().data(), value->size());
}

void AddValue(const StringValue* value, TextsAnswer::Values* values) { values->Add(value ? value->view() : ""); }

// The bytes that a value adds to a reply, of those types whose replies may become too large.
template <class T>
size_t ReplyBytes(const T*) {
  return 0;
}
size_t ReplyBytes(const StringValue* value) { return kTextOverheadBytes + (value ? value->size() : 0); }

absl::Status CheckValue(int64_t) { return absl::OkStatus(); }
absl::Status CheckValue(uint64_t) { return absl::OkStatus(); }
absl::Status CheckValue(double value) { return CheckFinite(value, "value"); }
absl::Status CheckValue(absl::string_view value) { return CheckText(value, "value"); }

ValueView ViewOf(int64_t value) { return value; }
ValueView ViewOf(uint64_t value) { return value; }
ValueView ViewOf(double value) { return value; }
ValueView ViewOf(absl::string_view value) { return value; }

absl::Status LengthMismatch(absl::string_view list, int keys, int entries) {
  return Error(errors::kLengthMismatch,
               absl::StrCat("nothing was changed: there are ", keys, " keys, but ", entries, " ", list),
               {{"keys", absl::StrCat(keys)}, {"entries", absl::StrCat(entries)}});
}

// Adds a key that failed to those that failed for the same reason.
void AddError(const absl::Status& status, int index, Errors* errors) {
  const std::string reason = ReasonOf(status);
  for (v1::KeyErrors& known : *errors) {
    const absl::Status first = rpc::FromProto(known.status());
    if (first.code() == status.code() && ReasonOf(first) == reason) return known.add_indexes(index);
  }
  v1::KeyErrors* added = errors->Add();
  added->add_indexes(index);
  *added->mutable_status() = rpc::ToProto(WithMetadata(status, "entry", absl::StrCat(index)));
}

// Calls operate(Unit&, int index, size_t hash), which returns Outcome, for each key, and fail(int index) for those
// that fail. In a session that is all or nothing, the first failure is that of all.
template <class T, class Request, class Response, class Operate, class Fail>
Outcome ForEachKey(const Session& session, const Request& request, Response* response, Operate operate, Fail fail) {
  if (absl::Status status = CheckBatchCount(request.keys_size()); !status.ok()) return Refused(status);
  const std::vector<size_t> hashes = HashesOf(request);
  auto* revisions = response->mutable_revisions();
  revisions->Reserve(request.keys_size());
  const auto operate_on_all = [&](Unit& unit) {
    Outcome all;
    for (int i = 0; i < request.keys_size(); ++i) {
      unit.Prefetch<T>(hashes, i);
      Outcome one;
      one.status = CheckKey(request.keys(i));
      if (one.status.ok()) one = operate(unit, i, hashes[i]);
      all.observed_revision = std::max(all.observed_revision, one.observed_revision);
      all.latest_revision = std::max(all.latest_revision, one.latest_revision);
      if (one.status.ok()) {
        revisions->AddAlreadyReserved(one.revision);
        continue;
      }
      if (session.is_atomic()) {
        all.status = WithMetadata(one.status, "entry", absl::StrCat(i));
        return all;
      }
      AddError(one.status, i, response->mutable_errors());
      fail(i);
      revisions->AddAlreadyReserved(0);
    }
    return all;
  };
  return session.Several(hashes, operate_on_all, [revisions](const Unit& unit) {
    for (uint64_t& revision : *revisions) revision = unit.Resolve(revision);
  });
}

template <class T, class Request, class Response>
Outcome MultiGet(const Session& session, const Request& request, Response* response) {
  auto* values = response->mutable_values();
  values->Reserve(request.keys_size());
  size_t bytes = 0;
  const auto read = [&](Unit& unit, int i, size_t hash) {
    return unit.Read<T>(request.keys(i), hash, [&](const T* value) {
      if (bytes + ReplyBytes(value) > kMaxReplyBytes) {
        return Error(errors::kReplyTooLarge, "the values before it fill the reply; ask for it in another call",
                     {{"limit", absl::StrCat(kMaxReplyBytes)}});
      }
      bytes += ReplyBytes(value);
      AddValue(value, values);
      return absl::OkStatus();
    });
  };
  return ForEachKey<T>(session, request, response, read,
                       [values](int) { AddValue(static_cast<const T*>(nullptr), values); });
}

// What a mutation of several keys asks for besides its verb.
template <class Request>
absl::StatusOr<MutationOptions> OptionsForKeys(const Request& request) {
  absl::StatusOr<MutationOptions> options = OptionsOf(request);
  if (!options.ok()) return options;
  if (absl::Status status = CheckPreconditionForKeys(options->precondition); !status.ok()) return status;
  return options;
}

template <class T>
absl::StatusOr<MutationOptions> OptionsForKeys(const PutList<T>&) {
  return MutationOptions();
}

template <class T, class Request, class Response>
Outcome MultiPut(const Session& session, const Request& request, Response* response) {
  const absl::StatusOr<MutationOptions> options = OptionsForKeys(request);
  if (!options.ok()) return Refused(options.status());
  if (request.values_size() != request.keys_size()) {
    return Refused(LengthMismatch("values", request.keys_size(), request.values_size()));
  }
  const auto put = [&](Unit& unit, int i, size_t hash) {
    if (absl::Status status = CheckValue(request.values(i)); !status.ok()) return Refused(status);
    return unit.Mutate<T>(request.keys(i), hash, *options, [&](const T*) -> MaybeOperation {
      return Operation(operation::Put{ViewOf(request.values(i))});
    });
  };
  return ForEachKey<T>(session, request, response, put, [](int) {});
}

// increment(const T*, T delta) returns absl::StatusOr<verbs::Incremented<T>>.
template <class T, class Request, class Response, class Increment>
Outcome MultiIncrement(const Session& session, const Request& request, Response* response, Increment increment) {
  const absl::StatusOr<MutationOptions> options = OptionsForKeys(request);
  if (!options.ok()) return Refused(options.status());
  const int deltas = request.deltas_size();
  if (deltas > 1 && deltas != request.keys_size()) {
    return Refused(LengthMismatch("deltas", request.keys_size(), deltas));
  }
  auto* values = response->mutable_values();
  values->Reserve(request.keys_size());
  const auto add = [&](Unit& unit, int i, size_t hash) {
    const T delta = deltas == 0 ? T{1} : request.deltas(deltas == 1 ? 0 : i);
    if (absl::Status status = CheckValue(delta); !status.ok()) return Refused(status);
    return unit.Mutate<T>(request.keys(i), hash, *options, [&](const T* current) -> MaybeOperation {
      auto result = increment(current, delta);
      if (!result.ok()) return result.status();
      values->Add(result->value);
      return std::move(result->operation);
    });
  };
  return ForEachKey<T>(session, request, response, add, [values](int) { values->Add(T{}); });
}

// The answer to a request from its bytes. Where it has none, as where a key list cannot be parsed, nothing was changed.
template <class Request, class Response, class Run>
std::optional<ListAnswer> FromBytes(absl::string_view bytes, Run run) {
  Request request;
  if (!request.Parse(bytes)) return std::nullopt;
  Response response;
  ListAnswer answer;
  answer.outcome = run(request, &response);
  if (!answer.outcome.status.ok()) return std::nullopt;
  answer.response = std::move(response).SerializeAsString();
  return answer;
}

template <class T, class Response>
std::optional<ListAnswer> MultiGetFromBytes(const Session& session, absl::string_view bytes) {
  using Answer = std::conditional_t<std::is_same_v<T, StringValue>, TextsAnswer, Response>;
  return FromBytes<KeyList, Answer>(
      bytes, [&](const KeyList& request, Answer* response) { return MultiGet<T>(session, request, response); });
}

template <class T, class Response>
std::optional<ListAnswer> MultiPutFromBytes(const Session& session, absl::string_view bytes) {
  return FromBytes<PutList<T>, Response>(
      bytes, [&](const PutList<T>& request, Response* response) { return MultiPut<T>(session, request, response); });
}

}  // namespace

std::optional<ListAnswer> DoLists(const Session& session, const ListOperation& operation) {
  switch (operation.operation) {
#define KVS_LISTS(T, Store)                                                                    \
  case v1::BatchOperation::k##Store##MultiGet:                                                 \
    return MultiGetFromBytes<T, v1::Store##StoreMultiGetResponse>(session, operation.request); \
  case v1::BatchOperation::k##Store##MultiPut:                                                 \
    return MultiPutFromBytes<T, v1::Store##StoreMultiPutResponse>(session, operation.request);
    KVS_LISTS(int64_t, Int)
    KVS_LISTS(uint64_t, Uint)
    KVS_LISTS(double, Float)
    KVS_LISTS(StringValue, String)
#undef KVS_LISTS
    default:
      return std::nullopt;
  }
}

#define KVS_DEFINE_MULTI(T, Store)                                              \
  Outcome Do(const Session& session, const v1::Store##MultiGetRequest& request, \
             v1::Store##MultiGetResponse* response) {                           \
    return MultiGet<T>(session, request, response);                             \
  }                                                                             \
  Outcome Do(const Session& session, const v1::Store##MultiPutRequest& request, \
             v1::Store##MultiPutResponse* response) {                           \
    return MultiPut<T>(session, request, response);                             \
  }
KVS_DEFINE_MULTI(int64_t, IntStore)
KVS_DEFINE_MULTI(uint64_t, UintStore)
KVS_DEFINE_MULTI(double, FloatStore)
KVS_DEFINE_MULTI(StringValue, StringStore)
#undef KVS_DEFINE_MULTI

Outcome Do(const Session& session, const v1::IntStoreMultiIncrementRequest& request,
           v1::IntStoreMultiIncrementResponse* response) {
  return MultiIncrement<int64_t>(session, request, response, [](const int64_t* current, int64_t delta) {
    return verbs::Increment(current, delta);
  });
}

Outcome Do(const Session& session, const v1::UintStoreMultiIncrementRequest& request,
           v1::UintStoreMultiIncrementResponse* response) {
  return MultiIncrement<uint64_t>(
      session, request, response, [decrement = request.decrement()](const uint64_t* current, uint64_t delta) {
        return decrement ? verbs::Decrement(current, delta) : verbs::Increment(current, delta);
      });
}

Outcome Do(const Session& session, const v1::FloatStoreMultiIncrementRequest& request,
           v1::FloatStoreMultiIncrementResponse* response) {
  return MultiIncrement<double>(session, request, response,
                                [](const double* current, double delta) { return verbs::Increment(current, delta); });
}

}  // namespace kvs::server
