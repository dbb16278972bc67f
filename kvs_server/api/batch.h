// kvs.v1.Batch: many operations in one message.
#pragma once

#include <memory>

#include "common/rpc/service.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// The engine and the responder outlive the service.
std::unique_ptr<rpc::Service> MakeBatchService(Engine* engine, Responder* responder, const StoreOptions& options);

}  // namespace kvs::server
