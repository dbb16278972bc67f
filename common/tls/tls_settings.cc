#include "common/tls/tls_settings.h"

#include <absl/strings/str_cat.h>

namespace kvs {

void AddTlsSettings(ConfigParser& parser, TlsSettings* settings) {
  parser.AddSection("TLS");
  parser.AddPath(
      "tls-ca", &settings->files.ca,
      "The certificates, in PEM form, of the CAs that the certificates of peers must come from; the own one too. "
      "This file and the next two are looked at every second: renewed ones are used without a restart.");
  parser.AddPath("tls-certificate", &settings->files.certificate,
                 "The own certificate, in PEM form, intermediate ones after it.");
  parser.AddPath("tls-key", &settings->files.key, "The private key of it, in PEM form, without a passphrase.");
  parser.Add({.name = "trust-domain",
              .value_name = "NAME",
              .default_text = settings->trust_domain,
              .help = "The trust domain that identities must be of: the first part of the URI "
                      "spiffe://NAME/ROLE/NAME in certificates.",
              .set = [settings](absl::string_view text) {
                if (!IsTrustDomain(text)) {
                  return absl::InvalidArgumentError("expected lower-case letters, digits, '.', '-' and '_'");
                }
                settings->trust_domain = std::string(text);
                return absl::OkStatus();
              }});
  parser.AddSwitch("insecure", &settings->insecure,
                   "Speaks plaintext: everybody who can connect can read and write everything.");
  parser.AddSwitch("insecure-any-address", &settings->insecure_any_address,
                   "Lets --insecure listen on an address that other machines can reach.");
}

void AddClientAuthSetting(ConfigParser& parser, ClientAuth* client_auth) {
  parser.AddChoice<ClientAuth>("tls-client-auth", client_auth,
                               {{"require", ClientAuth::kRequire}, {"optional", ClientAuth::kOptional}},
                               "Whether clients must show a certificate. One that is shown must be good in any case; "
                               "a client without one is recorded as anonymous.");
}

absl::Status CheckTlsSettings(const TlsSettings& settings, const Address& listen) {
  const TlsFiles& files = settings.files;
  const bool any = !files.ca.empty() || !files.certificate.empty() || !files.key.empty();
  const bool all = !files.ca.empty() && !files.certificate.empty() && !files.key.empty();
  if (settings.insecure && any) {
    return absl::InvalidArgumentError(
        "--insecure contradicts --tls-ca, --tls-certificate and --tls-key; leave it or them away");
  }
  if (!settings.insecure && !all) {
    return absl::InvalidArgumentError(
        "TLS needs --tls-ca, --tls-certificate and --tls-key; for plaintext on this machine alone use --insecure");
  }
  if (settings.insecure && !settings.insecure_any_address && !IsLoopback(listen)) {
    return absl::InvalidArgumentError(absl::StrCat("--insecure on ", listen.ToString(),
                                                   " would serve plaintext to other machines; listen on 127.0.0.1, "
                                                   "or add --insecure-any-address if that is meant"));
  }
  return absl::OkStatus();
}

}  // namespace kvs
