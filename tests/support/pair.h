// Pair: txn_server and kvs_server in this process, on free ports of loopback, for tests of what users see.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/rpc/status.h"
#include "common/sync.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "kvs_server/server.h"
#include "tests/support/catch.h"
#include "tests/support/memory_txn_log.h"
#include "txn_server/server.h"

namespace kvs {

// How a server told that it must end.
class FatalEvent {
 public:
  void Set(ExitCode code, const absl::Status& status) {
    MutexLock lock(&mutex_);
    if (set_) return;
    set_ = true;
    code_ = code;
    status_ = status;
    changed_.SignalAll();
  }
  // Waits for it; fails the test after a generous time.
  std::pair<ExitCode, absl::Status> Wait() {
    MutexLock lock(&mutex_);
    while (!set_) {
      if (changed_.WaitWithTimeout(&mutex_, absl::Seconds(30)) && !set_) FAIL("the server did not end");
    }
    return {code_, status_};
  }
  bool happened() {
    MutexLock lock(&mutex_);
    return set_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ = false;
  ExitCode code_ = kExitClean;
  absl::Status status_;
};

// Blocks until health tells that `name` serves, or not.
inline void AwaitHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& name, bool serving) {
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

class Pair {
 public:
  Pair() {
    txn_config_.listen = {"127.0.0.1", 0};
    txn_config_.insecure = true;
    txn_config_.data_dir = "unused";
    txn_config_.drain_timeout = absl::Seconds(10);
    kvs_config_.listen = {"127.0.0.1", 0};
    kvs_config_.insecure = true;
    kvs_config_.insecure_ledger = true;
    kvs_config_.log.level = LogLevel::kError;
  }

  // Settings for the next start.
  txn::Config& txn_config() { return txn_config_; }
  server::Config& kvs_config() { return kvs_config_; }
  txn::MemoryTxnLog::Storage& storage() { return *storage_; }
  // Swaps the disk for another one; the ledger must be stopped.
  void ReplaceStorage(std::shared_ptr<txn::MemoryTxnLog::Storage> storage) { storage_ = std::move(storage); }

  // Another log than storage(), from the next start on.
  using OpenLog = std::function<std::unique_ptr<txn::TxnLog>()>;
  void UseLog(OpenLog open) { open_log_ = std::move(open); }
  // Another clock of kvs_server than the real one, from the next start on.
  void UseClock(std::function<absl::Time()> clock) { clock_ = std::move(clock); }

  void StartLedger() {
    auto started = txn::TxnServer::Start(txn_config_, open_log_(),
                                         [this](ExitCode code, const absl::Status& s) { ledger_fatal.Set(code, s); });
    INFO(started.status());
    REQUIRE(started.ok());
    ledger_ = *std::move(started);
    // The same port again after a restart, as in life.
    txn_config_.listen.port = static_cast<uint16_t>(ledger_->port());
    kvs_config_.ledger = {"127.0.0.1", static_cast<uint16_t>(ledger_->port())};
  }
  void StopLedger() { ledger_.reset(); }

  // Starts kvs_server without waiting for it.
  void StartKvs() {
    auto started = server::KvsServer::Start(
        kvs_config_, [this](ExitCode code, const absl::Status& s) { kvs_fatal.Set(code, s); }, clock_);
    INFO(started.status());
    REQUIRE(started.ok());
    kvs_ = *std::move(started);
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(kvs_->port()), grpc::InsecureChannelCredentials());
  }
  void StopKvs() { kvs_.reset(); }

  // Starts both and waits until mutations are accepted.
  Pair& Start() {
    StartLedger();
    StartKvs();
    AwaitWritable();
    return *this;
  }
  void AwaitServing() { AwaitHealth(channel_, "", true); }
  void AwaitWritable() { AwaitHealth(channel_, "kvs.write", true); }
  void AwaitNotWritable() { AwaitHealth(channel_, "kvs.write", false); }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  txn::TxnServer& ledger() { return *ledger_; }
  server::KvsServer& kvs() { return *kvs_; }

  FatalEvent kvs_fatal;
  FatalEvent ledger_fatal;

 private:
  txn::Config txn_config_;
  server::Config kvs_config_;
  std::shared_ptr<txn::MemoryTxnLog::Storage> storage_ = std::make_shared<txn::MemoryTxnLog::Storage>();
  std::function<absl::Time()> clock_ = absl::Now;
  OpenLog open_log_ = [this] { return std::make_unique<txn::MemoryTxnLog>(storage_); };
  std::unique_ptr<txn::TxnServer> ledger_;
  std::unique_ptr<server::KvsServer> kvs_;
  std::shared_ptr<grpc::Channel> channel_;
};

// One unary call, as (stub->*method)(context, request, response); its error keeps the ErrorInfo.
template <class Stub, class Request, class Response>
absl::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response* response, absl::Duration timeout = absl::Seconds(30)) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return rpc::FromGrpc((stub.*method)(&context, request, response));
}

}  // namespace kvs
