#include "clients/cpp/batch.h"

#include <absl/strings/numbers.h>

#include <string>
#include <vector>

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

}  // namespace

absl::StatusOr<v1::BatchExecuteResponse> Batch::Execute(const v1::BatchExecuteRequest& request,
                                                        const CallOptions& options) const {
  const auto execute = [&](Effect effect, const v1::BatchExecuteRequest& sent) {
    return connection_->Call(effect, *connection_->batch, &v1::Batch::Stub::Execute, sent, options);
  };
  const Effect effect = EffectOf(request);
  if (!request.atomic() || effect == Effect::kRead) return execute(effect, request);
  if (!request.request_id().empty()) return execute(Effect::kNamedMutation, request);
  v1::BatchExecuteRequest named = request;
  named.set_request_id(NewRequestId());
  return execute(Effect::kNamedMutation, named);
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
