#include "common/rpc/service.h"

#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/support/sync_stream.h>

#include <deque>
#include <functional>
#include <set>
#include <thread>

#include "common/errors.h"
#include "common/latch.h"
#include "common/rpc/status.h"
#include "kvs/v1/maintenance.pb.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

namespace kvs::rpc {
namespace {

using Request = ::kvs::v1::MaintenanceEchoRequest;
using Response = ::kvs::v1::MaintenanceEchoResponse;
using ClientStream = grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;
using grpc::internal::RpcMethod;

// service Calls { rpc Unary(Request) returns (Response); rpc Stream(stream Request) returns (stream Response); }
const google::protobuf::ServiceDescriptor* CallsDescriptor() {
  static google::protobuf::DescriptorPool pool(google::protobuf::DescriptorPool::generated_pool());
  static const google::protobuf::FileDescriptor* const file = [] {
    google::protobuf::FileDescriptorProto proto;
    proto.set_name("tests/calls.proto");
    proto.set_package("tests");
    proto.add_dependency(Request::descriptor()->file()->name());
    auto* service = proto.add_service();
    service->set_name("Calls");
    for (const bool streaming : {false, true}) {
      auto* method = service->add_method();
      method->set_name(streaming ? "Stream" : "Unary");
      method->set_input_type(Request::descriptor()->full_name());
      method->set_output_type(Response::descriptor()->full_name());
      method->set_client_streaming(streaming);
      method->set_server_streaming(streaming);
    }
    return pool.BuildFile(proto);
  }();
  return file->service(0);
}

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer Message(const std::string& text) {
  Request request;
  request.set_message(text);
  return Serialize(request);
}

std::string MessageIn(const grpc::ByteBuffer& bytes) {
  Response response;
  REQUIRE(Parse(bytes, &response));
  return response.message();
}

Response ResponseOf(const std::string& text) {
  Response response;
  response.set_message(text);
  return response;
}

// A handler made of functions.
class Script final : public StreamHandler {
 public:
  std::function<bool(const grpc::ByteBuffer&)> on_message = [](const grpc::ByteBuffer&) { return true; };
  std::function<void()> on_half_close = [] {};
  std::function<void()> on_written = [] {};
  std::function<void()> on_drain = [] {};
  std::function<void()> on_done = [] {};

  bool OnMessage(const grpc::ByteBuffer& message) override { return on_message(message); }
  void OnHalfClose() override { on_half_close(); }
  void OnWritten() override { on_written(); }
  void OnDrain() override { on_drain(); }
  void OnDone() override { on_done(); }
};

using UnaryFunction = std::function<void(UnaryCall&, const Request&)>;
using StreamFunction = std::function<void(ServerStream&, Script*)>;

void EchoUnary(UnaryCall& call, const Request& request) { call.Reply(ResponseOf(request.message())); }

void EchoStream(ServerStream& stream, Script* script) {
  script->on_message = [&stream](const grpc::ByteBuffer& message) {
    stream.Write(message);
    return true;
  };
  script->on_half_close = [&stream] { stream.Finish(grpc::Status::OK); };
  script->on_drain = [&stream] { stream.Finish(grpc::Status::OK); };
}

// A server of Calls.
class CallsServer {
 public:
  explicit CallsServer(UnaryFunction unary, StreamFunction stream = EchoStream, int event_loops = 1) {
    service_.AddUnary<Request, Response>("Unary", std::move(unary));
    service_.AddStream("Stream", [stream = std::move(stream)](ServerStream& server_stream) {
      auto script = std::make_unique<Script>();
      stream(server_stream, script.get());
      return script;
    });
    server_ = std::make_unique<TestServer>(std::vector<Service*>{&service_}, event_loops);
  }
  explicit CallsServer(StreamFunction stream, int event_loops = 1)
      : CallsServer(EchoUnary, std::move(stream), event_loops) {}

