#include "tests/fuzz/raw_stream.h"

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "tests/fuzz/fuzz.h"

namespace kvs::fuzz {
namespace {

// Whether the operation that was just started succeeded.
bool Await(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  Require(queue.Next(&tag, &ok), "the queue of a call ended");
  return ok;
}

std::string TextOf(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (buffer.Length() == 0 || !buffer.DumpToSingleSlice(&slice).ok()) return "";
  return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
}

}  // namespace

StreamResult CallStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                        const std::vector<std::string>& messages) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Minutes(1)));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  StreamResult result;
  call->StartCall(nullptr);
  bool open = Await(queue);
  for (const std::string& message : messages) {
    if (!open) break;
    const grpc::Slice slice(message);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    open = Await(queue);
  }
  if (open) {
    call->WritesDone(nullptr);
    Await(queue);
  }
  grpc::ByteBuffer answer;
  while (true) {
    call->Read(&answer, nullptr);
    if (!Await(queue)) break;
    result.answers.push_back(TextOf(answer));
  }
  call->Finish(&result.status, nullptr);
  Await(queue);
  Require(result.status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED, "a call got no answer: " + method);
  queue.Shutdown();
  return result;
}

}  // namespace kvs::fuzz
