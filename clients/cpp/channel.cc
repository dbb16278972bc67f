#include "clients/cpp/channel.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <fstream>
#include <iterator>
#include <string>

#include "common/errors.h"

namespace kvs::client {
namespace {

absl::StatusOr<std::string> ReadPem(absl::string_view option, const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty()) {
    return Error(errors::kInvalidCredentials, absl::StrCat("cannot read the ", option, " file ", path));
  }
  if (text.find("-----BEGIN ") == std::string::npos) {
    return Error(errors::kInvalidCredentials, absl::StrCat("the ", option, " file ", path, " is not in PEM form"));
  }
  return text;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const Options& options) {
  if (options.plaintext) return grpc::InsecureChannelCredentials();
  if (options.certificate.empty() != options.key.empty()) {
    return Error(errors::kInvalidCredentials, "a certificate needs its key, and a key its certificate");
  }
  const auto ca = ReadPem("ca", options.ca);
  if (!ca.ok()) return ca.status();
  const auto certificate = ReadPem("certificate", options.certificate);
  if (!certificate.ok()) return certificate.status();
  const auto key = ReadPem("key", options.key);
  if (!key.ok()) return key.status();
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
