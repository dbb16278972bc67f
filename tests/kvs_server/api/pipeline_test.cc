#include "kvs_server/api/pipeline.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/generic/generic_stub.h>

#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "common/latch.h"
#include "common/limits.h"
#include "common/rpc/status.h"
#include "kvs/v1/batch.grpc.pb.h"
#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

class PipelineFixture : public ApiFixture {
 protected:
  PipelineFixture() : stream_(stub_->Pipeline(&context_)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }
  ~PipelineFixture() { context_.TryCancel(); }

  // Sends a batch in text form.
  bool Send(const std::string& batch) {
    v1::BatchPipelineRequest request;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(batch, request.mutable_batch()));
    return stream_->Write(request);
  }

  // The next answer: the results as text, an error as its code and reason, "end" at the end.
  std::string Receive() {
    v1::BatchPipelineResponse answer;
    if (!stream_->Read(&answer)) return "end";
    return answer.has_error() ? CodeAndReason(rpc::FromProto(answer.error())) : TextOf(answer.batch());
  }

  std::string End() { return CodeAndReason(rpc::FromGrpc(stream_->Finish())); }

  // Blocks until so many changes were made, durable or not.
  void AwaitRevision(uint64_t revision) {
    while (journal().status().latest_revision < revision) std::this_thread::yield();
  }

  const std::unique_ptr<v1::Batch::Stub> stub_ = v1::Batch::NewStub(server_.Connect());
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::BatchPipelineRequest, v1::BatchPipelineResponse>> stream_;
};

std::string PutText(const std::string& key) {
  return absl::StrCat("operations { int_put { key: '", key, "' value: 1 } } ");
}
std::string GetText(const std::string& key) { return absl::StrCat("operations { int_get { key: '", key, "' } } "); }

TEST_CASE_METHOD(PipelineFixture, "batches are done without waiting for the ledger, and answered in order") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  Send(PutText("a"));
  Send(GetText("durable"));
  Send("atomic: true " + PutText("b") + GetText("a"));
  AwaitRevision(3);
  ledger_.Receive();
  ledger_.PersistUpTo(2);
  CHECK(Receive() == "results { int_put { replaced: false revision: 2 } } latest_revision: 2");
  // Durable from the beginning, it had to wait for its turn.
  CHECK(Receive() == "results { int_get { value: 7 revision: 1 } } latest_revision: 1");
  ledger_.Persist();
  CHECK(Receive() ==
        "results { int_put { replaced: false revision: 3 } } results { int_get { value: 1 revision: 2 } } "
        "latest_revision: 3");
  stream_->WritesDone();
  CHECK(Receive() == "end");
  CHECK(End() == "OK");
}

TEST_CASE_METHOD(PipelineFixture, "a batch that fails yields its error, and the stream goes on") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  Send("atomic: true " + GetText("absent"));
  Send(GetText("absent"));
  Send("operations { } ");
  Send("");
  std::string most;
  for (size_t i = 0; i <= kMaxBatchOperations; ++i) most += "operations { } ";
  Send(most);
  journal().SetState(LedgerState::kAway, "gone");
  Send("atomic: true " + PutText("a"));
  Send(GetText("durable"));
  CHECK(Receive() == "NOT_FOUND KEY_NOT_FOUND");
  CHECK_THAT(Receive(), ContainsText("KEY_NOT_FOUND"));
  CHECK_THAT(Receive(), ContainsText("MISSING_FIELD"));
  CHECK(Receive() == "latest_revision: 1");
  CHECK(Receive() == "INVALID_ARGUMENT BATCH_TOO_LARGE");
  const std::string refused = Receive();
  CHECK((refused == "UNAVAILABLE NOT_APPLIED"));
  CHECK_THAT(Receive(), ContainsText("value: 7"));
}

TEST_CASE_METHOD(PipelineFixture, "bytes that are no message yield an error, and the stream goes on") {
  grpc::GenericStub generic(server_.Connect());
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto call = generic.PrepareCall(&context, "/kvs.v1.Batch/Pipeline", &queue);
  void* tag = nullptr;
  bool ok = false;
  const auto wait = [&] {
    REQUIRE(queue.Next(&tag, &ok));
    REQUIRE(ok);
  };
  call->StartCall(nullptr);
  wait();
  const auto exchange = [&](const std::string& bytes) {
    const grpc::Slice slice(bytes);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    wait();
    grpc::ByteBuffer reply;
    call->Read(&reply, nullptr);
    wait();
    v1::BatchPipelineResponse answer;
    REQUIRE(rpc::Parse(reply, &answer));
    return answer;
  };
  CHECK(CodeAndReason(rpc::FromProto(exchange("\xFF").error())) == "INVALID_ARGUMENT MALFORMED_REQUEST");
  CHECK(exchange("").has_batch());
  CHECK(CodeAndReason(rpc::FromProto(exchange("\x0A").error())) == "INVALID_ARGUMENT MALFORMED_REQUEST");
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
}

