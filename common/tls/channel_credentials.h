// gRPC channel credentials that check whom they talk to.
#pragma once

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "common/tls/identity.h"
#include "common/tls/key_set.h"

namespace kvs {

// What a client asks of a server's certificate, besides that a CA of ours vouches for it.
struct PeerCheck {
  // The name it must be for. Empty: the host of the address that is connected to.
  std::string server_name;
  // The role that its identity must have, such as kLedgerRole. Empty: it needs no identity.
  std::string role;
  // The trust domain of that identity.
  std::string trust_domain = std::string(kDefaultTrustDomain);
};

// Shows the certificate of `keys` and makes the checks before anything is sent. Calls over a connection that they
// refuse are UNAVAILABLE, with the reason in the message.
std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const KeySet& keys, const PeerCheck& check);

}  // namespace kvs
