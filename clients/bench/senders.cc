#include "clients/bench/senders.h"

#include <absl/status/status.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <deque>
#include <optional>

#include "common/rpc/event_loop.h"
#include "common/rpc/status.h"

namespace kvs::bench {
namespace {

struct UnaryCall {
  grpc::ClientContext context;
  grpc::ByteBuffer response;
  grpc::Status status;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  const Message* message = nullptr;
  int64_t due_nanos = 0;
};

class UnarySender final : public Sender, public rpc::Tag {
 public:
  UnarySender(Runner* runner, const std::shared_ptr<grpc::Channel>& channel) : runner_(*runner), stub_(channel) {}

  void Send(int64_t due_nanos) override {
    call_.emplace();
    call_->due_nanos = due_nanos;
    call_->message = &runner_.NextMessage();
    call_->reader = stub_.PrepareUnaryCall(&call_->context, call_->message->method,
                                           runner_.MakeRequest(*call_->message), runner_.queue());
    call_->reader->StartCall();
    call_->reader->Finish(&call_->response, &call_->status, static_cast<rpc::Tag*>(this));
  }

  void Close() override {
    if (call_) call_->context.TryCancel();
  }

  void Complete(bool) override {
    const uint32_t failed = call_->status.ok() ? runner_.FailedBy(*call_->message, call_->response)
                                               : runner_.FailedBy(rpc::FromGrpc(call_->status));
    const int64_t due_nanos = call_->due_nanos;
    call_.reset();
    runner_.Answered(this, due_nanos, failed);
  }

 private:
  Runner& runner_;
  grpc::GenericStub stub_;
  std::optional<UnaryCall> call_;
};

class StreamSender final : public Sender {
 public:
  StreamSender(Runner* runner, const std::shared_ptr<grpc::Channel>& channel)
      : runner_(*runner),
        stub_(channel),
        stream_(stub_.PrepareCall(&context_, runner->workload().messages.front().method, runner->queue())) {
    runner_.Opened();
    stream_->StartCall(AsTag(started_));
  }

  void Send(int64_t due_nanos) override {
    unanswered_.push_back({due_nanos, &runner_.NextMessage()});
    ++unwritten_;
    WriteNext();
  }

  void Close() override { context_.TryCancel(); }

 private:
  struct Sent {
    int64_t due_nanos;
    const Message* message;
  };

  static void* AsTag(rpc::CallbackTag& tag) { return static_cast<rpc::Tag*>(&tag); }

  void Started(bool ok) {
    if (!ok) return Finish();
    is_idle_ = true;
    stream_->Read(&response_, AsTag(read_));
    WriteNext();
  }

  void WriteNext() {
    if (!is_idle_ || unwritten_ == 0) return;
    is_idle_ = false;
    const Message& message = *unanswered_[unanswered_.size() - unwritten_--].message;
    stream_->Write(runner_.MakeRequest(message), AsTag(written_));
  }

  void Written(bool ok) {
    // Of a stream that is broken, the read tells.
    is_idle_ = ok;
    WriteNext();
  }

  void Read(bool ok) {
    if (!ok) return Finish();
    if (unanswered_.empty()) return Close();
    const Sent sent = unanswered_.front();
    unanswered_.pop_front();
    const uint32_t failed = runner_.FailedBy(*sent.message, response_);
    stream_->Read(&response_, AsTag(read_));
    runner_.Answered(this, sent.due_nanos, failed);
  }

  void Finish() {
    is_idle_ = false;
    stream_->Finish(&status_, AsTag(finished_));
  }

  void Finished() {
    runner_.Closed();
    absl::Status error = rpc::FromGrpc(status_);
    if (error.ok()) error = absl::UnavailableError("the server ended the stream");
    // Ends the run before it hears of messages that nobody will answer, so that it sends no others.
    runner_.Fail(error);
    while (!unanswered_.empty()) {
      const Sent sent = unanswered_.front();
      unanswered_.pop_front();
      runner_.Answered(this, sent.due_nanos, runner_.FailedBy(error));
    }
  }

  Runner& runner_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  rpc::CallbackTag started_{[this](bool ok) { Started(ok); }};
  rpc::CallbackTag written_{[this](bool ok) { Written(ok); }};
  rpc::CallbackTag read_{[this](bool ok) { Read(ok); }};
  rpc::CallbackTag finished_{[this](bool) { Finished(); }};
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  std::deque<Sent> unanswered_;
  size_t unwritten_ = 0;  // the last ones of them
  bool is_idle_ = false;  // whether a write may be started
};

}  // namespace

std::unique_ptr<Sender> MakeUnarySender(Runner* runner, const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<UnarySender>(runner, channel);
}

std::unique_ptr<Sender> MakeStreamSender(Runner* runner, const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<StreamSender>(runner, channel);
}

}  // namespace kvs::bench
