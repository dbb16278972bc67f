// txn_server: reads its settings, opens the ledger, serves it, waits for the end; or copies a ledger. Whatever is worth
// testing is in txn_server/server.h and txn_server/copy_command.h.

#include <absl/synchronization/mutex.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>

#include "common/errors.h"
#include "common/exit_codes.h"
#include "common/logging/logging.h"
#include "common/process/file_limit.h"
#include "common/process/shutdown.h"
#include "txn_server/config.h"
#include "txn_server/copy_command.h"
#include "txn_server/log/postgres/postgres_txn_log.h"
#include "txn_server/open_txn_log.h"
#include "txn_server/server.h"

namespace kvs::txn {
namespace {

// How long what is being written may take once calls have ended.
constexpr absl::Duration kForceAfterDrain = absl::Seconds(5);

ExitCode ExitCodeFor(const absl::Status& status) { return absl::IsDataLoss(status) ? kExitDataLoss : kExitStartFailed; }

void WarnOfExposedPassword(const std::string& config_path) {
  if (!ExposesPassword(config_path)) return;
  LogWarn(
      "every user of this machine can read the password in the settings file: take the right to read it from others",
      {{"path", config_path}});
}

// `txn_server migrate`: makes the tables of the PostgreSQL ledger, with the rights of their owner, and ends.
ExitCode MigrateMain(const Config& config) {
  if (const absl::Status status = MigratePostgres(config.postgres_url); !status.ok()) {
    LogError("cannot make the tables", {{"status", status}});
    return kExitStartFailed;
  }
  LogInfo("the tables are up to date");
  return kExitClean;
}

int Main(int argc, char** argv) {
  // The Abseil of the distributions looks for deadlocks at every lock, which costs up to 3 % of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (argc > 1 && std::strcmp(argv[1], "copy") == 0) return RunCopy(argc - 1, argv + 1, std::cout, std::cerr);
  const bool migrate = argc > 1 && absl::string_view(argv[1]) == "migrate";
  if (migrate) {
    --argc;
    ++argv;
  }
  Config config;
  if (const absl::Status status = CheckNoPassword(absl::MakeConstSpan(argv + 1, argc - 1)); !status.ok()) {
    std::fprintf(stderr, "txn_server: %s\n", std::string(status.message()).c_str());
    return kExitBadSettings;
  }
  ConfigParser parser = MakeConfigParser(&config);
  if (const auto exit_code = parser.ParseMain(argc, argv)) return *exit_code;
  if (migrate) {
    InitLogging(config.log);
    WarnOfExposedPassword(parser.config_path());
    return MigrateMain(config);
  }
  if (const absl::Status status = CheckConfig(config); !status.ok()) {
    std::fprintf(stderr, "txn_server: %s\n", std::string(status.message()).c_str());
    return kExitBadSettings;
  }
  Shutdown shutdown;
  InitLogging(config.log);
  RaiseFileLimit();
  WarnOfExposedPassword(parser.config_path());
  if (const absl::Status status = TxnServer::CheckStart(config); !status.ok()) {
    LogError("cannot start", {{"status", status}});
    return kExitStartFailed;
  }
  auto log = OpenTxnLog(config);
  if (!log.ok()) {
    LogError("cannot open the ledger", {{"status", log.status()}});
    return ExitCodeFor(log.status());
  }
  auto server = TxnServer::Start(config, *std::move(log),
                                 [&shutdown](ExitCode code, const absl::Status&) { shutdown.Request(code); });
  if (!server.ok()) {
    LogError("cannot start", {{"status", server.status()}});
    return kExitStartFailed;
  }
  const ExitCode code = shutdown.Wait();
  // A database that is locked, or a disk that hangs, lets nobody stop waiting for it.
  Shutdown::ForceAfter(config.drain_timeout + kForceAfterDrain);
  (*server)->Drain();
  return code;
}

}  // namespace
}  // namespace kvs::txn

int main(int argc, char** argv) { return kvs::txn::Main(argc, argv); }
