#include "clients/cpp/channel.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <fstream>
#include <iterator>
#include <string>

#include "common/errors.h"
#include "common/tls/certificate.h"

namespace kvs::client {
namespace {

template <typename... Parts>
absl::Status Unusable(const Parts&... parts) {
  return Error(errors::kInvalidCredentials, absl::StrCat(parts...));
}

absl::StatusOr<std::string> ReadFile(absl::string_view option, const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty()) return Unusable("cannot read the ", option, " file ", path);
  return text;
}

// gRPC takes anything, and where it cannot use it, calls find no server.
absl::Status CheckAuthorities(const Options& options, const std::string& pem) {
  if (options.ca.empty()) return absl::OkStatus();
  const auto authorities = ParseCertificates(pem);
  if (!authorities.ok()) return Unusable("the ca file ", options.ca, " ", authorities.status().message());
  return absl::OkStatus();
}

absl::Status CheckPair(const Options& options, const std::string& certificate_pem, const std::string& key_pem) {
  if (options.certificate.empty()) return absl::OkStatus();
  const auto chain = ParseCertificates(certificate_pem);
  if (!chain.ok()) return Unusable("the certificate file ", options.certificate, " ", chain.status().message());
  const auto key = ParsePrivateKey(key_pem);
  if (!key.ok()) return Unusable("the key file ", options.key, " ", key.status().message());
  if (X509_check_private_key(chain->front().get(), key->get()) == 1) return absl::OkStatus();
  OpenSslError();
  return Unusable("the key file ", options.key, " does not belong to the certificate file ", options.certificate);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const Options& options) {
  if (options.plaintext) return grpc::InsecureChannelCredentials();
  if (options.certificate.empty() != options.key.empty()) {
    return Unusable("a certificate needs its key, and a key its certificate");
  }
  const auto ca = ReadFile("ca", options.ca);
  if (!ca.ok()) return ca.status();
  const auto certificate = ReadFile("certificate", options.certificate);
  if (!certificate.ok()) return certificate.status();
  const auto key = ReadFile("key", options.key);
  if (!key.ok()) return key.status();
  if (absl::Status status = CheckAuthorities(options, *ca); !status.ok()) return status;
  if (absl::Status status = CheckPair(options, *certificate, *key); !status.ok()) return status;
  return grpc::SslCredentials({.pem_root_certs = *ca, .pem_private_key = *key, .pem_cert_chain = *certificate});
}

grpc::ChannelArguments Arguments(ChannelUse use) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // What may be repeated is decided here, not by whoever answers for the domain's TXT records.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  if (use == ChannelUse::kLoad) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  }
  return arguments;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const Options& options, ChannelUse use) {
  const auto address = ServerAddress(options.address);
  if (!address.ok()) return address.status();
  const auto credentials = Credentials(options);
  if (!credentials.ok()) return credentials.status();
  return grpc::CreateCustomChannel(address->ToString(), *credentials, Arguments(use));
}

}  // namespace kvs::client
