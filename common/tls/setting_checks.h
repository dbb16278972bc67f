// What the settings about TLS of both servers have to be. Errors are InvalidArgument and name the flags.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include "common/config/address.h"
#include "common/tls/key_set.h"

namespace kvs {

// --tls-ca, --tls-certificate and --tls-key, all of which TLS needs.
absl::Status CheckTlsFilesAreSet(const TlsFiles& files);

// --trust-domain.
absl::Status CheckTrustDomain(absl::string_view trust_domain);

// Refuses an address beyond loopback. `what` begins the error: the flag, and what it would do with plaintext there.
absl::Status CheckPlaintextStaysHere(absl::string_view what, const Address& address);

}  // namespace kvs
