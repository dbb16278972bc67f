#include "common/rpc/service.h"

#include <absl/strings/str_cat.h>
#include <grpcpp/impl/rpc_service_method.h>

#include <cstdio>
#include <cstdlib>

#include "common/errors.h"
#include "common/limits.h"
#include "common/rpc/status.h"

namespace kvs::rpc {
namespace {

// Requests for calls that are kept open for each method and loop. A call that finds none waits for the next one, which
// is made when another has arrived, before that is handled. gRPC as Debian builds it looks through all that is open in
// a queue whenever something ends there, three times a call: with 32 for each method that took a third of a get.
constexpr int kUnarySlots = 2;

// What gRPC and we keep of a call, about, without its messages.
constexpr size_t kCallBytes = 8 * kKiB;

// The program is wired wrongly; no request can cause this.
[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "fatal: %s\n", message.c_str());
  std::abort();
}

grpc::ServerCompletionQueue* ServerQueue(EventLoop* loop) {
  return static_cast<grpc::ServerCompletionQueue*>(loop->queue());
}

}  // namespace

UnaryCall::UnaryCall(Service* service, int method, EventLoop* loop) : service_(service), method_(method), loop_(loop) {
  loop_->Hold();
}

UnaryCall::~UnaryCall() { loop_->Release(); }

void UnaryCall::Request() { service_->RequestUnary(method_, this); }

void UnaryCall::Arrived(bool ok) {
  if (!ok) {
    delete this;
    return;
  }
  loop_->NoteCall();
  (new UnaryCall(service_, method_, loop_))->Request();
  if (!service_->untaken_->HasRoom(context_)) return Refuse();
  service_->methods_[method_].unary(*this, request_);
}

void UnaryCall::Refuse() {
  // Not taken either, as long as the client reads nothing.
  Count(kCallBytes);
  Finish(service_->UntakenError());
}

void UnaryCall::Count(size_t response_bytes) { service_->untaken_->Set(context_, response_bytes, &untaken_); }

// They are not used again, and the ledger and the client may take their time.
void UnaryCall::FreeMessages() {
  arena_.Reset();
  request_.Clear();
}

void UnaryCall::Await(size_t response_bytes) {
  Count(response_bytes);
  FreeMessages();
}

void UnaryCall::Reply(const grpc::ByteBuffer& response) {
  Count(response.Length());
  FreeMessages();
  writer_.Finish(response, grpc::Status::OK, &finished_);
}

void UnaryCall::Finish(const grpc::Status& error) {
  FreeMessages();
  writer_.FinishWithError(error, &finished_);
}

ServerStream::ServerStream(Service* service, int method, EventLoop* loop)
    : service_(service),
      method_(method),
      loop_(loop),
      started_([this](bool ok) { Started(ok); }),
      read_([this](bool ok) { Read(ok); }),
      written_([this](bool ok) { Written(ok); }),
      finished_([this](bool) { OperationEnded(); }),
      done_([this](bool) { OperationEnded(); }) {
  loop_->Hold();
}

ServerStream::~ServerStream() { loop_->Release(); }

void ServerStream::Request() {
  context_.AsyncNotifyWhenDone(&done_);
  service_->RequestStream(method_, this);
}

void ServerStream::Started(bool ok) {
  if (!ok) {
    delete this;
    return;
  }
  (new ServerStream(service_, method_, loop_))->Request();
  {
    MutexLock lock(&mutex_);
    operations_ = 1;  // done_
  }
  handler_ = service_->methods_[method_].stream(*this);
  ResumeReading();
  service_->Track(this);
}

void ServerStream::ResumeReading() {
  if (reading_) return;
  MutexLock lock(&mutex_);
  if (over_) return;
  reading_ = true;
  operations_++;
  stream_.Read(&incoming_, &read_);
}

void ServerStream::Read(bool ok) {
  reading_ = false;
  if (!ok) {
    // Nothing more comes; a later ResumeReading must not start another read.
    reading_ = true;
    handler_->OnHalfClose();
  } else {
    loop_->NoteCall();
    if (handler_->OnMessage(incoming_)) ResumeReading();
  }
  OperationEnded();
}

void ServerStream::Write(grpc::ByteBuffer message) {
  MutexLock lock(&mutex_);
  if (broken_ || finish_ || over_) return;
  outgoing_.push_back(std::move(message));
  StartNext();
}

void ServerStream::NoteUntaken(size_t bytes) { service_->untaken_->Set(context_, bytes, &untaken_); }

size_t ServerStream::queued() const {
  MutexLock lock(&mutex_);
  return outgoing_.size();
}

void ServerStream::Finish(const grpc::Status& status) {
  MutexLock lock(&mutex_);
  if (finish_) return;
  finish_ = std::make_unique<grpc::Status>(status);
  StartNext();
}

void ServerStream::StartNext() {
  if (writing_ || finish_started_ || over_) return;
  if (!outgoing_.empty()) {
    writing_ = true;
    operations_++;
    stream_.Write(outgoing_.front(), &written_);
  } else if (finish_) {
    finish_started_ = true;
    operations_++;
    stream_.Finish(*finish_, &finished_);
  }
}

