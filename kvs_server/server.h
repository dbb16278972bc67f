// KvsServer: all parts of kvs_server put together. The program and the integration tests run the same.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <vector>

#include "common/exit_codes.h"
#include "common/rpc/health.h"
#include "common/rpc/reflection.h"
#include "common/rpc/server.h"
#include "common/tls/credentials.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/config.h"
#include "kvs_server/engine/engine.h"
#include "kvs_server/expirer.h"
#include "kvs_server/journal/journal.h"
#include "kvs_server/journal/ledger_link.h"
#include "kvs_server/store/store.h"

namespace kvs::server {

// Beside the services, health knows this name: SERVING while mutations are accepted.
inline constexpr absl::string_view kWriteHealth = "kvs.write";

class KvsServer {
 public:
  // Called once, from any thread, when the server can only end: fenced, another writer is active, not permitted, data
  // loss.
  using Fatal = absl::AnyInvocable<void(ExitCode, const absl::Status&)>;

  // Opens the port, answers calls, and begins to look for the ledger, if there is to be one. `clock` is what
  // JournalOptions says of it. REQUIRES: CheckConfig(config) is OK.
  static absl::StatusOr<std::unique_ptr<KvsServer>> Start(const Config& config, Fatal fatal,
                                                          std::function<absl::Time()> clock = absl::Now);

  // Drains if that has not happened.
  ~KvsServer();

  int port() const { return server_->port(); }

  // Refuses new calls, finishes those under way and what they wait for within the drain timeout, and closes the link.
  // Called once.
  void Drain();

 private:
  KvsServer(const Config& config, Fatal fatal, std::function<absl::Time()> clock);

  absl::Status LoadCredentials();
  absl::Status Listen();
  void MakeServices();
  void ConnectLedger();
  void ServeWithoutLedger();
  void OnReplayed();
  void WarnIfOverLimits();
  void OnLinkState(LedgerState state);
  void OnFatal(const absl::Status& status);
  absl::StatusOr<std::string> ActorOf(const grpc::ServerContext& context) const;

  const Config config_;
  Fatal fatal_;
  const std::function<absl::Time()> clock_;
  const absl::Time start_time_;
  std::unique_ptr<ReloadingCredentials> credentials_;
  std::unique_ptr<rpc::Server> server_;
  Store store_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Expirer> expirer_;
  std::unique_ptr<Responder> responder_;
  rpc::HealthService health_;
  std::unique_ptr<rpc::ReflectionService> reflection_;
  std::vector<std::unique_ptr<rpc::Service>> services_;
  std::unique_ptr<LedgerLink> link_;  // null without a ledger
  bool is_running_ = false;
};

}  // namespace kvs::server
