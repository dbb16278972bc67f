// TxnServer: all parts of txn_server put together. The program and the integration tests run the same.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include <memory>

#include "common/exit_codes.h"
#include "common/rpc/health.h"
#include "common/rpc/reflection.h"
#include "common/rpc/server.h"
#include "common/tls/credentials.h"
#include "txn_server/api/ledger_service.h"
#include "txn_server/config.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

class TxnServer {
 public:
  // Called once, from any thread, when the log has failed and only a new process can know what is durable.
  using Fatal = absl::AnyInvocable<void(ExitCode, const absl::Status&)>;

  // Serves `log` on the address of `config`. REQUIRES: CheckConfig(config) is OK.
  static absl::StatusOr<std::unique_ptr<TxnServer>> Start(const Config& config, std::unique_ptr<TxnLog> log,
                                                          Fatal fatal);

  // Drains if that has not happened.
  ~TxnServer();

  int port() const { return server_->port(); }

  // Whether a server could start with these settings now, as far as that does not depend on the log. To be asked before
  // a log is opened, which makes one where there is none.
  static absl::Status CheckStart(const Config& config);

  // Ends streams, commits what is queued, and closes the log. Called once.
  void Drain();

 private:
  TxnServer(const Config& config, std::unique_ptr<TxnLog> log, Fatal fatal);

  absl::Status Listen();
  absl::Status CheckCaller(const grpc::ServerContext& context) const;

  const Config config_;
  const std::unique_ptr<TxnLog> log_;
  std::unique_ptr<ReloadingCredentials> credentials_;
  std::unique_ptr<rpc::Server> server_;
  rpc::HealthService health_;
  std::unique_ptr<rpc::ReflectionService> reflection_;
  std::unique_ptr<LedgerService> ledger_;
  bool listening_ = false;
  bool drained_ = false;
};

}  // namespace kvs::txn