void ServerStream::Written(bool ok) {
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) {
      outgoing_.pop_front();
    } else {
      broken_ = true;
      outgoing_.clear();
    }
    StartNext();
  }
  if (ok) handler_->OnWritten();
  OperationEnded();
}

void ServerStream::TellDrain() {
  if (drain_told_) return;
  drain_told_ = true;
  handler_->OnDrain();
}

void ServerStream::OperationEnded() {
  {
    MutexLock lock(&mutex_);
    if (--operations_ > 0) return;
    // Another thread may still call Write or Finish, until OnDone has told it not to.
    over_ = true;
  }
  service_->Forget(this);
  handler_->OnDone();
  delete this;
}

Service::Service(const google::protobuf::ServiceDescriptor* descriptor) : name_(descriptor->full_name()) {
  methods_.resize(descriptor->method_count());
  for (int i = 0; i < descriptor->method_count(); ++i) {
    Method& method = methods_[i];
    method.descriptor = descriptor->method(i);
    method.path = absl::StrCat("/", name_, "/", method.descriptor->name());
    const bool streaming = method.descriptor->client_streaming() || method.descriptor->server_streaming();
    // Every kind of streaming is received as a stream in both directions: the wire is the same.
    AddMethod(new grpc::internal::RpcServiceMethod(
        method.path.c_str(),
        streaming ? grpc::internal::RpcMethod::BIDI_STREAMING : grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodRaw(i);
  }
}

Service::Method& Service::Find(absl::string_view name) {
  for (Method& method : methods_) {
    if (method.descriptor->name() == name) return method;
  }
  Die(absl::StrCat(name_, " has no method ", name));
}

void Service::AddUnaryBytes(absl::string_view name, const google::protobuf::Descriptor* request,
                            const google::protobuf::Descriptor* response, UnaryHandler handler) {
  Method& method = Find(name);
  if (method.descriptor->input_type() != request || method.descriptor->output_type() != response) {
    Die(absl::StrCat(method.path, " takes or returns another message than its handler"));
  }
  method.unary = std::move(handler);
}

void Service::AddStream(absl::string_view name, StreamFactory factory) { Find(name).stream = std::move(factory); }

std::vector<std::string> Service::MissingMethods() const {
  std::vector<std::string> missing;
  for (const Method& method : methods_) {
    if (!method.unary && !method.stream) missing.push_back(method.path);
  }
  return missing;
}

void Service::Listen(EventLoop* loop, UntakenAnswers* untaken) {
  untaken_ = untaken;
  if (const auto missing = MissingMethods(); !missing.empty()) Die(absl::StrCat("no handler for ", missing.front()));
  for (int i = 0; i < static_cast<int>(methods_.size()); ++i) {
    if (methods_[i].stream) {
      (new ServerStream(this, i, loop))->Request();
    } else {
      for (int slot = 0; slot < kUnarySlots; ++slot) (new UnaryCall(this, i, loop))->Request();
    }
  }
}

void Service::RequestUnary(int method, UnaryCall* call) {
  grpc::ServerCompletionQueue* queue = ServerQueue(call->loop_);
  RequestAsyncUnary(method, &call->context_, &call->request_, &call->writer_, queue, queue, &call->arrived_);
}

void Service::RequestStream(int method, ServerStream* stream) {
  grpc::ServerCompletionQueue* queue = ServerQueue(stream->loop_);
  RequestAsyncBidiStreaming(method, &stream->context_, &stream->stream_, queue, queue, &stream->started_);
}

void Service::Track(ServerStream* stream) {
  bool draining = false;
  {
    MutexLock lock(&mutex_);
    streams_.insert(stream);
    draining = draining_;
  }
  if (draining) stream->TellDrain();
}

void Service::Forget(ServerStream* stream) {
  MutexLock lock(&mutex_);
  streams_.erase(stream);
}

void Service::Drain() {
  std::set<EventLoop*> loops;
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    for (ServerStream* stream : streams_) loops.insert(stream->loop_);
  }
  // Streams begin and end on their loop, so they are told there, where none can go away meanwhile.
  for (EventLoop* loop : loops) {
    loop->Post([this, loop] {
      std::vector<ServerStream*> streams;
      {
        MutexLock lock(&mutex_);
        for (ServerStream* stream : streams_) {
          if (stream->loop_ == loop) streams.push_back(stream);
        }
      }
      for (ServerStream* stream : streams) stream->TellDrain();
    });
  }
}

grpc::Status Service::UntakenError() const {
  return ToGrpc(Error(errors::kUntakenAnswers,
                      "nothing was done: too many answers wait for this client to take them; read them, and have fewer "
                      "calls under way or ask for less in each",
                      {{"limit", absl::StrCat(untaken_->limit())}}));
}

grpc::Status Service::MalformedError(const google::protobuf::Descriptor& expected) {
  return ToGrpc(
      Error(errors::kMalformedRequest, absl::StrCat("the request is not a valid ", expected.full_name(),
                                                    ": its bytes are malformed, or a text in it is not UTF-8")));
}

void Service::FinishMalformed(UnaryCall& call, const google::protobuf::Descriptor& expected) {
  call.Finish(MalformedError(expected));
}

}  // namespace kvs::rpc
