#pragma once

namespace kvs {

// Sends gRPC's own messages to our log. Its errors become warnings, since they are about single connections (a peer
// that speaks no TLS, a refused certificate). What GRPC_VERBOSITY asks for beyond errors is written at level debug.
void RouteGrpcLog();

}  // namespace kvs
