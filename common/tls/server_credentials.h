// gRPC server credentials that ask for the key set at each handshake.
#pragma once

#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <vector>

#include "common/sync.h"
#include "common/tls/key_set_source.h"

namespace kvs {

// Whether callers must show a certificate. One that is shown must be good in any case.
enum class ClientAuth { kRequire, kOptional };

// C++ gRPC 1.51 has credentials with fixed keys, and ones that read files without checking whether they belong
// together. Below it the C library can fetch keys at each handshake; this class makes that usable from C++.
//
// The C library swaps the keys of a port without a lock against the port's other sockets. So each address that a host
// name stands for becomes a port of its own; accepts on one socket come one after the other. That needs
// GRPC_ARG_ALLOW_REUSEPORT to be off, since with it a port has several sockets.
//
// Must outlive the servers that it was given to.
class FetchingServerCredentials final : public grpc::ServerCredentials {
 public:
  // `source` outlives this.
  FetchingServerCredentials(const KeySetSource& source, ClientAuth client_auth)
      : source_(source), client_auth_(client_auth) {}
  ~FetchingServerCredentials() override;

  // Not supported: callers are known by their certificates.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>& processor) override;

 private:
  // What one port has fetched.
  struct Port {
    const KeySetSource* source;
    uint64_t generation;  // 0: nothing yet. Guarded by the C library, which fetches for one port at a time.
  };

  static grpc_ssl_certificate_config_reload_status Fetch(void* port, grpc_ssl_server_certificate_config** config);
  int AddPortToServer(const std::string& address, grpc_server* server) override;
  int AddNumericPort(const std::string& address, grpc_server* server);

  const KeySetSource& source_;
  const ClientAuth client_auth_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Port>> ports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs
