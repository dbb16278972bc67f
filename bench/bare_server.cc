// A StringStore whose Get and Put answer constants: what gRPC alone costs, in each of its threading models.
//
//   sync       generated code, a thread for each call under way
//   callback   generated code, called on gRPC's own threads
//   queue      generated code over completion queues, each polled by one thread
//   raw        the same with requests and responses as bytes, on the event loops of kvs_server

#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/limits.h"
#include "common/rpc/server.h"
#include "kvs/v1/string_store.grpc.pb.h"

namespace kvs {
namespace {

using v1::StringStore;
using v1::StringStoreGetRequest;
using v1::StringStoreGetResponse;
using v1::StringStorePutRequest;
using v1::StringStorePutResponse;

void Answer(StringStoreGetResponse* response) {
  static const auto* const value = new std::string(32, 'v');
  response->set_value(*value);
  response->set_revision(1'000'000);
  response->set_latest_revision(1'000'000);
}

void Answer(StringStorePutResponse* response) {
  response->set_replaced(true);
  response->set_revision(1'000'000);
  response->set_latest_revision(1'000'000);
}

class SyncService final : public StringStore::Service {
  grpc::Status Get(grpc::ServerContext*, const StringStoreGetRequest*, StringStoreGetResponse* response) override {
    Answer(response);
    return grpc::Status::OK;
  }
  grpc::Status Put(grpc::ServerContext*, const StringStorePutRequest*, StringStorePutResponse* response) override {
    Answer(response);
    return grpc::Status::OK;
  }
};

class CallbackService final : public StringStore::CallbackService {
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context, const StringStoreGetRequest*,
                                StringStoreGetResponse* response) override {
    return Done(context, response);
  }
  grpc::ServerUnaryReactor* Put(grpc::CallbackServerContext* context, const StringStorePutRequest*,
                                StringStorePutResponse* response) override {
    return Done(context, response);
  }

  template <class Response>
  static grpc::ServerUnaryReactor* Done(grpc::CallbackServerContext* context, Response* response) {
    Answer(response);
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// One call after the other of a method over a completion queue, by generated code.
template <class Request, class Response, auto kAccept>
class QueuedCall final : public rpc::Tag {
 public:
  QueuedCall(StringStore::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(*service), queue_(*queue) {
    (service_.*kAccept)(&context_, &request_, &writer_, &queue_, &queue_, static_cast<rpc::Tag*>(this));
  }

  void Complete(bool ok) override {
    if (!ok || answered_) {
      delete this;
      return;
    }
    new QueuedCall(&service_, &queue_);
    answered_ = true;
    Response response;
    Answer(&response);
    writer_.Finish(response, grpc::Status::OK, static_cast<rpc::Tag*>(this));
  }

 private:
  StringStore::AsyncService& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
  bool answered_ = false;
};

using QueuedGet = QueuedCall<StringStoreGetRequest, StringStoreGetResponse, &StringStore::AsyncService::RequestGet>;
using QueuedPut = QueuedCall<StringStorePutRequest, StringStorePutResponse, &StringStore::AsyncService::RequestPut>;

void AwaitSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int signal = 0;
  sigwait(&signals, &signal);
}

// The threads of the servers inherit it.
void BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
}

int RunGenerated(const std::string& address, grpc::Service* service) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  AwaitSignal();
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

int RunQueues(const std::string& address, int threads) {
  StringStore::AsyncService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < threads; ++i) queues.push_back(builder.AddCompletionQueue());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::vector<std::thread> pollers;
  for (const auto& queue : queues) {
    pollers.emplace_back([&service, queue = queue.get()] {
      new QueuedGet(&service, queue);
      new QueuedPut(&service, queue);
      void* tag = nullptr;
      bool ok = false;
      while (queue->Next(&tag, &ok)) static_cast<rpc::Tag*>(tag)->Complete(ok);
    });
  }
  AwaitSignal();
  // The pollers start calls until the process is gone.
  std::_Exit(0);
}

int RunRaw(const std::string& address, int threads) {
  rpc::Service service(StringStoreGetRequest::descriptor()->file()->FindServiceByName("StringStore"));
  const auto answer = [](auto* response) {
    return [](rpc::UnaryCall& call, const auto&) {
      auto* message = google::protobuf::Arena::CreateMessage<std::remove_pointer_t<decltype(response)>>(call.arena());
      Answer(message);
      call.Reply(*message);
    };
  };
  service.AddUnary<StringStoreGetRequest, StringStoreGetResponse>(
      "Get", answer(static_cast<StringStoreGetResponse*>(nullptr)));
  service.AddUnary<StringStorePutRequest, StringStorePutResponse>(
      "Put", answer(static_cast<StringStorePutResponse*>(nullptr)));
  const auto refuse = [](rpc::UnaryCall& call, const auto&) { call.Finish({grpc::StatusCode::UNIMPLEMENTED, "bare"}); };
  service.AddUnary<v1::StringStoreDeleteRequest, v1::StringStoreDeleteResponse>("Delete", refuse);
  service.AddUnary<v1::StringStoreAppendRequest, v1::StringStoreAppendResponse>("Append", refuse);
  service.AddUnary<v1::StringStoreMultiGetRequest, v1::StringStoreMultiGetResponse>("MultiGet", refuse);
  service.AddUnary<v1::StringStoreMultiPutRequest, v1::StringStoreMultiPutResponse>("MultiPut", refuse);
  rpc::Server server({address, grpc::InsecureServerCredentials(), threads, static_cast<int>(kMaxRequestBytes)});
  server.Add(&service);
  if (!server.Listen().ok()) return 1;
  server.Run();
  AwaitSignal();
  return 0;
}

int Run(const std::string& model, const std::string& address, int threads) {
  if (model == "queue") return RunQueues(address, threads);
  if (model == "raw") return RunRaw(address, threads);
  SyncService sync;
  CallbackService callback;
  return RunGenerated(address, model == "sync" ? static_cast<grpc::Service*>(&sync) : &callback);
}

}  // namespace
}  // namespace kvs

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  std::string model = "queue";
  std::string address;
  int threads = 1;
  CLI::App app("A StringStore whose Get and Put answer constants");
  app.add_option("--listen", address, "HOST:PORT")->required();
  app.add_option("--model", model, "sync, callback, queue or raw")
      ->check(CLI::IsMember({"sync", "callback", "queue", "raw"}));
  app.add_option("--threads", threads, "Completion queues, of queue and raw")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  kvs::BlockSignals();
  const int status = kvs::Run(model, address, threads);
  if (status != 0) std::fprintf(stderr, "bare_server: cannot listen on %s\n", address.c_str());
  return status;
}
