#include "tests/support/raw_call.h"

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "common/rpc/status.h"

namespace kvs {
namespace {

constexpr absl::Duration kRawCallTimeout = absl::Seconds(60);

grpc::ByteBuffer ToByteBuffer(absl::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (buffer.Length() == 0 || !buffer.DumpToSingleSlice(&slice).ok()) return "";
  return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
}

}  // namespace

absl::Status RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     absl::string_view request, std::string* response) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kRawCallTimeout));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, method, ToByteBuffer(request), &queue);
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->StartCall();
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  *response = ToString(answer);
  return rpc::FromGrpc(status);
}

}  // namespace kvs