TEST_CASE_METHOD(PipelineFixture, "waits of a batch of one operation with lists that end without an answer are told") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  Send("operations { string_multi_put { keys: 'a' keys: 'b' values: '1' values: '2' } }");
  Send("operations { string_multi_get { keys: 'a' } }");
  Send("operations { int_multi_get { keys: 'durable' keys: 'c' } }");
  AwaitRevision(3);
  while (journal().status().waiting_replies < 2) std::this_thread::yield();
  journal().Abandon();
  CHECK_THAT(Receive(), ContainsText("OUTCOME_UNKNOWN"));
  CHECK_THAT(Receive(), ContainsText("PENDING_WRITE"));
  CHECK(Receive() == "results { int_multi_get { values: 7 values: 0 revisions: 1 revisions: 0 } } latest_revision: 1");
}

TEST_CASE_METHOD(PipelineFixture, "what became durable when its wait had just ended is answered") {
  const bool has_lists = GENERATE(true, false);
  Send(has_lists ? "operations { string_multi_put { keys: 'a' values: '1' } }" : PutText("a"));
  AwaitRevision(1);
  while (journal().status().waiting_replies < 1) std::this_thread::yield();
  Latch standing_still;
  Latch goes_on;
  server_->loop().Post([&] {
    standing_still.CountDown();
    goes_on.Wait();
  });
  standing_still.Wait();
  journal().Abandon();
  ledger_.Persist();
  goes_on.CountDown();
  const std::string result =
      has_lists ? "string_multi_put { revisions: 1 }" : "int_put { replaced: false revision: 1 }";
  CHECK(Receive() == "results { " + result + " } latest_revision: 1");
}

TEST_CASE_METHOD(PipelineFixture, "a batch of one operation with lists is answered as any other") {
  Send("operations { string_multi_put { keys: 'a' keys: '' keys: 'b' values: 'one' values: 'x' values: 'two' } }");
  AwaitRevision(2);
  ledger_.Receive();
  ledger_.Persist();
  const std::string put = Receive();
  CHECK_THAT(put, ContainsText("results { string_multi_put { revisions: 1 revisions: 0 revisions: 2 errors {"));
  CHECK_THAT(put, ContainsText("INVALID_KEY"));
  CHECK_THAT(put, ContainsText("latest_revision: 2"));
  Send("operations { string_multi_get { keys: 'b' keys: 'none' keys: 'a' } }");
  CHECK(Receive() ==
        "results { string_multi_get { values: \"two\" values: \"\" values: \"one\" revisions: 2 revisions: 0 "
        "revisions: 1 } } latest_revision: 2");
  Send("operations { string_multi_put { keys: 'a' keys: 'b' values: 'one' } }");
  CHECK_THAT(Receive(), ContainsText("LENGTH_MISMATCH"));
}

TEST_CASE_METHOD(PipelineFixture,
                 "waits that end without an answer are told, batch by batch and operation by operation") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  Send(PutText("a") + GetText("durable"));
  Send("atomic: true " + PutText("b"));
  Send("atomic: true " + GetText("a"));
  Send("atomic: true operations { int_put { key: 'a' value: 1 precondition { must_not_exist: true } } }");
  AwaitRevision(3);
  while (journal().status().waiting_replies < 4) std::this_thread::yield();
  journal().Abandon();
  const std::string first = Receive();
  CHECK_THAT(first, ContainsText("OUTCOME_UNKNOWN"));
  CHECK_THAT(first, ContainsText("int_get { value: 7 revision: 1 }"));
  CHECK(Receive() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(Receive() == "UNAVAILABLE PENDING_WRITE");
  CHECK(Receive() == "UNAVAILABLE PENDING_WRITE");
}

TEST_CASE_METHOD(PipelineFixture, "no more than so many batches are under way") {
  constexpr size_t kMore = 50;
  for (size_t i = 0; i < kMaxPipelineMessages + kMore; ++i) Send(PutText("a"));
  AwaitRevision(kMaxPipelineMessages);
  // Nothing tells that something does not happen; what another stream does in turn gives it the time to happen.
  for (int i = 0; i < 20; ++i) CHECK_THAT(Ask("Batch.Execute", ""), ContainsText("latest_revision"));
  CHECK(journal().status().latest_revision == kMaxPipelineMessages);
  for (size_t i = 0; i < kMaxPipelineMessages + kMore; ++i) {
    ledger_.Persist();
    if (i == kMaxPipelineMessages) AwaitRevision(kMaxPipelineMessages + 1);
    while (journal().durable_revision() < i + 1) ledger_.Persist();
    CHECK_THAT(Receive(), ContainsText(absl::StrCat("revision: ", i + 1, " ")));
  }
}

