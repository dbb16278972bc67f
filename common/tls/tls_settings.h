// The settings about TLS that both servers have.
#pragma once

#include <absl/status/status.h>

#include <string>

#include "common/config/config_parser.h"
#include "common/tls/identity.h"
#include "common/tls/key_set.h"
#include "common/tls/server_credentials.h"

namespace kvs {

struct TlsSettings {
  TlsFiles files;
  std::string trust_domain = std::string(kDefaultTrustDomain);
  bool insecure = false;
  bool insecure_any_address = false;
};

// A section with --tls-ca, --tls-certificate, --tls-key, --trust-domain, --insecure and --insecure-any-address.
void AddTlsSettings(ConfigParser& parser, TlsSettings* settings);

// Adds --tls-client-auth to the section, for a server that can do without client certificates.
void AddClientAuthSetting(ConfigParser& parser, ClientAuth* client_auth);

// Refuses settings that make no sense together or would serve plaintext to other machines: neither or only some of the
// files without --insecure, files together with it, and --insecure on an address that is not loopback without
// --insecure-any-address. Errors name the flags.
absl::Status CheckTlsSettings(const TlsSettings& settings, const Address& listen);

}  // namespace kvs
