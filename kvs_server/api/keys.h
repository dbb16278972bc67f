// kvs.v1.Keys: what crosses types.
#pragma once

#include <memory>

#include "common/rpc/service.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// The engine and the responder outlive the service.
std::unique_ptr<rpc::Service> MakeKeysService(Engine* engine, Responder* responder);

}  // namespace kvs::server
