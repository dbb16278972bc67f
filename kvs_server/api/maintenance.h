// kvs.v1.Maintenance: what operators ask the server about itself.
#pragma once

#include <absl/time/time.h>

#include <memory>
#include <string>

#include "common/rpc/service.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

struct MaintenanceOptions {
  std::string version;
  std::string ledger_address;
  absl::Time start_time;
};

// All pointers outlive the service.
std::unique_ptr<rpc::Service> MakeMaintenanceService(Engine* engine, Responder* responder, MaintenanceOptions options);

}  // namespace kvs::server
