#include "kvs_server/api/batch.h"

#include <string>
#include <utility>

#include "common/rpc/status.h"
#include "kvs/v1/batch.pb.h"
#include "kvs_server/api/batch_run.h"
#include "kvs_server/api/pipeline.h"

namespace kvs::server {
namespace {

void Execute(rpc::UnaryCall& call, Engine* engine, Responder* responder, const StoreOptions& options,
             const v1::BatchExecuteRequest& request) {
  const absl::StatusOr<std::string> actor = responder->Admit(call.context());
  if (!actor.ok()) return call.Finish(rpc::ToGrpc(actor.status()));
  auto* response = google::protobuf::Arena::CreateMessage<v1::BatchExecuteResponse>(call.arena());
  BatchRun run(engine, *actor, options, request, response);
  const Outcome& outcome = run.outcome();
  if (!outcome.status.ok()) return responder->Respond(call, outcome, *response);
  const uint64_t observed_revision = outcome.observed_revision;
  responder->journal().WhenDurable(observed_revision,
                                   [&call, responder, response, run = std::move(run),
                                    bytes = rpc::Serialize(*response)](Durability durability) mutable {
                                     if (durability == Durability::kDurable) return call.Reply(bytes);
                                     const absl::Status status = run.GiveUp(responder->journal().durable_revision());
                                     if (!status.ok()) return call.Finish(rpc::ToGrpc(status));
                                     call.Reply(*response);
                                   });
}

}  // namespace

std::unique_ptr<rpc::Service> MakeBatchService(Engine* engine, Responder* responder, const StoreOptions& options) {
  auto service =
      std::make_unique<rpc::Service>(v1::BatchExecuteRequest::descriptor()->file()->FindServiceByName("Batch"));
  service->AddUnary<v1::BatchExecuteRequest, v1::BatchExecuteResponse>(
      "Execute", [engine, responder, options](rpc::UnaryCall& call, const v1::BatchExecuteRequest& request) {
        Execute(call, engine, responder, options, request);
      });
  service->AddStream("Pipeline", [engine, responder, options](rpc::ServerStream& stream) {
    return std::make_unique<Pipeline>(&stream, engine, responder, options);
  });
  return service;
}

}  // namespace kvs::server
