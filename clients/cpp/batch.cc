#include "clients/cpp/batch.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <string>
#include <utility>

#include "clients/cpp/client.h"
#include "clients/cpp/connection.h"
#include "common/errors.h"
#include "common/rpc/status.h"

namespace kvs::client {
namespace {

// What an operation does. Every mutation may have a request_id, and nothing else.
Effect EffectOf(const v1::BatchOperation& operation) {
  const auto* oneof = v1::BatchOperation::descriptor()->oneof_decl(0);
  const auto* field = v1::BatchOperation::GetReflection()->GetOneofFieldDescriptor(operation, oneof);
  if (field == nullptr) return Effect::kRead;
  const auto* id = field->message_type()->FindFieldByName("request_id");
  if (id == nullptr) return Effect::kRead;
  const auto& request = v1::BatchOperation::GetReflection()->GetMessage(operation, field);
  return request.GetReflection()->GetString(request, id).empty() ? Effect::kMutation : Effect::kNamedMutation;
}

// What a batch does: that of its operations which may be repeated least.
Effect EffectOf(const v1::BatchExecuteRequest& request) {
  Effect effect = Effect::kRead;
  for (const v1::BatchOperation& operation : request.operations()) {
    const Effect one = EffectOf(operation);
    if (one == Effect::kMutation) return one;
    if (one == Effect::kNamedMutation) effect = one;
  }
  return effect;
}

// How many of the first results of an independent batch stay as they are. The operations after them are worth sending
// again: their end is not known yet, and sent again none of them takes effect twice, or in another order. So what was
// changed behind an operation settles it, also where it was refused for something that passes.
int SettledOperations(const v1::BatchExecuteRequest& request, const v1::BatchExecuteResponse& response) {
  int settled = std::min(request.operations_size(), response.results_size());
  bool may_change_later = false;  // whether an operation behind this one may have taken effect
  for (int i = settled - 1; i >= 0; --i) {
    const absl::Status status = StatusOf(response.results(i));
    const Effect effect = EffectOf(request.operations(i));
    const bool is_unknown = effect != Effect::kRead && MayHaveHappened(status);
    if (is_unknown && effect == Effect::kNamedMutation) {
      may_change_later = true;
      settled = i;
      continue;
    }
    const bool has_changed = is_unknown || (effect != Effect::kRead && status.ok());
    if (has_changed || may_change_later) break;
    if (SaysNothingWasDone(status)) settled = i;
  }
  return settled;
}

// An independent batch on its way: with each attempt more of it is settled.
class IndependentBatch {
 public:
  // The request outlives the batch.
  explicit IndependentBatch(const v1::BatchExecuteRequest& request) : unsettled_(&request) {}

  bool has_response() const { return has_response_; }
  v1::BatchExecuteResponse TakeResponse() { return std::move(response_); }

  // Sends what is not settled; OK when nothing is left, else the error of the first operation that is.
  grpc::Status Attempt(v1::Batch::Stub& stub, grpc::ClientContext* context) {
    v1::BatchExecuteResponse answer;
    const grpc::Status status = stub.Execute(context, *unsettled_, &answer);
    if (!status.ok()) {
      if (has_response_ && MayHaveHappened(rpc::FromGrpc(status))) Fail(rpc::FromGrpc(status));
      return status;
    }
    const int settled = SettledOperations(*unsettled_, answer);
    const bool is_over = settled == std::min(unsettled_->operations_size(), answer.results_size());
    const absl::Status first = is_over ? absl::OkStatus() : StatusOf(answer.results(settled));
    Replace(answer);
    if (!is_over) {
      if (unsettled_ != &rest_) rest_ = *unsettled_;
      unsettled_ = &rest_;
      rest_.mutable_operations()->DeleteSubrange(0, settled);
      settled_ += settled;
    }
    return rpc::ToGrpc(first);
  }

