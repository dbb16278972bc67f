// A private key with its certificate and the CA that both sides trust: loaded and checked together.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>

namespace kvs {

// Three files in PEM form.
struct TlsFiles {
  std::string ca;           // The certificates of the CAs whose peers are trusted.
  std::string certificate;  // The own certificate, intermediate ones after it.
  std::string key;          // Its private key, without a passphrase.

  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

// The contents of such files, which belong together.
struct KeySet {
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
  std::string serial_number;  // Of the own certificate, hexadecimal.
  absl::Time not_after;       // When the own certificate expires.
};

// What a certificate must be good for; by default anything will do.
struct CertificateUse {
  bool by_server = false;    // It is shown to clients.
  bool by_client = false;    // It is shown to servers.
  std::string role;          // Of its identity (see identity.h); empty if it needs none.
  std::string trust_domain;  // The same.
};

// Reads the files and checks that the key is that of the certificate, that the certificate is valid at `now` and good
// for `use`, and that one of the CAs vouches for it. Errors name the file and the reason.
absl::StatusOr<KeySet> LoadKeySet(const TlsFiles& files, absl::Time now, const CertificateUse& use = {});

// The same for contents that were read before; `files` names them in errors.
absl::StatusOr<KeySet> CheckKeySet(const TlsFiles& files, const TlsFiles& contents, absl::Time now,
                                   const CertificateUse& use = {});

// The contents of the files, unchecked.
absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsFiles& files);

}  // namespace kvs
