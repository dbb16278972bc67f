// Keys.List and Keys.Scan: streams of what a view of the store shows.
#pragma once

#include "common/rpc/service.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// Adds both to the service Keys. The engine and the responder outlive it.
void AddScans(rpc::Service* service, Engine* engine, Responder* responder);

}  // namespace kvs::server
