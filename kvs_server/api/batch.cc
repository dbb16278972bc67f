#include "kvs_server/api/batch.h"

#include <absl/strings/str_cat.h>

#include <string>
#include <utility>

#include "common/errors.h"
#include "common/limits.h"
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
  BatchOutcome outcome = RunBatch(engine, *actor, options, request, response);
  if (!outcome.all.status.ok()) return responder->Respond(call, outcome.all, *response);
  const Outcome all = outcome.all;
  responder->SendWhenDurable(
      call, all, rpc::Serialize(*response), grpc::Status::OK,
      [&call, responder, outcome = std::move(outcome)](Durability, const grpc::ByteBuffer& bytes, const grpc::Status&) {
        v1::BatchExecuteResponse response;
        rpc::Parse(bytes, &response);
        const absl::Status status = GiveUp(outcome, responder->journal().durable_revision(), &response);
        status.ok() ? call.Reply(response) : call.Finish(rpc::ToGrpc(status));
      });
}

// A pipeline that there is no place for.
class RefusedPipeline final : public rpc::StreamHandler {
 public:
  explicit RefusedPipeline(rpc::ServerStream* stream) {
    stream->Finish(rpc::ToGrpc(
        Error(errors::kTooManyPipelines,
              absl::StrCat("nothing was done: ", kMaxPipelines, " pipelines are open already; close one, or try later"),
              {{"limit", absl::StrCat(kMaxPipelines)}})));
  }

  bool OnMessage(const grpc::ByteBuffer&) override { return false; }
  void OnHalfClose() override {}
  void OnDrain() override {}
};

}  // namespace

std::unique_ptr<rpc::Service> MakeBatchService(Engine* engine, Responder* responder, const StoreOptions& options) {
  auto service =
      std::make_unique<rpc::Service>(v1::BatchExecuteRequest::descriptor()->file()->FindServiceByName("Batch"));
  service->AddUnary<v1::BatchExecuteRequest, v1::BatchExecuteResponse>(
      "Execute", [engine, responder, options](rpc::UnaryCall& call, const v1::BatchExecuteRequest& request) {
        Execute(call, engine, responder, options, request);
      });
  service->AddStream("Pipeline",
                     [engine, responder, options, places = PipelinePlaces()](
                         rpc::ServerStream& stream) mutable -> std::unique_ptr<rpc::StreamHandler> {
                       auto place = places.Take();
                       if (!place) return std::make_unique<RefusedPipeline>(&stream);
                       return std::make_unique<Pipeline>(&stream, engine, responder, options, std::move(place));
                     });
  return service;
}

}  // namespace kvs::server
