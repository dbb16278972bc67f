#include "common/tls/channel_credentials.h"

#include <absl/strings/str_cat.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

#include "common/tls/certificate.h"

namespace kvs {
namespace {

using grpc::experimental::ExternalCertificateVerifier;
using grpc::experimental::TlsCustomVerificationCheckRequest;

class PeerVerifier final : public ExternalCertificateVerifier {
 public:
  explicit PeerVerifier(PeerCheck check) : check_(std::move(check)) {}

  bool Verify(TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)> /*callback*/,
              grpc::Status* sync_status) override {
    const grpc::string_ref pem = request->peer_cert();
    const grpc::string_ref target = request->target_name();
    const absl::Status status =
        Check(absl::string_view(pem.data(), pem.size()), std::string(target.data(), target.size()));
    if (!status.ok()) *sync_status = grpc::Status(grpc::UNAUTHENTICATED, std::string(status.message()));
    return true;
  }

  void Cancel(TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  absl::Status Check(absl::string_view pem, const std::string& target) const {
    const auto certificates = ParseCertificates(pem);
    if (!certificates.ok()) return certificates.status();
    const X509& certificate = *certificates->front();
    const std::string& name = check_.server_name.empty() ? target : check_.server_name;
    if (!IsForHost(certificate, name)) {
      return absl::UnauthenticatedError(absl::StrCat("the server's certificate is not for the name ", name));
    }
    if (check_.role.empty()) return absl::OkStatus();
    const auto identity = IdentityFromUris(UriNames(certificate), check_.trust_domain);
    if (!identity.ok()) return identity.status();
    if (identity->role == check_.role) return absl::OkStatus();
    return absl::UnauthenticatedError(absl::StrCat("the server is ", identity->uri, ", which has the role ",
                                                   identity->role, " and not ", check_.role));
  }

  const PeerCheck check_;
};

}  // namespace

std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const KeySet& keys, const PeerCheck& check) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      keys.ca_pem, std::vector<grpc::experimental::IdentityKeyCertPair>{{keys.key_pem, keys.certificate_pem}}));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(ExternalCertificateVerifier::Create<PeerVerifier>(check));
  // The verifier has checked the name. This other check would compare each call's host with the common name as well.
  options.set_check_call_host(false);
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace kvs
