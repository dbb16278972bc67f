#include "clients/cpp/batch.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <string>
#include <vector>

#include "clients/cpp/connection.h"
#include "common/errors.h"
#include "common/rpc/status.h"

namespace kvs::client {
namespace {

// Every mutation may have a request_id, and nothing else.
bool IsMutation(const v1::BatchOperation& operation) {
  const auto* oneof = v1::BatchOperation::descriptor()->oneof_decl(0);
  const auto* field = v1::BatchOperation::GetReflection()->GetOneofFieldDescriptor(operation, oneof);
  return field != nullptr && field->message_type()->FindFieldByName("request_id") != nullptr;
}

}  // namespace

absl::StatusOr<v1::BatchExecuteResponse> Batch::Execute(const v1::BatchExecuteRequest& request,
                                                        const CallOptions& options) const {
  const bool changes = std::any_of(request.operations().begin(), request.operations().end(), IsMutation);
  return connection_->Call(changes ? Effect::kMutation : Effect::kRead, *connection_->batch, &v1::Batch::Stub::Execute,
                           request, options);
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