  Server* operator->() { return &**server_; }
  Service& service() { return service_; }
  std::shared_ptr<grpc::Channel> Connect() { return server_->Connect(); }

 private:
  Service service_{CallsDescriptor()};
  std::unique_ptr<TestServer> server_;
};

// A connection of a client.
class CallsClient {
 public:
  explicit CallsClient(CallsServer& server) : channel_(server.Connect()) {}

  absl::Status Unary(grpc::ClientContext* context, const grpc::ByteBuffer& request, std::string* reply = nullptr,
                     const char* method = "/tests.Calls/Unary") {
    grpc::ByteBuffer response;
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer, grpc::ByteBuffer, grpc::ByteBuffer>(
            channel_.get(), RpcMethod(method, RpcMethod::NORMAL_RPC), context, request, &response);
    if (status.ok() && reply != nullptr) *reply = MessageIn(response);
    return FromGrpc(status);
  }

  absl::Status Unary(const grpc::ByteBuffer& request, std::string* reply = nullptr) {
    TestContext context;
    return Unary(&context, request, reply);
  }

  std::string Echo(const std::string& text) {
    std::string reply;
    const absl::Status status = Unary(Message(text), &reply);
    return status.ok() ? reply : std::string(status.message());
  }

  std::unique_ptr<ClientStream> Stream(grpc::ClientContext* context) {
    return std::unique_ptr<ClientStream>(
        grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
            channel_.get(), RpcMethod("/tests.Calls/Stream", RpcMethod::BIDI_STREAMING), context));
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
};

// Unary calls that wait until somebody answers them.
class WaitingCalls {
 public:
  void Add(UnaryCall& call, const Request& request) {
    MutexLock lock(&mutex_);
    calls_.emplace_back(&call, request.message());
    changed_.SignalAll();
  }

  // Waits until there are `count` calls and takes them.
  std::deque<std::pair<UnaryCall*, std::string>> Take(size_t count) {
    MutexLock lock(&mutex_);
    while (calls_.size() < count) changed_.Wait(&mutex_);
    return std::move(calls_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::pair<UnaryCall*, std::string>> calls_ ABSL_GUARDED_BY(mutex_);
};

UnaryFunction AddTo(WaitingCalls* waiting) {
  return [waiting](UnaryCall& call, const Request& request) { waiting->Add(call, request); };
}

// Answers unary calls from its own thread as they come, until there are none and it is destroyed.
class Answerer {
 public:
  Answerer() : thread_([this] { Run(); }) {}
  ~Answerer() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      changed_.Signal();
    }
    thread_.join();
  }

  void Add(UnaryCall* call) {
    MutexLock lock(&mutex_);
    calls_.push_back(call);
    changed_.Signal();
  }

