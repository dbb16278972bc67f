#include "kvs_server/server.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/create_channel.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/config/version.h"
#include "common/errors.h"
#include "common/logging/logging.h"
#include "common/rpc/health.h"
#include "common/rpc/reflection.h"
#include "common/rpc/server.h"
#include "common/tls/credentials.h"
#include "common/tls/identity.h"
#include "kvs_server/api/batch.h"
#include "kvs_server/api/keys.h"
#include "kvs_server/api/maintenance.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/api/stores.h"
#include "kvs_server/engine/engine.h"
#include "kvs_server/expirer.h"
#include "kvs_server/journal/journal.h"
#include "kvs_server/journal/ledger_link.h"
#include "kvs_server/store/parallel_apply.h"
#include "kvs_server/store/store.h"

namespace kvs::server {
namespace {

// Beside the services, health knows this name: SERVING while mutations are accepted.
constexpr absl::string_view kWriteHealth = "kvs.write";

// What is kept of the drain for telling callers how their calls ended, before the rest is cut.
constexpr double kDrainShareForAnswers = 0.9;

// How often the ledger is pinged, and how long it may take to answer.
constexpr int kKeepaliveMillis = 5000;

// How often a drain looks whether the ledger has all changes.
constexpr absl::Duration kDrainPoll = absl::Milliseconds(10);

// More would wait for the one that reads what the ledger sends.
constexpr size_t kMaxReplayThreads = 4;

size_t ReplayThreads() { return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMaxReplayThreads); }

std::string WriterName() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, ":", getpid());
}

grpc::ChannelArguments LedgerChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kMaxFrameBytes + kMiB));
  arguments.SetMaxSendMessageSize(static_cast<int>(kMaxFrameBytes + kMiB));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A connection that a firewall has forgotten looks alive: only a ping that stays unanswered makes room for a new one.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return arguments;
}

ExitCode ExitCodeFor(const absl::Status& status) {
  if (Is(status, errors::kWriterActive)) return kExitWriterActive;
  if (Is(status, errors::kFenced)) return kExitFenced;
  if (absl::IsPermissionDenied(status)) return kExitNotPermitted;
  return kExitDataLoss;
}

}  // namespace

class KvsServer::Parts {
 public:
  Parts(const Config& config, Fatal fatal, std::function<absl::Time()> clock)
      : config_(config),
        fatal_(std::move(fatal)),
        clock_(std::move(clock)),
        start_time_(absl::Now()),
        store_(config.shards, {{config.max_memory_bytes, config.max_keys, config.memory_policy},
                               {config.max_scan_bytes, config.scan_idle_timeout},
                               {config.request_window_count, absl::ToInt64Microseconds(config.request_window_age)}}) {}
  ~Parts() {
    if (is_running_) Drain();
  }

  absl::Status LoadCredentials();
  absl::Status Listen();
  int port() const { return server_->port(); }
  bool Drain();

 private:
  bool AwaitLedger(absl::Time deadline) const;
  void MakeServices();
  void ConnectLedger();
  void ServeWithoutLedger();
  void OnReplayed();
  void WarnIfOverLimits();
  void OnLinkState(LedgerState state);
  void OnFatal(const absl::Status& status);
  absl::StatusOr<std::string> ActorOf(const grpc::ServerContext& context) const;

  const Config config_;
  Fatal fatal_;
  const std::function<absl::Time()> clock_;
  const absl::Time start_time_;
  std::unique_ptr<ReloadingCredentials> credentials_;
  std::unique_ptr<rpc::Server> server_;
  Store store_;
  std::unique_ptr<ParallelApply> replay_;  // as long as there is one
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Expirer> expirer_;
  std::unique_ptr<Responder> responder_;
  rpc::HealthService health_;
  std::unique_ptr<rpc::ReflectionService> reflection_;
  std::vector<std::unique_ptr<rpc::Service>> services_;
  std::unique_ptr<LedgerLink> link_;  // null without a ledger
  bool is_running_ = false;
};

absl::Status KvsServer::Parts::LoadCredentials() {
  if (config_.insecure && !config_.NeedsLedgerTls()) return absl::OkStatus();
  ReloadOptions options;
  options.use.by_server = !config_.insecure;
  if (config_.NeedsLedgerTls()) {
    options.use.by_client = true;
    options.use.role = std::string(kWriterRole);
    options.use.trust_domain = config_.trust_domain;
  }
  auto credentials = ReloadingCredentials::Create(config_.tls, std::move(options));
  if (!credentials.ok()) return credentials.status();
  credentials_ = *std::move(credentials);
  return absl::OkStatus();
}