 private:
  // All that is not settled ends so.
  void Fail(const absl::Status& status) {
    v1::BatchExecuteResponse errors;
    for (int i = 0; i < unsettled_->operations_size(); ++i) {
      *errors.add_results()->mutable_error() = rpc::ToProto(status);
    }
    errors.set_latest_revision(response_.latest_revision());
    Replace(errors);
  }

  // Puts these results in the place of those that are not settled.
  void Replace(const v1::BatchExecuteResponse& answer) {
    auto& results = *response_.mutable_results();
    results.DeleteSubrange(settled_, results.size() - settled_);
    response_.MergeFrom(answer);
    has_response_ = true;
  }

  const v1::BatchExecuteRequest* unsettled_;  // the request, or what is left of it
  v1::BatchExecuteRequest rest_;              // the latter
  v1::BatchExecuteResponse response_;
  int settled_ = 0;  // those of its results that stay
  bool has_response_ = false;
};

}  // namespace

absl::StatusOr<v1::BatchExecuteResponse> Batch::Execute(const v1::BatchExecuteRequest& request,
                                                        const CallOptions& options) const {
  if (!request.atomic()) return ExecuteIndependent(request, options);
  const auto execute = [&](Effect effect, const v1::BatchExecuteRequest& sent) {
    return connection_->Call(effect, *connection_->batch, &v1::Batch::Stub::Execute, sent, options);
  };
  const Effect effect = EffectOf(request);
  if (effect == Effect::kRead) return execute(effect, request);
  if (!request.request_id().empty()) return execute(Effect::kNamedMutation, request);
  v1::BatchExecuteRequest named = request;
  named.set_request_id(NewRequestId());
  return execute(Effect::kNamedMutation, named);
}

absl::StatusOr<v1::BatchExecuteResponse> Batch::ExecuteIndependent(const v1::BatchExecuteRequest& request,
                                                                   const CallOptions& options) const {
  IndependentBatch batch(request);
  const absl::Status status = connection_->Retry(EffectOf(request), options, [&](absl::Time deadline) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    return batch.Attempt(*connection_->batch, &context);
  });
  if (!status.ok() && !batch.has_response()) return status;
  return batch.TakeResponse();
}

struct Pipeline::Stream {
  std::shared_ptr<const Connection> connection;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::BatchPipelineRequest, v1::BatchPipelineResponse>> stream;
  bool is_finished = false;
};

Pipeline::Pipeline(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;

Pipeline::~Pipeline() {
  if (!stream_ || stream_->is_finished) return;
  stream_->context.TryCancel();
  stream_->stream->Finish();
}

bool Pipeline::Send(const v1::BatchExecuteRequest& request) {
  v1::BatchPipelineRequest message;
  *message.mutable_batch() = request;
  return stream_->stream->Write(message);
}

void Pipeline::CloseSending() { stream_->stream->WritesDone(); }

std::optional<absl::StatusOr<v1::BatchExecuteResponse>> Pipeline::Receive() {
  v1::BatchPipelineResponse answer;
  if (!stream_->stream->Read(&answer)) return std::nullopt;
  if (answer.has_error()) return rpc::FromProto(answer.error());
  return std::move(*answer.mutable_batch());
}

absl::Status Pipeline::Finish() {
  stream_->is_finished = true;
  return rpc::FromGrpc(stream_->stream->Finish());
}

Pipeline Batch::OpenPipeline() const {
  auto stream = std::make_unique<Pipeline::Stream>();
  stream->connection = connection_;
  stream->stream = connection_->batch->Pipeline(&stream->context);
  return Pipeline(std::move(stream));
}

absl::Status StatusOf(const v1::BatchResult& result) {
  return result.has_error() ? rpc::FromProto(result.error()) : absl::OkStatus();
}

std::optional<int> FailedOperation(const absl::Status& status) {
  int index = 0;
  if (!absl::SimpleAtoi(MetadataOf(status, "operation"), &index)) return std::nullopt;
  return index;
}

}  // namespace kvs::client
