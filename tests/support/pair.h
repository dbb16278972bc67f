// Pair: txn_server and kvs_server in this process, on free ports of loopback, for tests of what users see.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/rpc/status.h"
#include "common/sync.h"
#include "kvs_server/server.h"
#include "tests/support/memory_txn_log.h"
#include "txn_server/server.h"

namespace kvs {

// How a server told that it must end.
class FatalEvent {
 public:
  void Set(ExitCode code, const absl::Status& status);
  // Waits for it; fails the test after a generous time.
  std::pair<ExitCode, absl::Status> Wait();
  bool happened();

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ = false;
  ExitCode code_ = kExitClean;
  absl::Status status_;
};

// Blocks until health tells that `name` serves, or not.
void AwaitHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& name, bool serving);

class Pair {
 public:
  Pair();

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

  void StartLedger();
  void StopLedger() { ledger_.reset(); }

  // Starts kvs_server without waiting for it.
  void StartKvs();
  void StopKvs() { kvs_.reset(); }

  // Starts both and waits until mutations are accepted.
  Pair& Start();
  void AwaitServing();
  void AwaitWritable();
  void AwaitNotWritable();

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  txn::TxnServer& ledger() { return *ledger_; }
  server::KvsServer& kvs() const { return *kvs_; }

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
