// What is wrong with a certificate, in words.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <vector>

#include "common/tls/openssl.h"

namespace kvs::cli {

// The certificates and the key of files; errors name the file.
absl::StatusOr<std::vector<X509Ptr>> ReadCertificates(const std::string& path);
absl::StatusOr<KeyPtr> ReadPrivateKey(const std::string& path);

// The authorities of a file; those that the system trusts if the path is empty.
absl::StatusOr<X509StorePtr> ReadAuthorities(const std::string& path);

std::string IssuerOf(const X509& certificate);

// The subject alternative names: DNS names, addresses and URIs.
std::vector<std::string> NamesOf(const X509& certificate);

// OK if `now` is within the validity; otherwise which end was missed and when that was.
absl::Status CheckValidity(const X509& certificate, absl::Time now);

// OK if the authorities vouch for the chain of a server, whose first certificate is the server's own.
absl::Status VerifyServerChain(X509_STORE& authorities, const std::vector<X509Ptr>& chain);

// "2026-01-31"
std::string FormatDay(absl::Time time);

}  // namespace kvs::cli
