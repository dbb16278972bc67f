// Service: a gRPC service whose calls are handled on event loops.
//
// The methods come from the descriptor of the proto file; a handler is registered for each by name, with the request
// and response types checked against the descriptor. Messages travel as bytes up to here and are parsed on an arena, so
// that a request that cannot be parsed gets an error that says so, which generated code cannot give.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/rpc/event_loop.h"
#include "common/rpc/message.h"
#include "common/rpc/untaken_answers.h"
#include "common/sync.h"

namespace kvs::rpc {

class Service;

// One unary call. It ends, and this object with it, when Finish or Reply is called: exactly once, from any thread.
class UnaryCall {
 public:
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  const grpc::ServerContext& context() const { return context_; }
  EventLoop& loop() const { return *loop_; }
  google::protobuf::Arena* arena() { return &arena_; }

  // An answer of this size is ready, and waits: it is counted, and the request and what else is on the arena are freed.
  void Await(size_t response_bytes);

  void Reply(const grpc::ByteBuffer& response);
  void Reply(const google::protobuf::MessageLite& response) { Reply(Serialize(response)); }
  void Finish(const grpc::Status& error);

 private:
  friend class Service;

  UnaryCall(Service* service, int method, EventLoop* loop);
  ~UnaryCall();
  void Request();
  void Arrived(bool ok);
  void Refuse();
  void Count(size_t response_bytes);
  void FreeMessages();

  class ArrivedTag final : public Tag {
   public:
    explicit ArrivedTag(UnaryCall* call) : call_(call) {}
    void Complete(bool ok) override { call_->Arrived(ok); }

   private:
    UnaryCall* const call_;
  };
  class FinishedTag final : public Tag {
   public:
    explicit FinishedTag(UnaryCall* call) : call_(call) {}
    void Complete(bool) override { delete call_; }

   private:
    UnaryCall* const call_;
  };

  Service* const service_;
  const int method_;
  EventLoop* const loop_;
  google::protobuf::Arena arena_;
  grpc::ServerContext context_;
  UntakenAnswers::Count untaken_;
  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context_};
  ArrivedTag arrived_{this};
  FinishedTag finished_{this};
};

class ServerStream;

// What a service does with one stream. Called on the stream's loop, one call at a time; deleted after OnDone.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  // A message arrived, possibly after Finish. The next one is read when this returns true, or when ResumeReading is
  // called.
  virtual bool OnMessage(const grpc::ByteBuffer& message) = 0;
  // No more messages come: the client has closed its side, or is gone. Not called while OnMessage's false stands: a
  // stream that takes one request and answers it returns false, and is called here only when no request came.
  virtual void OnHalfClose() = 0;
  // A message was handed to the transport: room for the next one.
  virtual void OnWritten() {}
  // The server drains: finish soon. At most once.
  virtual void OnDrain() = 0;
  // The stream is over, however it ended: nothing that is called on it has an effect any more, and it is deleted next.
  virtual void OnDone() {}
};

// One streaming call. Write, Finish, Cancel and queued() may be called from any thread as long as OnDone has not
// returned.
class ServerStream {
 public:
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  const grpc::ServerContext& context() const { return context_; }
  EventLoop& loop() const { return *loop_; }

  // Queues a message. The caller bounds the queue with queued() and OnWritten.
  void Write(grpc::ByteBuffer message) ABSL_LOCKS_EXCLUDED(mutex_);
  void Write(const google::protobuf::MessageLite& message) { Write(Serialize(message)); }

  // Messages that were not handed to the transport yet.
  size_t queued() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Counts what the answers of the stream take that its client has not taken, in place of what was told before. Only on
  // the stream's loop.
  void NoteUntaken(size_t bytes);

