#include "kvs_server/api/pipeline.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/rpc/status.h"

namespace kvs::server {

using google::protobuf::Arena;

PipelinePlaces::Place PipelinePlaces::Take() {
  const bool is_free = taken_->fetch_add(1) < kMaxPipelines;
  Place place(taken_.get(), [taken = taken_](const void*) { taken->fetch_sub(1); });
  return is_free ? place : nullptr;
}

Pipeline::Pipeline(rpc::ServerStream* stream, Engine* engine, Responder* responder, const StoreOptions& options,
                   PipelinePlaces::Place place)
    : stream_(*stream),
      engine_(*engine),
      responder_(*responder),
      options_(options),
      place_(std::move(place)),
      state_(std::make_shared<State>(State{this})) {}

bool Pipeline::OnMessage(const grpc::ByteBuffer& message) {
  if (!actor_) {
    absl::StatusOr<std::string> actor = responder_.ActorFor(stream_.context());
    if (!actor.ok()) {
      stream_.Finish(rpc::ToGrpc(actor.status()));
      return false;
    }
    actor_ = *std::move(actor);
  }
  Answer& answer = answers_.emplace_back();
  const uint64_t number = first_number_ + answers_.size() - 1;
  const auto of_lists = RunLists(message, &answer);
  const uint64_t revision = of_lists ? *of_lists : Run(message, &answer);
  memory_ += answer.memory;
  NoteMemory();
  Await(number, revision);
  is_reading_ = HasRoom();
  return is_reading_;
}

std::optional<uint64_t> Pipeline::RunLists(const grpc::ByteBuffer& message, Answer* answer) {
  if (!responder_.CheckServing().ok()) return std::nullopt;
  grpc::Slice slice;
  const auto operation = OnlyOperation(rpc::BytesOf(message, &slice));
  if (!operation) return std::nullopt;
  const auto done = DoLists(Session(&engine_, *actor_, options_), *operation);
  // Only a read answers so much, which is done once more then.
  if (!done || done->response.size() > kMaxReplyBytes) return std::nullopt;
  answer->bytes = PipelineResponse(operation->operation, *done);
  answer->memory = answer->bytes.Length();
  answer->outcome = {done->outcome, {{done->outcome.observed_revision, done->outcome.logged}}};
  return done->outcome.observed_revision;
}

uint64_t Pipeline::Run(const grpc::ByteBuffer& message, Answer* answer) {
  Arena arena;
  auto* response = Arena::CreateMessage<v1::BatchPipelineResponse>(&arena);
  auto* request = Arena::CreateMessage<v1::BatchPipelineRequest>(&arena);
  absl::Status status = responder_.CheckServing();
  if (!rpc::Parse(message, request)) {
    status = rpc::FromGrpc(rpc::Service::MalformedError(*v1::BatchPipelineRequest::descriptor()));
  } else if (status.ok()) {
    answer->outcome = RunBatch(&engine_, *actor_, options_, request->batch(), response->mutable_batch());
    status = answer->outcome.all.status;
  }
  if (!status.ok()) *response->mutable_error() = rpc::ToProto(status);
  answer->bytes = rpc::Serialize(*response);
  answer->memory = answer->bytes.Length() + answer->outcome.waits.size() * sizeof(BatchOutcome::Wait);
  return answer->outcome.all.observed_revision;
}

void Pipeline::Await(uint64_t number, uint64_t revision) {
  responder_.journal().WhenDurable(revision, [state = state_, &loop = stream_.loop(), number](Durability durability) {
    const auto tell = [state, number, durability] {
      if (state->pipeline) state->pipeline->Ended(number, durability);
    };
    if (loop.IsCurrentThread()) {
      tell();
    } else {
      loop.Post(tell);
    }
  });
}

void Pipeline::Ended(uint64_t number, Durability durability) {
  Answer& answer = answers_[number - first_number_];
  if (durability != Durability::kDurable) GiveUp(&answer);
  answer.outcome = BatchOutcome();
  answer.is_ready = true;
  WriteReady();
}

void Pipeline::GiveUp(Answer* answer) {
  v1::BatchPipelineResponse response;
  rpc::Parse(answer->bytes, &response);
  // An error of the whole batch has been evaluated as well, and is pending then.
  const absl::Status status =
      response.has_error()
          ? WaitError(/*logged=*/false)
          : server::GiveUp(answer->outcome, responder_.journal().durable_revision(), response.mutable_batch());
  if (!status.ok()) *response.mutable_error() = rpc::ToProto(status);
  answer->bytes = rpc::Serialize(response);
}

void Pipeline::WriteReady() {
  while (!answers_.empty() && answers_.front().is_ready) {
    Answer& answer = answers_.front();
    memory_ -= answer.memory;
    unsent_.push_back(answer.bytes.Length());
    memory_ += unsent_.back();
    stream_.Write(std::move(answer.bytes));
    answers_.pop_front();
    ++first_number_;
  }
  FinishIfDone();
}

void Pipeline::OnWritten() {
  memory_ -= unsent_.front();
  unsent_.pop_front();
  NoteMemory();
  if (is_reading_ || !HasRoom()) return;
  is_reading_ = true;
  stream_.ResumeReading();
}

bool Pipeline::HasRoom() const {
  const size_t share = std::min(kMaxPipelineBytes, kMaxUntakenBytes / place_->load(std::memory_order_relaxed));
  return answers_.size() + unsent_.size() < kMaxPipelineMessages && memory_ < share;
}

void Pipeline::OnHalfClose() {
  if (!end_) end_ = grpc::Status::OK;
  FinishIfDone();
}

void Pipeline::OnDrain() {
  if (!end_) end_ = rpc::ToGrpc(responder_.CheckServing());
  FinishIfDone();
}

void Pipeline::FinishIfDone() {
  if (end_ && answers_.empty()) stream_.Finish(*end_);
}

}  // namespace kvs::server