TEST_CASE_METHOD(PipelineFixture, "no more than so many bytes are under way, and nobody has to read at once") {
  Do("StringStore.Put", "key: 'large' value: '" + std::string(kMiB, 'x') + "'");
  const std::string read = "operations { string_get { key: 'large' } } ";
  constexpr int kBatches = 40;
  std::thread sender([&] {
    for (int i = 0; i < kBatches; ++i) Send(read + PutText(absl::StrCat("k", i)));
    stream_->WritesDone();
  });
  // Each waits for its put, so that none is answered.
  AwaitRevision(4);
  for (int i = 0; i < 20; ++i) CHECK_THAT(Ask("Batch.Execute", ""), ContainsText("latest_revision"));
  const uint64_t under_way = journal().status().latest_revision - 1;
  CHECK(under_way <= kMaxPipelineBytes / kMiB + 1);
  for (int i = 0; i < kBatches; ++i) {
    while (journal().durable_revision() < static_cast<uint64_t>(i) + 2) ledger_.Persist();
    CHECK(Receive().size() > kMiB);
  }
  CHECK(Receive() == "end");
  CHECK(End() == "OK");
  sender.join();
}

TEST_CASE_METHOD(PipelineFixture, "a drain answers what is under way, refuses what comes, and ends the stream") {
  Send(PutText("a"));
  AwaitRevision(1);
  responder_.Drain();
  for (const auto& service : services_) service->Drain();
  Send(PutText("b"));
  ledger_.Persist();
  CHECK_THAT(Receive(), ContainsText("replaced: false revision: 1"));
  std::string next = Receive();
  if (next == "UNAVAILABLE DRAINING") next = Receive();
  CHECK(next == "end");
  CHECK(End() == "UNAVAILABLE DRAINING");
  CHECK(journal().status().latest_revision == 1);
}

TEST_CASE_METHOD(PipelineFixture, "a stream whose caller cannot be told is refused") {
  SetActor(Error(errors::kNotPermitted, "two identities"));
  Send(PutText("a"));
  CHECK(Receive() == "end");
  CHECK(End() == "PERMISSION_DENIED NOT_PERMITTED");
  CHECK(journal().status().latest_revision == 0);
}

TEST_CASE_METHOD(PipelineFixture, "a client that goes away with batches under way leaves nothing behind") {
  for (int i = 0; i < 10; ++i) Send(PutText("a"));
  AwaitRevision(10);
  context_.TryCancel();
  stream_->Finish();
  ledger_.Persist();
  CHECK_THAT(Ask("IntStore.Get", "key: 'a'"), ContainsText("revision: 10"));
}

TEST_CASE_METHOD(PipelineFixture, "so many pipelines may be open, and no more, until one is closed") {
  struct Open {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::BatchPipelineRequest, v1::BatchPipelineResponse>> stream;
  };
  std::vector<std::unique_ptr<Open>> all;
  // One connection may have no more calls than that.
  const auto other_stub = v1::Batch::NewStub(server_.Connect());
  const auto open = [&] {
    auto one = std::make_unique<Open>();
    one->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    one->stream = (all.size() < kMaxPipelines / 2 ? stub_ : other_stub)->Pipeline(&one->context);
    return one;
  };
  // Whether it has a place; it ends if it has none.
  const auto is_answered = [](Open& one) {
    v1::BatchPipelineResponse answer;
    return one.stream->Write(v1::BatchPipelineRequest()) && one.stream->Read(&answer);
  };
  for (size_t i = 1; i < kMaxPipelines; ++i) {
    all.push_back(open());
    REQUIRE(is_answered(*all.back()));
  }
  Send("");
  CHECK(Receive() == "latest_revision: 0");
  const auto refused = open();
  CHECK_FALSE(is_answered(*refused));
  const absl::Status status = rpc::FromGrpc(refused->stream->Finish());
  CHECK(CodeAndReason(status) == "RESOURCE_EXHAUSTED TOO_MANY_PIPELINES");
  CHECK(MetadataOf(status, "limit") == "1000");
  all.back()->stream->WritesDone();
  CHECK(all.back()->stream->Finish().ok());
  // Its place is free when the server has let go of it, a moment after its end.
  while (true) {
    const auto next = open();
    if (is_answered(*next)) break;
    CHECK(next->stream->Finish().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
  for (const auto& one : all) one->context.TryCancel();
}

}  // namespace
}  // namespace kvs::server
