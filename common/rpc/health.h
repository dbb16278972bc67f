// HealthService: grpc.health.v1.Health, which load balancers, orchestrators and `kvs health` ask whether a server, or
// one of its services, can be used.
#pragma once

#include <absl/strings/string_view.h>

#include <map>
#include <set>
#include <string>

#include "common/rpc/service.h"
#include "common/sync.h"

namespace kvs::rpc {

// Check answers the status of a name, NOT_FOUND for one that was never set. Watch sends the status and then each
// change; a name that was never set is SERVICE_UNKNOWN until it is set. A watcher that reads slowly misses statuses in
// between, never the newest one. When the server drains, watchers get NOT_SERVING and their streams end.
//
// Thread-safety: Set and SetAll may be called from any thread.
class HealthService {
 public:
  enum class Status { kServing, kNotServing };

  // Knows one name, "", the server as a whole, which is not serving yet.
  HealthService();
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  // What to add to the server.
  Service& service() { return service_; }

  void Set(absl::string_view name, Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sets every name that was set before, "" included.
  void SetAll(Status status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Watcher;

  Service service_;

  Mutex mutex_;
  std::map<std::string, Status, std::less<>> statuses_ ABSL_GUARDED_BY(mutex_);
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs::rpc
