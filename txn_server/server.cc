#include "txn_server/server.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <string>
#include <utility>

#include "common/config/version.h"
#include "common/errors.h"
#include "common/limits.h"
#include "common/logging/logging.h"
#include "common/rpc/listen_address.h"
#include "common/tls/identity.h"
#include "common/tls/key_set.h"

namespace kvs::txn {
namespace {

CertificateUse UseOfCertificate(const Config& config) {
  return {.by_server = true, .role = std::string(kLedgerRole), .trust_domain = config.trust_domain};
}

}  // namespace

TxnServer::TxnServer(const Config& config, std::unique_ptr<TxnLog> log, Fatal fatal)
    : config_(config), log_(std::move(log)) {
  LedgerServiceOptions options;
  options.version = std::string(Version());
  options.writer_timeout = config_.writer_timeout;
  ledger_ = std::make_unique<LedgerService>(
      options, log_.get(), [this](const grpc::ServerContext& context) { return CheckCaller(context); },
      [fatal = std::move(fatal)](const absl::Status& status) mutable { fatal(kExitLogFailed, status); });
}

absl::Status TxnServer::CheckStart(const Config& config) {
  if (!config.insecure) {
    const auto keys = LoadKeySet(config.tls, absl::Now(), UseOfCertificate(config));
    if (!keys.ok()) return keys.status();
  }
  return rpc::CheckListenAddress(config.listen.ToString());
}

absl::StatusOr<std::unique_ptr<TxnServer>> TxnServer::Start(const Config& config, std::unique_ptr<TxnLog> log,
                                                            Fatal fatal) {
  std::unique_ptr<TxnServer> server(new TxnServer(config, std::move(log), std::move(fatal)));
  if (!config.insecure) {
    ReloadOptions options;
    options.use = UseOfCertificate(config);
    auto credentials = ReloadingCredentials::Create(config.tls, std::move(options));
    if (!credentials.ok()) return credentials.status();
    server->credentials_ = *std::move(credentials);
  }
  if (absl::Status status = server->Listen(); !status.ok()) return status;
  return server;
}

absl::Status TxnServer::CheckCaller(const grpc::ServerContext& context) const {
  if (config_.insecure) return absl::OkStatus();
  const auto identity = PeerIdentity(*context.auth_context(), config_.trust_domain);
  if (!identity.ok()) return identity.status();
  if (*identity && (*identity)->role == kWriterRole) return absl::OkStatus();
  const std::string who = *identity ? (*identity)->uri : "a caller without a certificate";
  return Error(errors::kNotPermitted, absl::StrCat("only the role \"writer\" may read or write the ledger, not ", who),
               {{"identity", who}});
}

absl::Status TxnServer::Listen() {
  rpc::ServerOptions options;
  options.address = config_.listen.ToString();
  options.credentials =
      config_.insecure ? grpc::InsecureServerCredentials() : credentials_->Server(ClientAuth::kRequire);
  options.max_receive_bytes = static_cast<int>(kMaxFrameBytes + kMiB);
  server_ = std::make_unique<rpc::Server>(options);
  rpc::Service& service = ledger_->service();
  reflection_ = std::make_unique<rpc::ReflectionService>(std::vector<std::string>{std::string(service.name())});
  server_->Add(&service);
  server_->Add(&health_.service());
  for (rpc::Service* reflection : reflection_->services()) server_->Add(reflection);
  if (absl::Status status = server_->Listen(); !status.ok()) return status;
  listening_ = true;
  health_.Set(service.name(), rpc::HealthService::Status::kServing);
  health_.SetAll(rpc::HealthService::Status::kServing);
  server_->Run();
  const LogPosition position = log_->position();
  LogInfo("listening", {{"address", Address{config_.listen.host, static_cast<uint16_t>(port())}.ToString()},
                        {"tls", !config_.insecure},
                        {"ledger", log_->backend()},
                        {"epoch", position.epoch},
                        {"durable_revision", position.durable_revision}});
  return absl::OkStatus();
}

void TxnServer::Drain() {
  drained_ = true;
  health_.SetAll(rpc::HealthService::Status::kNotServing);
  server_->Drain(config_.drain_timeout);
  server_->Stop();
  ledger_.reset();
  if (absl::Status status = log_->Close(); !status.ok()) LogWarn("the log was not closed", {{"status", status}});
  LogInfo("drained", {{"durable_revision", log_->position().durable_revision}});
}

TxnServer::~TxnServer() {
  if (listening_ && !drained_) Drain();
}

}  // namespace kvs::txn
