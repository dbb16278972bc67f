// What a certificate says, and what is wrong with it, in words.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

namespace kvs::cli {

template <auto kFree>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using X509Ptr = std::unique_ptr<X509, OpenSslFree<X509_free>>;
using X509StorePtr = std::unique_ptr<X509_STORE, OpenSslFree<X509_STORE_free>>;
using PrivateKeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;

// The certificates of a PEM file, at least one, the first of which is the one that the others vouch for.
absl::StatusOr<std::vector<X509Ptr>> ReadCertificates(const std::string& path);

absl::StatusOr<PrivateKeyPtr> ReadPrivateKey(const std::string& path);

// The authorities of a PEM file; those that the system trusts if the path is empty.
absl::StatusOr<X509StorePtr> ReadAuthorities(const std::string& path);

std::string SubjectOf(const X509& certificate);
std::string IssuerOf(const X509& certificate);

// The subject alternative names: DNS names, addresses and URIs.
std::vector<std::string> NamesOf(const X509& certificate);

absl::Time NotAfter(const X509& certificate);

// OK if `now` is within the validity; otherwise which end was missed and when that was.
absl::Status CheckValidity(const X509& certificate, absl::Time now);

// Whether a connection to `host`, a name or an IP address, may be answered with this certificate.
bool MatchesHost(const X509& certificate, const std::string& host);

// OK if the authorities vouch for the chain of a server, whose first certificate is the server's own.
absl::Status VerifyServerChain(X509_STORE& authorities, const std::vector<X509Ptr>& chain);

// "2026-01-31"
std::string FormatDay(absl::Time time);

}  // namespace kvs::cli