absl::StatusOr<std::string> KvsServer::Parts::ActorOf(const grpc::ServerContext& context) const {
  if (config_.insecure) return std::string();
  auto identity = PeerIdentity(*context.auth_context(), config_.trust_domain);
  if (!identity.ok()) return identity.status();
  return *identity ? (*identity)->uri : std::string();
}

absl::Status KvsServer::Parts::Listen() {
  rpc::ServerOptions options;
  options.address = config_.listen.ToString();
  options.event_loops = static_cast<int>(config_.event_loops);
  options.max_receive_bytes = static_cast<int>(kMaxRequestBytes);
  options.credentials =
      config_.insecure
          ? grpc::InsecureServerCredentials()
          : credentials_->Server(config_.require_client_certificate ? ClientAuth::kRequire : ClientAuth::kOptional);
  server_ = std::make_unique<rpc::Server>(options);
  // The loops exist once the port is open, and the services are needed to open it: they get the journal through the
  // responder, which is asked only when calls arrive.
  MakeServices();
  if (absl::Status status = server_->Listen(); !status.ok()) return status;
  expirer_ = std::make_unique<Expirer>(engine_.get(), &server_->loop());
  if (config_.has_ledger) ConnectLedger();
  server_->Run();
  is_running_ = true;
  if (link_) {
    link_->Start();
  } else {
    ServeWithoutLedger();
  }
  LogInfo("listening", {{"address", Address{config_.listen.host, static_cast<uint16_t>(port())}.ToString()},
                        {"tls", !config_.insecure}});
  return absl::OkStatus();
}

void KvsServer::Parts::MakeServices() {
  JournalOptions journal_options;
  journal_options.is_volatile = !config_.has_ledger;
  journal_options.max_pending_bytes = config_.max_pending_bytes;
  journal_options.max_waiting_replies = config_.max_waiting_replies;
  journal_options.max_commit_wait = config_.max_commit_wait;
  journal_options.clock = clock_;
  journal_ = std::make_unique<Journal>(journal_options);
  engine_ = std::make_unique<Engine>(&store_, journal_.get());
  responder_ = std::make_unique<Responder>(journal_.get(),
                                           [this](const grpc::ServerContext& context) { return ActorOf(context); });
  const StoreOptions store_options{config_.max_collection_bytes};
  services_ = MakeStoreServices(engine_.get(), responder_.get(), store_options);
  services_.push_back(MakeBatchService(engine_.get(), responder_.get(), store_options));
  services_.push_back(MakeKeysService(engine_.get(), responder_.get()));
  services_.push_back(MakeMaintenanceService(
      engine_.get(), responder_.get(),
      MaintenanceOptions{std::string(Version()), config_.has_ledger ? config_.ledger.ToString() : "", start_time_}));
  std::vector<std::string> names;
  for (const auto& service : services_) {
    server_->Add(service.get());
    names.emplace_back(service->name());
    health_.Set(service->name(), rpc::HealthService::Status::kNotServing);
  }
  health_.Set(kWriteHealth, rpc::HealthService::Status::kNotServing);
  reflection_ = std::make_unique<rpc::ReflectionService>(names);
  server_->Add(&health_.service());
  for (rpc::Service* service : reflection_->services()) server_->Add(service);
}

void KvsServer::Parts::ConnectLedger() {
  LedgerLinkOptions options;
  options.writer_name = WriterName();
  options.take_over_epoch = config_.take_over;
  std::function<std::shared_ptr<grpc::ChannelCredentials>()> credentials;
  if (config_.insecure_ledger) {
    credentials = [] { return grpc::InsecureChannelCredentials(); };
  } else {
    PeerCheck check;
    check.role = std::string(kLedgerRole);
    check.trust_domain = config_.trust_domain;
    credentials = [this, check] { return credentials_->Channel(check); };
  }
  ChannelSource channel = [this, credentials = std::move(credentials)] {
    return grpc::CreateCustomChannel(config_.ledger.ToString(), credentials(), LedgerChannelArguments());
  };
  replay_ = std::make_unique<ParallelApply>(&store_, ReplayThreads());
  LedgerLinkEvents events;
  events.apply = [this](const std::shared_ptr<const void>& message, ParallelApply::Read read) {
    return replay_->Apply(message, read);
  };
  events.finish_apply = [this] { return replay_->Finish(); };
  events.remember = [this](const RememberedRequest& request) { store_.requests().Add(request); };
  events.clear = [this] { store_.Clear(); };
  events.replayed = [this] { OnReplayed(); };
  events.state_changed = [this](LedgerState state) { OnLinkState(state); };
  events.fatal = [this](const absl::Status& status) { OnFatal(status); };
  journal_->SetLoop(&server_->loop());
  link_ =
      std::make_unique<LedgerLink>(options, std::move(channel), &server_->loop(), journal_.get(), std::move(events));
}

