#include "kvs_server/api/keys.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/rpc/status.h"
#include "kvs/v1/keys.pb.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/api/request_checks.h"
#include "kvs_server/engine/key_lister.h"

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

// One List stream: a chunk is read, waits until it is durable, is written, and only then the next one is read. So a
// slow reader costs one chunk of memory and what the lister has read ahead.
class ListStream final : public rpc::StreamHandler {
 public:
  ListStream(rpc::ServerStream* stream, Engine* engine, Responder* responder)
      : stream_(*stream), engine_(*engine), responder_(*responder), state_(std::make_shared<State>()) {
    state_->handler = this;
  }

  bool OnMessage(const grpc::ByteBuffer& message) override {
    v1::KeysListRequest request;
    if (!rpc::Parse(message, &request)) {
      stream_.Finish(rpc::Service::MalformedError(*v1::KeysListRequest::descriptor()));
    } else if (absl::Status status = Begin(request); !status.ok()) {
      stream_.Finish(rpc::ToGrpc(status));
    } else {
      NextChunk();
    }
    return false;
  }

  void OnHalfClose() override { stream_.Finish(rpc::Service::MalformedError(*v1::KeysListRequest::descriptor())); }
  void OnWritten() override { NextChunk(); }
  void OnDrain() override { stream_.Finish(rpc::ToGrpc(responder_.CheckServing())); }
  void OnDone() override { state_->handler = nullptr; }

 private:
  // Outlives the stream as long as a wait is under way. Of the stream's loop alone.
  struct State {
    ListStream* handler = nullptr;
  };

  absl::Status Begin(const v1::KeysListRequest& request) {
    if (absl::Status status = responder_.CheckServing(); !status.ok()) return status;
    if (const auto actor = responder_.ActorFor(stream_.context()); !actor.ok()) return actor.status();
    if (!request.prefix().empty()) {
      if (absl::Status status = CheckName(request.prefix(), "prefix"); !status.ok()) return status;
    }
    auto types = CheckTypes(request.types());
    if (!types.ok()) return types.status();
    lister_ = std::make_unique<KeyLister>(&engine_.store(), request.prefix(), *std::move(types));
    return absl::OkStatus();
  }

  void NextChunk() {
    KeyLister::Chunk chunk = lister_->Next(kListChunkKeys, responder_.journal().NowMicros());
    v1::KeysListResponse response;
    uint64_t latest = responder_.journal().durable_revision();
    for (const KeyLister::Key& key : chunk.keys) {
      auto* entry = response.add_keys();
      entry->set_type(ToProto(key.type));
      entry->set_key(key.key);
      entry->set_revision(key.revision);
      latest = std::max(latest, key.revision);
    }
    response.set_latest_revision(latest);
    const bool last = chunk.keys.empty();
    responder_.journal().WhenDurable(chunk.observed_revision,
                                     [state = state_, &loop = stream_.loop(), last,
                                      bytes = rpc::Serialize(response)](Durability durability) mutable {
                                       if (loop.IsCurrentThread()) {
                                         Send(*state, durability, last, std::move(bytes));
                                       } else {
                                         loop.Post([state, durability, last, bytes = std::move(bytes)]() mutable {
                                           Send(*state, durability, last, std::move(bytes));
                                         });
                                       }
                                     });
  }

  static void Send(State& state, Durability durability, bool last, grpc::ByteBuffer bytes) {
    if (!state.handler) return;
    rpc::ServerStream& stream = state.handler->stream_;
    if (durability == Durability::kUnknown) {
      stream.Finish(rpc::ToGrpc(WaitError(/*logged=*/false)));
    } else if (last) {
      stream.Finish(grpc::Status::OK);
    } else {
      stream.Write(std::move(bytes));
    }
  }

  rpc::ServerStream& stream_;
  Engine& engine_;
  Responder& responder_;
  std::unique_ptr<KeyLister> lister_;
  const std::shared_ptr<State> state_;
};

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
  service->AddStream("List", [engine, responder](rpc::ServerStream& stream) {
    return std::make_unique<ListStream>(&stream, engine, responder);
  });
  return service;
}

}  // namespace kvs::server