 private:
  void Run() {
    for (;;) {
      UnaryCall* call = nullptr;
      {
        MutexLock lock(&mutex_);
        while (calls_.empty() && !stopping_) changed_.Wait(&mutex_);
        if (calls_.empty()) return;
        call = calls_.front();
        calls_.pop_front();
      }
      call->Reply(Response());
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<UnaryCall*> calls_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

TEST_CASE("a service knows its name and which of its methods lack a handler") {
  Service service(CallsDescriptor());
  CHECK(service.name() == "tests.Calls");
  CHECK(service.MissingMethods() == std::vector<std::string>{"/tests.Calls/Unary", "/tests.Calls/Stream"});
  service.AddUnary<Request, Response>("Unary", EchoUnary);
  CHECK(service.MissingMethods() == std::vector<std::string>{"/tests.Calls/Stream"});
  service.AddStream("Stream", [](ServerStream&) { return std::make_unique<Script>(); });
  CHECK(service.MissingMethods().empty());
}

// Unary calls

TEST_CASE("a unary call is handled on a loop and answered inline") {
  CallsServer* server_pointer = nullptr;
  std::atomic<bool> on_loop{false};
  CallsServer server([&](UnaryCall& call, const Request& request) {
    on_loop = call.loop().IsCurrentThread() && &call.loop() == &(*server_pointer)->loop();
    EchoUnary(call, request);
  });
  server_pointer = &server;
  CallsClient client(server);
  CHECK(client.Echo("hello") == "hello");
  CHECK(client.Echo("").empty());
  CHECK(on_loop);
}

TEST_CASE("an error is answered with its details") {
  CallsServer server([](UnaryCall& call, const Request&) {
    call.Finish(ToGrpc(Error(errors::kKeyNotFound, "no such key", {{"revision", "7"}})));
  });
  CallsClient client(server);
  const absl::Status status = client.Unary(Message(""));
  CHECK(Is(status, errors::kKeyNotFound));
  CHECK(MetadataOf(status, "revision") == "7");
}

TEST_CASE("more calls than are kept open at a time can wait, and are answered by another thread") {
  constexpr int kCalls = 100;
  WaitingCalls waiting;
  CallsServer server(AddTo(&waiting));
  CallsClient client(server);
  std::vector<std::string> replies(kCalls);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    callers.emplace_back([&, i] { replies[i] = client.Echo(std::to_string(i)); });
  }
  for (const auto& [call, text] : waiting.Take(kCalls)) call->Reply(ResponseOf(text));
  for (std::thread& caller : callers) caller.join();
  for (int i = 0; i < kCalls; ++i) CHECK(replies[i] == std::to_string(i));
}

TEST_CASE("a call that waits with its answer keeps nothing of its request") {
  WaitingCalls waiting;
  std::atomic<size_t> before = 0;
  std::atomic<size_t> after = 0;
  CallsServer server([&, add = AddTo(&waiting)](UnaryCall& call, const Request& request) {
    google::protobuf::Arena::CreateArray<char>(call.arena(), kMiB);
    before = call.arena()->SpaceAllocated();
    add(call, request);
    call.Await(1);
    after = call.arena()->SpaceAllocated();
  });
  CallsClient client(server);
  std::string reply;
  std::thread caller([&] { reply = client.Echo("hello"); });
  const auto [call, text] = waiting.Take(1)[0];
  call->Reply(ResponseOf(text));
  caller.join();
  CHECK(reply == "hello");
  CHECK(before > kMiB);
  CHECK(after == 0);
}

TEST_CASE("a call whose client has gone is answered all the same") {
  WaitingCalls waiting;
  CallsServer server(AddTo(&waiting));
  for (const bool reply : {true, false}) {
    auto client = std::make_unique<CallsClient>(server);
    TestContext context;
    absl::Status status;
    std::thread caller([&] { status = client->Unary(&context, Message("")); });
    UnaryCall* call = waiting.Take(1)[0].first;
    context.TryCancel();
    caller.join();
    CHECK(status.code() == absl::StatusCode::kCancelled);
    client.reset();
    if (reply) {
      call->Reply(Response());
    } else {
      call->Finish(ToGrpc(Error(errors::kDraining, "too late")));
    }
  }
  CallsClient client(server);
  std::thread caller([&] { client.Echo("next"); });
  waiting.Take(1)[0].first->Reply(Response());
  caller.join();
}

TEST_CASE("calls are cancelled while another thread answers them") {
  Answerer answerer;
  CallsServer server([&](UnaryCall& call, const Request&) { answerer.Add(&call); }, EchoStream, 2);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      CallsClient client(server);
      for (int i = 0; i < 100; ++i) {
        TestContext context;
        std::thread canceller([&] { context.TryCancel(); });
        client.Unary(&context, Message("x")).IgnoreError();
        canceller.join();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(CallsClient(server).Unary(Message("x")).ok());
}

TEST_CASE("a unary request that is not well-formed is refused with a reason") {
  std::atomic<int> handled{0};
  CallsServer server([&](UnaryCall& call, const Request& request) {
    handled++;
    EchoUnary(call, request);
  });
  CallsClient client(server);
  const std::string whole = [] {
    Request request;
    request.set_message("hello");
    return request.SerializeAsString();
  }();
  for (size_t length = 1; length < whole.size(); ++length) {
    CHECK(Is(client.Unary(Bytes(whole.substr(0, length))), errors::kMalformedRequest));
  }
  const absl::Status invalid_text = client.Unary(Bytes("\x0a\x02\xc3\x28"));
  CHECK(Is(invalid_text, errors::kMalformedRequest));
  CHECK(invalid_text.message().find("kvs.v1.MaintenanceEchoRequest") != absl::string_view::npos);
  CHECK(handled == 0);
  CHECK(client.Echo("next") == "next");
}

TEST_CASE("a request over the limit is RESOURCE_EXHAUSTED, the largest below it is served") {
  CallsServer server([](UnaryCall& call, const Request& request) {
    call.Reply(ResponseOf(std::to_string(request.message().size())));
  });
  CallsClient client(server);
  const size_t framing = 5;  // the tag and the length of the text
  CHECK(client.Echo(std::string(kMaxRequestBytes - framing, 'x')) == std::to_string(kMaxRequestBytes - framing));
  CHECK(client.Unary(Message(std::string(kMaxRequestBytes - framing + 1, 'x'))).code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(client.Echo("next") == "4");
}

TEST_CASE("a method that does not exist is UNIMPLEMENTED") {
  CallsServer server(EchoUnary);
  CallsClient client(server);
  TestContext context;
  CHECK(client.Unary(&context, Message(""), nullptr, "/tests.Calls/Other").code() == absl::StatusCode::kUnimplemented);
}

TEST_CASE("all event loops serve calls") {
  constexpr size_t kLoops = 2;
  Mutex mutex;
  std::set<EventLoop*> loops;
  CallsServer server(
      [&](UnaryCall& call, const Request& request) {
        MutexLock lock(&mutex);
        loops.insert(&call.loop());
        EchoUnary(call, request);
      },
      EchoStream, kLoops);
  const auto served = [&] {
    MutexLock lock(&mutex);
    return loops.size();
  };
  for (int connection = 0; connection < 1000 && served() < kLoops; ++connection) {
    CallsClient client(server);
    REQUIRE(client.Echo("x") == "x");
  }
  CHECK(served() == kLoops);
}

// Streams

TEST_CASE("a stream carries messages both ways and ends with a status") {
  CallsServer server(EchoStream);
  CallsClient client(server);
  TestContext context;
  auto stream = client.Stream(&context);
  grpc::ByteBuffer reply;
  for (const char* text : {"one", "", "three"}) {
    REQUIRE(stream->Write(Message(text)));
    REQUIRE(stream->Read(&reply));
    CHECK(MessageIn(reply) == text);
  }
  stream->WritesDone();
  CHECK_FALSE(stream->Read(&reply));
  CHECK(stream->Finish().ok());
}

TEST_CASE("what was written before Finish arrives, what is written after it does not") {
  CallsServer server([](ServerStream& stream, Script* script) {
    // All of it before the stream has been read from.
    stream.Write(ResponseOf("a"));
    stream.Write(ResponseOf("b"));
    stream.Finish(ToGrpc(Error(errors::kFenced, "another writer", {{"epoch", "3"}})));
    stream.Write(ResponseOf("c"));
    stream.Finish(grpc::Status::OK);
    script->on_message = [&stream](const grpc::ByteBuffer&) {
      stream.Write(ResponseOf("d"));
      return true;
    };
  });
  CallsClient client(server);
  TestContext context;
  auto stream = client.Stream(&context);
  stream->Write(Message("x"));
  std::string texts;
  for (grpc::ByteBuffer reply; stream->Read(&reply);) texts += MessageIn(reply);
  CHECK(texts == "ab");
  const absl::Status status = FromGrpc(stream->Finish());
  CHECK(Is(status, errors::kFenced));
  CHECK(MetadataOf(status, "epoch") == "3");
}

TEST_CASE("a stream that writes as fast as its client reads keeps its queue short") {
  constexpr int kMessages = 2000;
  constexpr size_t kMaxQueued = 3;
  std::atomic<size_t> most_queued{0};
  CallsServer server([&](ServerStream& stream, Script* script) {
    auto written = std::make_shared<int>(0);
    const auto fill = [&, written] {
      while (*written < kMessages && stream.queued() < kMaxQueued) {
        stream.Write(ResponseOf(std::string(1000, 'x') + std::to_string((*written)++)));
        most_queued = std::max<size_t>(most_queued, stream.queued());
      }
      if (*written == kMessages) stream.Finish(grpc::Status::OK);
    };
    script->on_message = [fill](const grpc::ByteBuffer&) {
      fill();
      return false;
    };
    script->on_written = fill;
  });
  CallsClient client(server);
  TestContext context;
  auto stream = client.Stream(&context);
  stream->Write(Message("begin"));
  int received = 0;
  for (grpc::ByteBuffer reply; stream->Read(&reply); ++received) {
    REQUIRE(MessageIn(reply).substr(1000) == std::to_string(received));
  }
  CHECK(received == kMessages);
  CHECK(stream->Finish().ok());
  CHECK(most_queued == kMaxQueued);
}

TEST_CASE("no message is read until the handler resumes") {
  std::atomic<int> received{0};
  std::atomic<ServerStream*> server_stream{nullptr};
  Latch first;
  CallsServer server([&](ServerStream& stream, Script* script) {
    server_stream = &stream;
    script->on_message = [&](const grpc::ByteBuffer& message) {
      stream.Write(message);
      if (received++ == 0) first.CountDown();
      return false;
    };
    script->on_half_close = [&stream] { stream.Finish(grpc::Status::OK); };
  });
  CallsClient client(server);
  TestContext context;
  auto stream = client.Stream(&context);
  grpc::ByteBuffer reply;
  REQUIRE(stream->Write(Message("one")));
  REQUIRE(stream->Write(Message("two")));
  REQUIRE(stream->Read(&reply));
  first.Wait();
  CHECK(client.Echo("the loop has had its turn") == "the loop has had its turn");
  CHECK(received == 1);
  // Twice, which is no more than once.
  server->loop().Post([&] {
    server_stream.load()->ResumeReading();
    server_stream.load()->ResumeReading();
  });
  REQUIRE(stream->Read(&reply));
  CHECK(MessageIn(reply) == "two");
  server->loop().Post([&] { server_stream.load()->ResumeReading(); });
  stream->WritesDone();
  CHECK(stream->Finish().ok());
}

TEST_CASE("a handler that resumes from OnMessage and then wants to read on reads once") {
  CallsServer server([](ServerStream& stream, Script* script) {
    EchoStream(stream, script);
    script->on_message = [&stream](const grpc::ByteBuffer& message) {
      stream.ResumeReading();
      stream.Write(message);
      return true;
    };
  });
  CallsClient client(server);
  TestContext context;
  auto stream = client.Stream(&context);
  grpc::ByteBuffer reply;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(stream->Write(Message(std::to_string(i))));
    REQUIRE(stream->Read(&reply));
    CHECK(MessageIn(reply) == std::to_string(i));
  }
  stream->WritesDone();
  CHECK(stream->Finish().ok());
}

TEST_CASE("a message over the limit ends its stream with RESOURCE_EXHAUSTED") {
  CallsServer server(EchoStream);
  CallsClient client(server);
  TestContext context;
  auto stream = client.Stream(&context);
  stream->Write(Bytes(std::string(kMaxRequestBytes + 1, 'x')));
  grpc::ByteBuffer reply;
  CHECK_FALSE(stream->Read(&reply));
  CHECK(stream->Finish().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_CASE("a server can end a stream as if its client had gone") {
  Latch done;
  CallsServer server([&](ServerStream& stream, Script* script) {
    script->on_message = [&stream](const grpc::ByteBuffer&) {
      stream.Cancel();
      return true;
    };
    script->on_done = [&] { done.CountDown(); };
  });
  CallsClient client(server);
  TestContext context;
  auto stream = client.Stream(&context);
  stream->Write(Message("x"));
  grpc::ByteBuffer reply;
  CHECK_FALSE(stream->Read(&reply));
  CHECK(stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
  done.Wait();
}

TEST_CASE("a stream whose client goes ends once, wherever it was") {
  Latch begun;
  Latch reached;
  Latch done;
  std::atomic<int> times_done{0};
  std::function<void(ServerStream&, Script*)> script_more = [](ServerStream&, Script*) {};
  const auto notify = [&] { reached.CountDown(); };
  bool send = true;
  bool half_close = false;

  SECTION("before it sent anything") {
    send = false;
    script_more = [&](ServerStream&, Script*) { notify(); };
  }
  SECTION("while the server waits for the next message") {
    script_more = [&](ServerStream&, Script* script) {
      script->on_message = [&](const grpc::ByteBuffer&) {
        notify();
        return true;
      };
    };
  }
  SECTION("while the server does not read") {
    script_more = [&](ServerStream&, Script* script) {
      script->on_message = [&](const grpc::ByteBuffer&) {
        notify();
        return false;
      };
    };
  }
  SECTION("while a message waits for the client to read") {
    script_more = [&](ServerStream& stream, Script* script) {
      script->on_message = [&](const grpc::ByteBuffer&) {
        // More than fits into the buffers on the way.
        for (int i = 0; i < 8; ++i) stream.Write(Message(std::string(kMiB, 'x')));
        notify();
        return true;
      };
    };
  }
  SECTION("while the end of the stream waits for the client to read") {
    script_more = [&](ServerStream& stream, Script* script) {
      script->on_message = [&](const grpc::ByteBuffer&) {
        for (int i = 0; i < 8; ++i) stream.Write(Message(std::string(kMiB, 'x')));
        stream.Finish(grpc::Status::OK);
        notify();
        return true;
      };
    };
  }
  SECTION("when it has closed its side and the server has not") {
    half_close = true;
    script_more = [&](ServerStream&, Script* script) { script->on_half_close = notify; };
  }

  CallsServer server([&](ServerStream& stream, Script* script) {
    script->on_done = [&] {
      if (times_done++ == 0) done.CountDown();
      // Has no effect any more.
      stream.Write(ResponseOf("late"));
      stream.Finish(grpc::Status::OK);
      stream.ResumeReading();
    };
    script_more(stream, script);
    begun.CountDown();
  });
  auto client = std::make_unique<CallsClient>(server);
  auto context = std::make_unique<TestContext>();
  auto stream = client->Stream(context.get());
  if (send) stream->Write(Message("x"));
  if (half_close) stream->WritesDone();
  begun.Wait();
  reached.Wait();
  context->TryCancel();
  CHECK(stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
  done.Wait();
  CHECK(CallsClient(server).Echo("next") == "next");
  CHECK(times_done == 1);
}

TEST_CASE("a stream is finished by another thread while it reads") {
  constexpr int kStreams = 50;
  std::atomic<int> done{0};
  std::vector<std::thread> finishers;
  CallsServer server([&](ServerStream& stream, Script* script) {
    // Outlives the stream no longer than OnDone lets it.
    auto finisher = std::make_shared<std::thread>([&stream] { stream.Finish(grpc::Status::OK); });
    script->on_message = [&stream](const grpc::ByteBuffer& message) {
      stream.Write(message);
      return true;
    };
    script->on_done = [&done, finisher] {
      finisher->join();
      done++;
    };
  });
  CallsClient client(server);
  for (int i = 0; i < kStreams; ++i) {
    TestContext context;
    auto stream = client.Stream(&context);
    while (stream->Write(Message("x"))) {
    }
    for (grpc::ByteBuffer reply; stream->Read(&reply);) {
    }
    CHECK(stream->Finish().ok());
  }
  server->Drain(absl::Seconds(20));
  server->Stop();
  CHECK(done == kStreams);
}

// Streams that other threads write to: open ones, as a service with watchers keeps them.
class Registry {
 public:
  void Add(ServerStream* stream) {
    MutexLock lock(&mutex_);
    streams_.insert(stream);
  }
  void Remove(ServerStream* stream) {
    MutexLock lock(&mutex_);
    streams_.erase(stream);
  }
  void WriteToAll(size_t max_queued) {
    MutexLock lock(&mutex_);
    for (ServerStream* stream : streams_) {
      if (stream->queued() < max_queued) stream->Write(ResponseOf("news"));
    }
  }
  void FinishAll() {
    MutexLock lock(&mutex_);
    for (ServerStream* stream : streams_) stream->Finish(grpc::Status::OK);
  }
  void CancelAll() {
    MutexLock lock(&mutex_);
    for (ServerStream* stream : streams_) stream->Cancel();
  }
  size_t size() {
    MutexLock lock(&mutex_);
    return streams_.size();
  }

 private:
  Mutex mutex_;
  std::set<ServerStream*> streams_ ABSL_GUARDED_BY(mutex_);
};

TEST_CASE("other threads write, finish and cancel until a stream is done") {
  Registry registry;
  CallsServer server(
      [&](ServerStream& stream, Script* script) {
        registry.Add(&stream);
        script->on_done = [&] { registry.Remove(&stream); };
      },
      2);
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 2; ++writer) {
    writers.emplace_back([&] {
      while (!stop) registry.WriteToAll(3);
    });
  }
  std::vector<std::thread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([&, client] {
      CallsClient connection(server);
      for (int i = 0; i < 40; ++i) {
        TestContext context;
        auto stream = connection.Stream(&context);
        grpc::ByteBuffer reply;
        for (int reads = 0; reads < i % 4; ++reads) stream->Read(&reply);
        if (client == 0 && i % 7 == 0) registry.FinishAll();
        if (client == 1 && i % 11 == 0) registry.CancelAll();
        context.TryCancel();
        stream->Finish();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  server->Drain(absl::ZeroDuration());
  server->Stop();
  stop = true;
  for (std::thread& writer : writers) writer.join();
  CHECK(registry.size() == 0);
}

// Drains

TEST_CASE("a drain tells each open stream once") {
  constexpr int kStreams = 6;
  std::atomic<int> drained{0};
  std::atomic<int> done{0};
  Latch begun(kStreams);
  CallsServer server(
      [&](ServerStream& stream, Script* script) {
        script->on_drain = [&] {
          drained++;
          stream.Write(ResponseOf("bye"));
          stream.Finish(grpc::Status::OK);
        };
        script->on_done = [&] { done++; };
        begun.CountDown();
      },
      2);
  std::vector<std::unique_ptr<CallsClient>> clients;
  std::vector<std::unique_ptr<TestContext>> contexts;
  std::vector<std::unique_ptr<ClientStream>> streams;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<CallsClient>(server));
    contexts.push_back(std::make_unique<TestContext>());
    streams.push_back(clients.back()->Stream(contexts.back().get()));
  }
  begun.Wait();
  server->Drain(absl::Seconds(20));
  server->Stop();
  CHECK(drained == kStreams);
  CHECK(done == kStreams);
  for (auto& stream : streams) {
    grpc::ByteBuffer reply;
    REQUIRE(stream->Read(&reply));
    CHECK(MessageIn(reply) == "bye");
    CHECK_FALSE(stream->Read(&reply));
    CHECK(stream->Finish().ok());
  }
}

TEST_CASE("a stream that begins while the server drains is told once, as are those beside it") {
  Latch first_begun;
  Latch second_begins;
  Latch drain_began;
  std::atomic<int> begun{0};
  std::atomic<int> drained{0};
  Latch done(2);
  CallsServer server([&](ServerStream& stream, Script* script) {
    script->on_drain = [&] {
      drained++;
      stream.Finish(grpc::Status::OK);
    };
    script->on_done = [&] { done.CountDown(); };
    if (begun++ == 0) {
      first_begun.CountDown();
    } else {
      second_begins.CountDown();
      drain_began.Wait();
    }
  });
  CallsClient client(server);
  TestContext first_context;
  TestContext second_context;
  auto first = client.Stream(&first_context);
  first_begun.Wait();
  auto second = client.Stream(&second_context);
  second_begins.Wait();
  server.service().Drain();
  drain_began.CountDown();
  CHECK(first->Finish().ok());
  CHECK(second->Finish().ok());
  done.Wait();
  CHECK(drained == 2);
}

TEST_CASE("a drain waits for unary calls that are under way") {
  WaitingCalls waiting;
  CallsServer server([&](UnaryCall& call, const Request& request) {
    request.message() == "wait" ? waiting.Add(call, request) : EchoUnary(call, request);
  });
  CallsClient client(server);
  std::string reply;
  std::thread caller([&] { reply = client.Echo("wait"); });
  UnaryCall* call = waiting.Take(1)[0].first;
  std::thread drainer([&] { server->Drain(absl::Seconds(20)); });
  // New calls are refused before the old one is answered.
  while (CallsClient(server).Unary(Message("")).ok()) {
  }
  call->Reply(ResponseOf("answered"));
  drainer.join();
  caller.join();
  CHECK(reply == "answered");
}

TEST_CASE("a drain cancels what is under way when its time is over") {
  WaitingCalls waiting;
  Latch stream_done;
  Latch begun;
  CallsServer server(AddTo(&waiting), [&](ServerStream&, Script* script) {
    script->on_done = [&] { stream_done.CountDown(); };
    begun.CountDown();
  });
  CallsClient client(server);
  absl::Status status;
  std::thread caller([&] { status = client.Unary(Message("")); });
  UnaryCall* call = waiting.Take(1)[0].first;
  TestContext context;
  auto stream = client.Stream(&context);
  begun.Wait();
  server->Drain(absl::Milliseconds(50));
  caller.join();
  CHECK_FALSE(status.ok());
  CHECK_FALSE(stream->Finish().ok());
  stream_done.Wait();
  // The stop waits for the answer that nobody receives.
  std::thread stopper([&] { server->Stop(); });
  call->Reply(Response());
  stopper.join();
}

TEST_CASE("a server can be destroyed while calls are under way") {
  for (int round = 0; round < 10; ++round) {
    Answerer answerer;
    Latch begun(4);
    auto server = std::make_unique<CallsServer>(
        [&](UnaryCall& call, const Request&) {
          begun.CountDown();
          answerer.Add(&call);
        },
        [&](ServerStream& stream, Script*) {
          for (int i = 0; i < 4; ++i) stream.Write(Message(std::string(kMiB, 'x')));
          stream.Finish(grpc::Status::OK);
          begun.CountDown();
        },
        2);
    CallsClient client(*server);
    std::vector<std::thread> callers;
    for (int i = 0; i < 2; ++i) callers.emplace_back([&] { client.Unary(Message("")).IgnoreError(); });
    TestContext contexts[2];
    std::vector<std::unique_ptr<ClientStream>> streams;
    for (TestContext& context : contexts) streams.push_back(client.Stream(&context));
    begun.Wait();
    server.reset();
    for (std::thread& caller : callers) caller.join();
    for (auto& stream : streams) {
      for (grpc::ByteBuffer reply; stream->Read(&reply);) {
      }
      CHECK_FALSE(stream->Finish().ok());
    }
  }
}

}  // namespace
}  // namespace kvs::rpc