void KvsServer::Parts::ServeWithoutLedger() {
  LogWarn("there is no ledger: everything is forgotten when this server stops", {{"ledger", "none"}});
  health_.SetAll(rpc::HealthService::Status::kServing);
  expirer_->Start();
}

void KvsServer::Parts::OnReplayed() {
  replay_.reset();
  LogInfo("serving", {{"revision", journal_->durable_revision()}, {"after", absl::Now() - start_time_}});
  WarnIfOverLimits();
  if (responder_->draining()) return;
  expirer_->Start();
  health_.SetAll(rpc::HealthService::Status::kServing);
  health_.Set(kWriteHealth, rpc::HealthService::Status::kNotServing);
}

void KvsServer::Parts::WarnIfOverLimits() {
  const UsageLimits& limits = store_.usage().limits();
  const Size used = store_.usage().total();
  const auto warn = [](absl::string_view what, int64_t value, uint64_t limit, absl::string_view flag) {
    if (limit == 0 || value <= static_cast<int64_t>(limit)) return;
    LogWarn("the ledger holds more than there may be: nothing grows until there is room",
            {{what, value}, {"limit", limit}, {"flag", flag}});
  };
  warn("bytes", used.bytes, limits.max_memory_bytes, "--max-memory");
  warn("keys", used.keys, limits.max_keys, "--max-keys");
}

void KvsServer::Parts::OnLinkState(LedgerState state) {
  if (responder_->draining()) return;
  const bool writable = IsWritable(state) && journal_->replayed();
  health_.Set(kWriteHealth, writable ? rpc::HealthService::Status::kServing : rpc::HealthService::Status::kNotServing);
  // Memory may be the only good copy then; nobody should be sent here for anything but saving it.
  if (state == LedgerState::kDataLoss) health_.Set("", rpc::HealthService::Status::kNotServing);
}

void KvsServer::Parts::OnFatal(const absl::Status& status) {
  LogError("cannot go on as the writer of the ledger", {{"status", status}});
  if (fatal_) std::exchange(fatal_, nullptr)(ExitCodeFor(status), status);
}

// Whether every change is durable. What no caller waits for any more may still get there.
bool KvsServer::Parts::AwaitLedger(absl::Time deadline) const {
  while (true) {
    const JournalStatus status = journal_->status();
    if (status.durable_revision >= status.latest_revision) return true;
    if (IsFinal(status.state) || absl::Now() >= deadline) return false;
    absl::SleepFor(kDrainPoll);
  }
}

bool KvsServer::Parts::Drain() {
  const absl::Time deadline = absl::Now() + config_.drain_timeout;
  is_running_ = false;
  responder_->Drain();
  expirer_->Stop();
  health_.SetAll(rpc::HealthService::Status::kNotServing);
  server_->loop().Post([this] {
    server_->loop().RunAfter(config_.drain_timeout * kDrainShareForAnswers, [this] { journal_->Abandon(); });
  });
  server_->Drain(config_.drain_timeout);
  const bool is_durable = AwaitLedger(deadline);
  if (link_) link_->Stop();
  server_->Stop();
  const JournalStatus status = journal_->status();
  if (!is_durable) {
    LogWarn("stopped with changes that the ledger has not confirmed, and that may be lost",
            {{"first_revision", status.durable_revision + 1}, {"last_revision", status.latest_revision}});
  }
  LogInfo("drained", {{"durable_revision", status.durable_revision}});
  return is_durable;
}

KvsServer::KvsServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

KvsServer::~KvsServer() = default;

absl::StatusOr<std::unique_ptr<KvsServer>> KvsServer::Start(const Config& config, Fatal fatal,
                                                            std::function<absl::Time()> clock) {
  auto parts = std::make_unique<Parts>(config, std::move(fatal), std::move(clock));
  if (absl::Status status = parts->LoadCredentials(); !status.ok()) return status;
  if (absl::Status status = parts->Listen(); !status.ok()) return status;
  return std::unique_ptr<KvsServer>(new KvsServer(std::move(parts)));
}

int KvsServer::port() const { return parts_->port(); }

bool KvsServer::Drain() { return parts_->Drain(); }

}  // namespace kvs::server
