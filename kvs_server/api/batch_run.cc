#include "kvs_server/api/batch_run.h"

#include <absl/container/inlined_vector.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <optional>

#include "common/errors.h"
#include "common/limits.h"
#include "common/rpc/status.h"
#include "kvs_server/api/once.h"
#include "kvs_server/api/request_checks.h"

namespace kvs::server {
namespace {

// Room for whatever an operation answers that changed something: it must not be found out afterwards that it has none.
// One with many keys answers some bytes for each, and the errors of keys that failed, of which there are no more than
// there are reasons.
constexpr size_t kMaxMutationResultBytes = 256;
constexpr size_t kMaxBytesForEachKey = 32;
constexpr size_t kMaxKeyErrorsBytes = 32 * kKiB;

// What encloses a result in the reply.
constexpr size_t kResultOverheadBytes = 8;

// Returns call(request, response) for an operation and the place of its response; Result() if there is no operation.
template <class Result, class Call>
Result WithOperation(const v1::BatchOperation& operation, v1::BatchResult* result, Call call) {
  switch (operation.operation_case()) {
#define KVS_CASE(store, verb, field, case_name) \
  case v1::BatchOperation::k##case_name:        \
    return call(operation.field(), result->mutable_##field());
    KVS_OPERATIONS(KVS_CASE)
#undef KVS_CASE
    case v1::BatchOperation::OPERATION_NOT_SET:
      break;
  }
  return Result();
}

// The same without a place for a response.
template <class Result, class Call>
Result WithRequest(const v1::BatchOperation& operation, Call call) {
  switch (operation.operation_case()) {
#define KVS_CASE(store, verb, field, case_name) \
  case v1::BatchOperation::k##case_name:        \
    return call(operation.field());
    KVS_OPERATIONS(KVS_CASE)
#undef KVS_CASE
    case v1::BatchOperation::OPERATION_NOT_SET:
      break;
  }
  return Result();
}

template <class Message>
concept HasKeys = requires(const Message& message) { message.keys(); };

// Calls run(request, response), which returns Outcome.
template <class Run>
Outcome DoOperation(const v1::BatchOperation& operation, v1::BatchResult* result, Run run) {
  if (operation.operation_case() == v1::BatchOperation::OPERATION_NOT_SET) return Refused(MissingField("operation"));
  return WithOperation<Outcome>(operation, result, [&run](const auto& request, auto* response) {
    Outcome outcome = run(request, response);
    // The batch has one for all.
    response->clear_latest_revision();
    return outcome;
  });
}

size_t CountKeys(const v1::BatchOperation& operation) {
  return WithRequest<size_t>(operation, [](const auto& request) -> size_t {
    if constexpr (HasKeys<decltype(request)>) return request.keys_size();
    return 1;
  });
}

absl::Status CheckCount(const v1::BatchExecuteRequest& request) {
  size_t keys = request.operations_size();
  for (const auto& operation : request.operations()) keys += std::max<size_t>(CountKeys(operation), 1) - 1;
  return CheckBatchCount(keys);
}

size_t MaxMutationBytes(const v1::BatchOperation& operation) {
  const size_t keys = CountKeys(operation);
  return keys <= 1 ? kMaxMutationResultBytes : keys * kMaxBytesForEachKey + kMaxKeyErrorsBytes;
}

void AddOperationHashes(const v1::BatchOperation& operation, std::vector<size_t>* hashes) {
  WithRequest<bool>(operation, [hashes](const auto& request) {
    AddHashesOf(request, hashes);
    return true;
  });
}

// The type of the keys of a store; none where that is in the request.
constexpr std::optional<ValueType> kTypeInIntStore = ValueType::kInt;
constexpr std::optional<ValueType> kTypeInUintStore = ValueType::kUint;
constexpr std::optional<ValueType> kTypeInFloatStore = ValueType::kFloat;
constexpr std::optional<ValueType> kTypeInStringStore = ValueType::kString;
constexpr std::optional<ValueType> kTypeInSetStore = ValueType::kSet;
constexpr std::optional<ValueType> kTypeInMapStore = ValueType::kMap;
constexpr std::optional<ValueType> kTypeInKeys = std::nullopt;

// Those types by the operations' cases.
constexpr auto kTypesOfCases = [] {
  std::array<std::optional<ValueType>, 128> types{};
#define KVS_SET_TYPE(store, verb, field, case_name) types[v1::BatchOperation::k##case_name] = kTypeIn##store;
  KVS_OPERATIONS(KVS_SET_TYPE)
#undef KVS_SET_TYPE
  return types;
}();

// Fetches ahead what the next operations look at, from the one with this index on.
void PrefetchKeys(Store& store, const v1::BatchExecuteRequest& request, int index) {
  absl::InlinedVector<KeyPlace, Store::kKeysFetchedTogether> keys;
  const int end = std::min(request.operations_size(), index + static_cast<int>(Store::kKeysFetchedTogether));
  for (int i = index; i < end; ++i) {
    const auto& operation = request.operations(i);
    const std::optional<ValueType> type = kTypesOfCases[operation.operation_case()];
    if (!type) continue;
    WithRequest<bool>(operation, [&](const auto& one) {
      if constexpr (!HasKeys<decltype(one)>) keys.push_back({*type, HashKey(one.key())});
      return true;
    });
  }
  store.Prefetch(keys);
}

std::vector<size_t> HashesOfAll(const v1::BatchExecuteRequest& request) {
  std::vector<size_t> hashes;
  hashes.reserve(request.operations_size());
  for (const auto& operation : request.operations()) AddOperationHashes(operation, &hashes);
  return hashes;
}

// Whether an operation has a request_id of its own.
bool IsNamed(const v1::BatchOperation& operation) {
  return WithRequest<bool>(operation, [](const auto& request) {
    if constexpr (requires { request.request_id(); }) return !request.request_id().empty();
    return false;
  });
}

absl::Status CheckRequestIds(const v1::BatchExecuteRequest& request) {
  if (!request.atomic()) {
    if (request.request_id().empty()) return absl::OkStatus();
    return MisplacedRequestId("a batch has a request_id only if it is atomic; otherwise each operation has its own");
  }
  if (std::none_of(request.operations().begin(), request.operations().end(), IsNamed)) return absl::OkStatus();
  return MisplacedRequestId("an operation of an atomic batch has no request_id; give it to the batch");
}

// Without a message: there may be thousands of them.
google::rpc::Status Brief(ErrorKind kind) { return rpc::ToProto(Error(kind, "")); }

absl::Status AtOperation(const absl::Status& status, int index) {
  return WithMetadata(status, "operation", absl::StrCat(index));
}

// One batch while it is done.
class BatchRun {
 public:
  BatchRun(Engine* engine, absl::string_view actor, const StoreOptions& options, const v1::BatchExecuteRequest& request,
           v1::BatchExecuteResponse* response)
      : engine_(*engine), actor_(actor), options_(options), request_(request), response_(*response) {}

  BatchOutcome Run() {
    Outcome& all = outcome_.all;
    all.status = CheckCount(request_);
    if (all.status.ok()) all.status = CheckRequestIds(request_);
    if (!all.status.ok()) return std::move(outcome_);
    response_.mutable_results()->Reserve(request_.operations_size());
    if (request_.atomic()) {
      all = engine_.WithRoom([this] { return HashesOfAll(request_); }, [this] { return RunAtomic(); });
    } else {
      RunIndependent();
    }
    // Also where no operation has looked at anything.
    all.latest_revision = std::max(all.latest_revision, engine_.journal().durable_revision());
    response_.set_latest_revision(all.latest_revision);
    return std::move(outcome_);
  }

 private:
  void RunIndependent();
  Outcome RunAtomic();
  // Does the operations in the unit, as long as they succeed. The revisions in their responses are provisional.
  Outcome RunInUnit(Unit& unit);
  // The rest of the operations has no room in the reply.
  void RefuseRest();

  Engine& engine_;
  const absl::string_view actor_;
  const StoreOptions& options_;
  const v1::BatchExecuteRequest& request_;
  v1::BatchExecuteResponse& response_;
  BatchOutcome outcome_;
};

void BatchRun::RunIndependent() {
  Outcome& all = outcome_.all;
  const auto perform = [this](const auto& one, auto* response) {
    return Perform(&engine_, actor_, options_, one, response);
  };
  outcome_.waits.reserve(request_.operations_size());
  size_t bytes = 0;
  for (int i = 0; i < request_.operations_size(); ++i) {
    if (i % static_cast<int>(Store::kKeysFetchedTogether) == 0) PrefetchKeys(engine_.store(), request_, i);
    const v1::BatchOperation& operation = request_.operations(i);
    if (bytes + MaxMutationBytes(operation) > kMaxBatchReplyBytes) return RefuseRest();
    v1::BatchResult* result = response_.add_results();
    const auto hashes = [&operation] {
      std::vector<size_t> hashes;
      AddOperationHashes(operation, &hashes);
      return hashes;
    };
    const Outcome outcome = engine_.WithRoom(hashes, [&] {
      result->Clear();
      return DoOperation(operation, result, perform);
    });
    if (!outcome.status.ok()) *result->mutable_error() = rpc::ToProto(outcome.status);
    all.observed_revision = std::max(all.observed_revision, outcome.observed_revision);
    all.latest_revision = std::max(all.latest_revision, outcome.latest_revision);
    all.logged |= outcome.logged;
    bytes += result->ByteSizeLong() + kResultOverheadBytes;
    if (bytes > kMaxBatchReplyBytes) {
      // It changed nothing, or it would have had room.
      response_.mutable_results()->RemoveLast();
      return RefuseRest();
    }
    outcome_.waits.push_back({outcome.observed_revision, outcome.logged});
  }
}

void BatchRun::RefuseRest() {
  const google::rpc::Status error = Brief(errors::kReplyTooLarge);
  while (response_.results_size() < request_.operations_size()) *response_.add_results()->mutable_error() = error;
}

Outcome BatchRun::RunAtomic() {
  response_.clear_results();
  const std::vector<size_t> hashes = HashesOfAll(request_);
  const auto map_revisions = [this](RevisionMap map) { MapRevisions(&response_, map); };
  if (!request_.request_id().empty()) {
    const OnceRequest once{actor_, request_.request_id(), request_, &response_, map_revisions};
    return RunOnce(&engine_, once, hashes, [&](Unit& unit) { return RunInUnit(unit); });
  }
  Unit unit = engine_.Begin(actor_, hashes);
  Outcome outcome = RunInUnit(unit);
  if (outcome.status.ok()) unit.Commit(&outcome);
  if (outcome.logged) map_revisions([&unit](uint64_t revision) { return unit.Resolve(revision); });
  return outcome;
}

Outcome BatchRun::RunInUnit(Unit& unit) {
  const Session session(&unit, options_, /*is_atomic=*/true);
  const auto perform = [&session](const auto& one, auto* response) {
    Outcome outcome = Do(session, one, response);
    SetRevision(response, outcome.revision);
    return outcome;
  };
  Outcome all;
  size_t bytes = 0;
  for (int i = 0; i < request_.operations_size(); ++i) {
    v1::BatchResult* result = response_.add_results();
    const Outcome outcome = DoOperation(request_.operations(i), result, perform);
    all.observed_revision = std::max(all.observed_revision, outcome.observed_revision);
    all.latest_revision = std::max(all.latest_revision, outcome.latest_revision);
    all.status = outcome.status;
    bytes += result->ByteSizeLong() + kResultOverheadBytes;
    if (outcome.status.ok() && bytes > kMaxBatchReplyBytes) {
      all.status =
          Error(errors::kReplyTooLarge, "nothing was changed: the results would be over the limit of the reply",
                {{"limit", absl::StrCat(kMaxBatchReplyBytes)}});
    }
    if (!all.status.ok()) {
      all.status = AtOperation(all.status, i);
      return all;
    }
  }
  return all;
}

}  // namespace

BatchOutcome RunBatch(Engine* engine, absl::string_view actor, const StoreOptions& options,
                      const v1::BatchExecuteRequest& request, v1::BatchExecuteResponse* response) {
  return BatchRun(engine, actor, options, request, response).Run();
}

absl::Status GiveUp(const BatchOutcome& outcome, uint64_t durable_revision, v1::BatchExecuteResponse* response) {
  const std::vector<BatchOutcome::Wait>& waits = outcome.waits;
  if (waits.empty()) return WaitError(outcome.all.logged);
  response->set_latest_revision(durable_revision);
  const google::rpc::Status unknown = Brief(errors::kOutcomeUnknown);
  const google::rpc::Status pending = Brief(errors::kPendingWrite);
  for (size_t i = 0; i < waits.size(); ++i) {
    if (waits[i].observed_revision <= durable_revision) continue;
    *response->mutable_results(static_cast<int>(i))->mutable_error() = waits[i].logged ? unknown : pending;
  }
  return absl::OkStatus();
}

}  // namespace kvs::server
