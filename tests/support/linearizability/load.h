// Concurrent clients that do a workload and write down what happened, while somebody else kills the servers.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <functional>

#include "clients/cpp/options.h"
#include "tests/support/linearizability/history.h"

namespace kvs::linearizability {

struct LoadOptions {
  client::Options server;
  uint32_t clients = 24;
  // How many calls are answered or of unknown outcome in the end; those that were refused come on top.
  uint64_t calls = 0;
  uint64_t seed = 0;
  // Called now and then with how many there are.
  std::function<void(uint64_t calls)> on_progress;
};

// Each client has a connection of its own and makes one call after the other; what is to make outcomes unknown is
// besides servers that die: some calls are cancelled a little later, some have a deadline that is hard to meet, and
// the client goes on with another call at once, or sends the same again if it has a request_id.
//
// One thread does all of it: the order in which it takes events is the order of the times in the history.
absl::StatusOr<History> RunLoad(const LoadOptions& options);

}  // namespace kvs::linearizability
