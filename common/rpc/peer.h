// The other end of a connection.
#pragma once

#include <string>

namespace kvs::rpc {

// How grpc::ServerContext::peer names the other end of the connection that is this socket; empty if it is none.
std::string PeerOf(int fd);

}  // namespace kvs::rpc
