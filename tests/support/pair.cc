#include "tests/support/pair.h"

#include <chrono>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/catch.h"

namespace kvs {

void AwaitHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& name, bool serving) {
  using grpc::health::v1::HealthCheckResponse;
  for (int attempt = 0; attempt < 100; ++attempt) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(name);
    auto watch = grpc::health::v1::Health::NewStub(channel)->Watch(&context, request);
    HealthCheckResponse response;
    while (watch->Read(&response)) {
      if ((response.status() == HealthCheckResponse::SERVING) == serving) {
        context.TryCancel();
        watch->Finish();
        return;
      }
    }
    const grpc::Status status = watch->Finish();
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) break;
  }
  FAIL("health of \"" << name << "\" never became " << (serving ? "SERVING" : "NOT_SERVING"));
}

void FatalEvent::Set(ExitCode code, const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (set_) return;
  set_ = true;
  code_ = code;
  status_ = status;
  changed_.SignalAll();
}

std::pair<ExitCode, absl::Status> FatalEvent::Wait() {
  MutexLock lock(&mutex_);
  while (!set_) {
    if (changed_.WaitWithTimeout(&mutex_, absl::Seconds(30)) && !set_) FAIL("the server did not end");
  }
  return {code_, status_};
}

bool FatalEvent::happened() {
  MutexLock lock(&mutex_);
  return set_;
}

Pair::Pair() {
  txn_config_.listen = {"127.0.0.1", 0};
  txn_config_.insecure = true;
  txn_config_.data_dir = "unused";
  txn_config_.drain_timeout = absl::Seconds(10);
  kvs_config_.listen = {"127.0.0.1", 0};
  kvs_config_.insecure = true;
  kvs_config_.insecure_ledger = true;
  kvs_config_.log.level = LogLevel::kError;
}

void Pair::StartLedger() {
  auto started = txn::TxnServer::Start(txn_config_, open_log_(),
                                       [this](ExitCode code, const absl::Status& s) { ledger_fatal.Set(code, s); });
  INFO(started.status());
  REQUIRE(started.ok());
  ledger_ = *std::move(started);
  // The same port again after a restart, as in life.
  txn_config_.listen.port = static_cast<uint16_t>(ledger_->port());
  kvs_config_.ledger = {"127.0.0.1", static_cast<uint16_t>(ledger_->port())};
}

void Pair::StartKvs() {
  auto started = server::KvsServer::Start(
      kvs_config_, [this](ExitCode code, const absl::Status& s) { kvs_fatal.Set(code, s); }, clock_);
  INFO(started.status());
  REQUIRE(started.ok());
  kvs_ = *std::move(started);
  channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(kvs_->port()), grpc::InsecureChannelCredentials());
}

Pair& Pair::Start() {
  StartLedger();
  StartKvs();
  AwaitWritable();
  return *this;
}

void Pair::AwaitServing() { AwaitHealth(channel_, "", true); }
void Pair::AwaitWritable() { AwaitHealth(channel_, "kvs.write", true); }
void Pair::AwaitNotWritable() { AwaitHealth(channel_, "kvs.write", false); }

}  // namespace kvs