  // Ends the stream after what is queued. Only the first call counts.
  void Finish(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the stream at once, as if the client had gone.
  void Cancel() { context_.TryCancel(); }

  // Reads on after OnMessage returned false. Only on the stream's loop.
  void ResumeReading() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class Service;

  ServerStream(Service* service, int method, EventLoop* loop);
  ~ServerStream();

  void Request();
  void Started(bool ok);
  void Read(bool ok);
  void Written(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void StartNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellDrain();
  void OperationEnded() ABSL_LOCKS_EXCLUDED(mutex_);

  Service* const service_;
  const int method_;
  EventLoop* const loop_;
  std::unique_ptr<StreamHandler> handler_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};

  CallbackTag started_;
  CallbackTag read_;
  CallbackTag written_;
  CallbackTag finished_;
  CallbackTag done_;

  // Of the loop's thread alone.
  grpc::ByteBuffer incoming_;
  UntakenAnswers::Count untaken_;
  bool reading_ = false;
  bool drain_told_ = false;

  mutable Mutex mutex_;
  // Operations that the queue has not handed back; at zero the stream is over and none is started any more.
  int operations_ ABSL_GUARDED_BY(mutex_) = 0;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<grpc::ByteBuffer> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finish_started_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Status> finish_ ABSL_GUARDED_BY(mutex_);
};

class Service : public grpc::Service {
 public:
  using UnaryHandler = absl::AnyInvocable<void(UnaryCall&, const grpc::ByteBuffer& request)>;
  using StreamFactory = absl::AnyInvocable<std::unique_ptr<StreamHandler>(ServerStream&)>;

  // `descriptor` outlives the service. Handlers are added before the server starts, all of them; they are called on
  // every loop, so several calls of one handler may run at a time.
  explicit Service(const google::protobuf::ServiceDescriptor* descriptor);

  // `handler` is called on the call's loop as handler(UnaryCall&, const Request&); the request lives until Await, Reply
  // or Finish.
  template <class Request, class Response, class Handler>
  void AddUnary(absl::string_view method, Handler handler) {
    AddUnaryBytes(method, Request::descriptor(), Response::descriptor(),
                  [handler = std::move(handler)](UnaryCall& call, const grpc::ByteBuffer& bytes) {
                    auto* request = google::protobuf::Arena::CreateMessage<Request>(call.arena());
                    if (Parse(bytes, request)) {
                      handler(call, *request);
                    } else {
                      FinishMalformed(call, *Request::descriptor());
                    }
                  });
  }

  // The same; first quick(UnaryCall&, absl::string_view request) may handle the call from the bytes of its request,
  // which live as long as that runs. It returns whether it did.
  template <class Request, class Response, class Quick, class Handler>
  void AddUnary(absl::string_view method, Quick quick, Handler handler) {
    AddUnary<Request, Response>(method, std::move(handler));
    UnaryHandler& general = Find(method).unary;
    general = [quick = std::move(quick), general = std::move(general)](UnaryCall& call,
                                                                       const grpc::ByteBuffer& bytes) mutable {
      grpc::Slice slice;
      if (!quick(call, BytesOf(bytes, &slice))) general(call, bytes);
    };
  }

  // `factory` is called on the stream's loop when it begins; client streaming, server streaming and both look the same
  // here.
  void AddStream(absl::string_view method, StreamFactory factory);

  absl::string_view name() const { return name_; }

  // Every method of the descriptor that has no handler.
  std::vector<std::string> MissingMethods() const;

  // Accepts calls on a loop; once for each loop, after the server was built and before the loop starts. `untaken` is
  // that of the server, and outlives the calls.
  void Listen(EventLoop* loop, UntakenAnswers* untaken);

  // Tells all streams to finish.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Of a call that a client makes which holds too many answers.
  grpc::Status UntakenError() const;

  static grpc::Status MalformedError(const google::protobuf::Descriptor& expected);

 private:
  friend class UnaryCall;
  friend class ServerStream;

  struct Method {
    const google::protobuf::MethodDescriptor* descriptor = nullptr;
    std::string path;
    UnaryHandler unary;
    StreamFactory stream;
  };

  static void FinishMalformed(UnaryCall& call, const google::protobuf::Descriptor& expected);
  void AddUnaryBytes(absl::string_view method, const google::protobuf::Descriptor* request,
                     const google::protobuf::Descriptor* response, UnaryHandler handler);
  Method& Find(absl::string_view method);
  void RequestUnary(int method, UnaryCall* call);
  void RequestStream(int method, ServerStream* stream);
  void Track(ServerStream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(ServerStream* stream) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string name_;
  std::vector<Method> methods_;
  UntakenAnswers* untaken_ = nullptr;

  Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<ServerStream*> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs::rpc
