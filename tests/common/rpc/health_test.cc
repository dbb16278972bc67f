#include "common/rpc/health.h"

#include "common/errors.h"
#include "common/latch.h"
#include "common/rpc/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

namespace kvs::rpc {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using Status = HealthService::Status;

class HealthFixture {
 protected:
  absl::Status Check(const std::string& name, HealthCheckResponse* response) {
    TestContext context;
    HealthCheckRequest request;
    request.set_service(name);
    return FromGrpc(stub_->Check(&context, request, response));
  }

  HealthCheckResponse::ServingStatus Check(const std::string& name) {
    HealthCheckResponse response;
    REQUIRE(Check(name, &response).ok());
    return response.status();
  }

  HealthService health_;
  TestServer server_{{&health_.service()}, 2};
  std::unique_ptr<Health::Stub> stub_ = Health::NewStub(server_.Connect());
};

// One Watch of a client.
class Watch {
 public:
  Watch(Health::Stub& stub, const std::string& name) {
    HealthCheckRequest request;
    request.set_service(name);
    reader_ = stub.Watch(&context_, request);
  }

  // The next status; UNKNOWN, which is never sent, at the end of the stream.
  HealthCheckResponse::ServingStatus Next() {
    HealthCheckResponse response;
    return reader_->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
  }

  grpc::Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  TestContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

TEST_CASE_METHOD(HealthFixture, "Check answers the status that was set last") {
  CHECK(Check("") == HealthCheckResponse::NOT_SERVING);
  health_.Set("", Status::kServing);
  health_.Set("kvs.v1.Keys", Status::kServing);
  CHECK(Check("") == HealthCheckResponse::SERVING);
  health_.Set("kvs.v1.Keys", Status::kNotServing);
  CHECK(Check("kvs.v1.Keys") == HealthCheckResponse::NOT_SERVING);
  health_.SetAll(Status::kServing);
  CHECK(Check("") == HealthCheckResponse::SERVING);
  CHECK(Check("kvs.v1.Keys") == HealthCheckResponse::SERVING);
}

TEST_CASE_METHOD(HealthFixture, "Check of a name that was never set is NOT_FOUND") {
  HealthCheckResponse response;
  const absl::Status status = Check("kvs.v1.Other", &response);
  CHECK(Is(status, errors::kUnknownService));
}

TEST_CASE_METHOD(HealthFixture, "Watch sends the status and then each change") {
  Watch watch(*stub_, "kvs.v1.Keys");
  CHECK(watch.Next() == HealthCheckResponse::SERVICE_UNKNOWN);
  health_.Set("kvs.v1.Keys", Status::kNotServing);
  CHECK(watch.Next() == HealthCheckResponse::NOT_SERVING);
  health_.Set("kvs.v1.Keys", Status::kNotServing);
  health_.Set("another", Status::kServing);
  health_.Set("kvs.v1.Keys", Status::kServing);
  CHECK(watch.Next() == HealthCheckResponse::SERVING);
  health_.SetAll(Status::kNotServing);
  CHECK(watch.Next() == HealthCheckResponse::NOT_SERVING);
}

TEST_CASE_METHOD(HealthFixture, "a slow watcher has one message waiting and gets the newest status") {
  Watch watch(*stub_, "");
  REQUIRE(watch.Next() == HealthCheckResponse::NOT_SERVING);
  // While its loops are held nothing leaves, as if the client did not read.
  Latch release;
  Latch released(static_cast<int>(server_->loop_count()));
  for (size_t i = 0; i < server_->loop_count(); ++i) {
    Latch held;
    server_->loop(i).Post([&] {
      held.CountDown();
      release.Wait();
      released.CountDown();
    });
    held.Wait();
  }
  for (int i = 0; i < 1000; ++i) {
    health_.Set("", Status::kNotServing);
    health_.Set("", Status::kServing);
  }
  release.CountDown();
  // A loop that is slow to wake up still looks at the latch.
  released.Wait();
  CHECK(watch.Next() == HealthCheckResponse::SERVING);
  // Nothing of what came between follows.
  health_.Set("", Status::kNotServing);
  CHECK(watch.Next() == HealthCheckResponse::NOT_SERVING);
  server_->Drain(absl::Seconds(20));
  CHECK(watch.Next() == HealthCheckResponse::UNKNOWN);
}

TEST_CASE_METHOD(HealthFixture, "a drain sends NOT_SERVING and ends the watch") {
  health_.Set("", Status::kServing);
  Watch watch(*stub_, "");
  REQUIRE(watch.Next() == HealthCheckResponse::SERVING);
  server_->Drain(absl::Seconds(20));
  CHECK(watch.Next() == HealthCheckResponse::NOT_SERVING);
  CHECK(watch.Next() == HealthCheckResponse::UNKNOWN);
  CHECK(watch.Finish().ok());
}

TEST_CASE_METHOD(HealthFixture, "watchers come and go while the status changes") {
  Latch stop;
  std::thread setter([&] {
    while (!stop.IsOpen()) {
      health_.SetAll(Status::kServing);
      health_.SetAll(Status::kNotServing);
    }
  });
  std::vector<std::thread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([this] {
      auto stub = Health::NewStub(server_.Connect());
      for (int i = 0; i < 50; ++i) {
        Watch watch(*stub, "");
        for (int reads = 0; reads < i % 4; ++reads) watch.Next();
        watch.Cancel();
        watch.Finish();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  stop.CountDown();
  setter.join();
  health_.Set("", Status::kServing);
  CHECK(Check("") == HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace kvs::rpc
