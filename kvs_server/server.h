// KvsServer: all parts of kvs_server put together. The program and the integration tests run the same.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <functional>
#include <memory>

#include "common/exit_codes.h"
#include "kvs_server/config.h"

namespace kvs::server {

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

  int port() const;

  // Refuses new calls, finishes those under way and what they wait for within the drain timeout, and closes the link.
  // False if the ledger has not confirmed every change by then. Called once.
  bool Drain();

 private:
  // The headers of all parts take long to compile, and nobody who runs the server needs them.
  class Parts;
  explicit KvsServer(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace kvs::server
