// Certificates for a pair on one machine or a test: a CA of its own, and what the servers and a client need.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <string>
#include <vector>

#include "common/tls/identity.h"
#include "common/tls/key_set.h"

namespace kvs {

struct DevCertificateOptions {
  // The name in the identity of client.crt. Empty: the user's login name ($USER), or "dev"; then an existing client.crt
  // of any name is kept.
  std::string client_name;
  // More client certificates: client-NAME.crt for each of these names.
  std::vector<std::string> clients;
  std::string trust_domain = std::string(kDefaultTrustDomain);
  // What counts as now.
  absl::Time now = absl::Now();
};

// What MakeDevCertificates did to each certificate.
struct DevCertificateReport {
  struct Entry {
    std::string file;    // Such as kvs.crt.
    bool made = false;   // Whether it was made, or left alone.
    std::string reason;  // Why it was made, for people.
  };
  std::vector<Entry> entries;

  // Whether any was made.
  bool changed() const;
};

// Makes in `directory` (created with mode 0700), each with its .key of mode 0600:
//   ca.crt       the CA, for 10 years
//   kvs.crt      kvs_server, spiffe://TRUST_DOMAIN/writer/kvs, towards clients and towards the ledger
//   txn.crt      txn_server, spiffe://TRUST_DOMAIN/ledger/txn
//   client.crt   a client, spiffe://TRUST_DOMAIN/client/NAME
// all for a year, those of the servers for localhost, kvs, txn, 127.0.0.1 and ::1. Keys are ECDSA P-256.
//
// What exists and is good stays. A certificate that is missing, damaged, without its key, of another CA or identity,
// not usable for what it is for, or within 30 days of its end is made anew by the same CA; a CA in that state, with
// everything. Only a readable ca.crt whose key is missing is an error where a certificate has to be made, since it may
// be somebody's own CA. A server's certificate that lacks one of the names is made anew only where the CA's key is
// there. Each file is replaced atomically; a second caller waits for the first. INVALID_ARGUMENT, before anything is
// made, if a name or the trust domain cannot be part of an identity.
absl::StatusOr<DevCertificateReport> MakeDevCertificates(const std::string& directory,
                                                         const DevCertificateOptions& options = {});

// The files of one certificate that it made, by name: "kvs", "txn", "client" or "client-NAME".
TlsFiles DevTlsFiles(const std::string& directory, const std::string& name);

}  // namespace kvs
