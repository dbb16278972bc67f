// Certificates and a small server for tests about TLS.
#pragma once

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <optional>
#include <string>

#include "common/files.h"
#include "common/tls/certificate.h"
#include "common/tls/credentials.h"
#include "common/tls/dev_certificates.h"
#include "common/tls/issue.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kvs {

// A CA in memory, which signs what a test asks for.
class TestCa {
 public:
  explicit TestCa(absl::Time now = absl::Now()) : now_(now) {
    auto issued = IssueCertificate({.common_name = "test CA",
                                    .is_ca = true,
                                    .not_before = now - absl::Hours(24 * 7),
                                    .not_after = now + absl::Hours(24 * 3650)},
                                   nullptr);
    REQUIRE(issued.ok());
    ca_ = *std::move(issued);
  }

  // Writes NAME.crt, NAME.key and ca.crt into `dir`. Valid for a day.
  TlsFiles Issue(const TempDir& dir, const std::string& name, const std::string& alternative_names) const {
    return Issue(dir, name,
                 {.alternative_names = alternative_names,
                  .for_servers = true,
                  .for_clients = true,
                  .not_before = now_ - absl::Hours(1),
                  .not_after = now_ + absl::Hours(24)});
  }
  TlsFiles Issue(const TempDir& dir, const std::string& name, CertificateRequest request) const {
    request.common_name = name;
    const auto issued = IssueCertificate(request, &ca_);
    REQUIRE(issued.ok());
    const TlsFiles files = DevTlsFiles(dir.path(), name);
    REQUIRE(WriteFileAtomically(files.ca, ToPem(*ca_.certificate), 0600).ok());
    REQUIRE(WriteFileAtomically(files.certificate, ToPem(*issued->certificate), 0600).ok());
    REQUIRE(WriteFileAtomically(files.key, ToPem(*issued->key), 0600).ok());
    return files;
  }

 private:
  const absl::Time now_;
  IssuedCertificate ca_;
};

inline constexpr char kServerNames[] = "DNS:localhost,IP:127.0.0.1,IP:::1,URI:spiffe://kvs/ledger/txn";

// Credentials that reload only when told to.
inline std::unique_ptr<ReloadingCredentials> Load(const TlsFiles& files) {
  auto credentials = ReloadingCredentials::Create(files, {.poll_interval = absl::InfiniteDuration()});
  INFO(credentials.status());
  REQUIRE(credentials.ok());
  return *std::move(credentials);
}

// Answers health checks, and keeps what it saw of the caller.
class TlsTestServer final : private ::grpc::health::v1::Health::Service {
 public:
  TlsTestServer(std::shared_ptr<grpc::ServerCredentials> credentials, const std::string& host) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(absl::StrCat(host, ":0"), std::move(credentials), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~TlsTestServer() override { server_->Shutdown(); }

  int port() const { return port_; }
  std::string Address(const std::string& host) const { return absl::StrCat(host, ":", port_); }

  // The last caller.
  absl::StatusOr<std::optional<Identity>> identity() const { return PeerIdentity(*context_, kDefaultTrustDomain); }
  const grpc::AuthContext& auth_context() const { return *context_; }

 private:
  grpc::Status Check(grpc::ServerContext* context, const ::grpc::health::v1::HealthCheckRequest*,
                     ::grpc::health::v1::HealthCheckResponse* response) override {
    context_ = context->auth_context();
    response->set_status(::grpc::health::v1::HealthCheckResponse::SERVING);
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::shared_ptr<const grpc::AuthContext> context_;
  std::unique_ptr<grpc::Server> server_;
};

// Makes one call. The serial number of the server's certificate goes to `serial`.
inline grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, std::string* serial = nullptr) {
  const auto stub = ::grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  ::grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, {}, &response);
  if (serial != nullptr && status.ok()) {
    const auto pem = context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    REQUIRE(pem.size() == 1);
    *serial = SerialNumber(*ParseCertificates(absl::string_view(pem[0].data(), pem[0].size()))->front());
  }
  return status;
}

}  // namespace kvs
