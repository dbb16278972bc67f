// The six typed stores of the public API: adapters from requests to the engine, without state of their own.
#pragma once

#include <memory>
#include <vector>

#include "common/rpc/service.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// One service for each type, complete. The engine and the responder outlive them.
std::vector<std::unique_ptr<rpc::Service>> MakeStoreServices(Engine* engine, Responder* responder,
                                                             const StoreOptions& options);

}  // namespace kvs::server
