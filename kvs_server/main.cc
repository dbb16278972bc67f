// kvs_server: reads its settings, starts, waits for the end. Whatever is worth testing is in kvs_server/server.h.

#include <absl/synchronization/mutex.h>

#include <cstdio>

#include "common/exit_codes.h"
#include "common/logging/logging.h"
#include "common/process/file_limit.h"
#include "common/process/shutdown.h"
#include "kvs_server/config.h"
#include "kvs_server/server.h"

int main(int argc, char** argv) {
  using namespace kvs;
  // The Abseil of the distributions looks for deadlocks at every lock, which costs up to 3 % of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  server::Config config;
  if (const auto exit_code = server::MakeConfigParser(&config).ParseMain(argc, argv)) return *exit_code;
  if (const absl::Status status = server::CheckConfig(config); !status.ok()) {
    std::fprintf(stderr, "kvs_server: %s\n", std::string(status.message()).c_str());
    return kExitBadSettings;
  }
  Shutdown shutdown;
  InitLogging(config.log);
  RaiseFileLimit();
  auto server =
      server::KvsServer::Start(config, [&shutdown](ExitCode code, const absl::Status&) { shutdown.Request(code); });
  if (!server.ok()) {
    LogError("cannot start", {{"status", server.status()}});
    return kExitStartFailed;
  }
  const ExitCode code = shutdown.Wait();
  const bool is_durable = (*server)->Drain();
  return code == kExitClean && !is_durable ? kExitUnconfirmed : code;
}
