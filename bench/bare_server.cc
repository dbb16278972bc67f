// An IntStore whose Get answers a constant: the cost of gRPC, event loop, parsing and serializing, without a store
// behind.

#include <absl/synchronization/mutex.h>
#include <signal.h>

#include <cstdio>
#include <string>

#include "common/limits.h"
#include "common/rpc/server.h"
#include "kvs/v1/int_store.pb.h"

int main(int argc, char** argv) {
  using namespace kvs;
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (argc != 2) {
    std::fprintf(stderr, "usage: bare_server HOST:PORT\n");
    return 2;
  }
  rpc::Service service(v1::IntStoreGetRequest::descriptor()->file()->FindServiceByName("IntStore"));
  const auto answer = [](rpc::UnaryCall& call, const auto&) {
    auto* response = google::protobuf::Arena::CreateMessage<v1::IntStoreGetResponse>(call.arena());
    response->set_value(41);
    response->set_revision(1);
    response->set_latest_revision(1);
    call.Reply(*response);
  };
  const auto refuse = [](rpc::UnaryCall& call, const auto&) { call.Finish({grpc::StatusCode::UNIMPLEMENTED, "bare"}); };
  service.AddUnary<v1::IntStoreGetRequest, v1::IntStoreGetResponse>("Get", answer);
  service.AddUnary<v1::IntStorePutRequest, v1::IntStorePutResponse>("Put", refuse);
  service.AddUnary<v1::IntStoreDeleteRequest, v1::IntStoreDeleteResponse>("Delete", refuse);
  service.AddUnary<v1::IntStoreIncrementRequest, v1::IntStoreIncrementResponse>("Increment", refuse);
  service.AddUnary<v1::IntStoreMultiGetRequest, v1::IntStoreMultiGetResponse>("MultiGet", refuse);
  service.AddUnary<v1::IntStoreMultiPutRequest, v1::IntStoreMultiPutResponse>("MultiPut", refuse);
  service.AddUnary<v1::IntStoreMultiIncrementRequest, v1::IntStoreMultiIncrementResponse>("MultiIncrement", refuse);

  rpc::Server server({argv[1], grpc::InsecureServerCredentials(), 1, static_cast<int>(kMaxRequestBytes)});
  server.Add(&service);
  if (const absl::Status status = server.Listen(); !status.ok()) {
    std::fprintf(stderr, "bare_server: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  server.Run();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}
