#include "kvs_server/api/maintenance.h"

#include <absl/strings/escaping.h>

#include <utility>

#include "common/rpc/status.h"
#include "kvs/v1/maintenance.pb.h"
#include "kvs_server/api/request_checks.h"

namespace kvs::server {
namespace {

namespace v1 = ::kvs::v1;

v1::LedgerState LedgerStateOf(LedgerState state) {
  switch (state) {
    case LedgerState::kWaiting:
      return v1::LEDGER_STATE_AWAY;
    case LedgerState::kReplaying:
    case LedgerState::kConnected:
      return v1::LEDGER_STATE_CONNECTED;
    case LedgerState::kReconnecting:
      return v1::LEDGER_STATE_RECONNECTING;
    case LedgerState::kAway:
      return v1::LEDGER_STATE_AWAY;
    case LedgerState::kReadOnly:
      return v1::LEDGER_STATE_READ_ONLY;
    case LedgerState::kRefused:
      return v1::LEDGER_STATE_REFUSED;
    case LedgerState::kFenced:
      return v1::LEDGER_STATE_FENCED;
    case LedgerState::kDataLoss:
      return v1::LEDGER_STATE_DATA_LOSS;
    case LedgerState::kNone:
      return v1::LEDGER_STATE_NONE;
  }
  return v1::LEDGER_STATE_UNSPECIFIED;
}

v1::ServerState ServerStateOf(const Responder& responder, const JournalStatus& status) {
  if (responder.draining()) return v1::SERVER_STATE_DRAINING;
  if (responder.journal().replayed()) return v1::SERVER_STATE_SERVING;
  if (status.state == LedgerState::kReplaying) return v1::SERVER_STATE_REPLAYING;
  return v1::SERVER_STATE_WAITING_FOR_LEDGER;
}

void FillLedger(const JournalStatus& status, const std::string& address, v1::LedgerStatus* ledger) {
  ledger->set_state(LedgerStateOf(status.state));
  ledger->set_address(address);
  ledger->set_log_id(absl::BytesToHexString(status.log_id));
  if (status.state != LedgerState::kNone) ledger->set_epoch(status.epoch);
  ledger->set_latest_revision(status.latest_revision);
  ledger->set_durable_revision(status.durable_revision);
  ledger->set_pending_bytes(status.pending_bytes);
  ledger->set_max_pending_bytes(status.max_pending_bytes);
  ledger->set_detail(status.detail);
}

v1::MemoryPolicy PolicyOf(const UsageLimits& limits) {
  switch (limits.policy) {
    case MemoryPolicy::kRefuse:
      return v1::MEMORY_POLICY_REFUSE;
    case MemoryPolicy::kLru:
      return v1::MEMORY_POLICY_LRU;
  }
  return v1::MEMORY_POLICY_UNSPECIFIED;
}

void FillUsage(Engine& engine, v1::UsageStatus* status) {
  const Usage& usage = engine.store().usage();
  const Size used = usage.total();
  status->set_keys(used.keys);
  status->set_bytes(used.bytes);
  status->set_max_keys(usage.limits().max_keys);
  status->set_max_memory_bytes(usage.limits().max_memory_bytes);
  status->set_policy(PolicyOf(usage.limits()));
  status->set_evictions(engine.evictions());
}

void FillStatus(Engine& engine, const Responder& responder, const MaintenanceOptions& options,
                v1::MaintenanceStatusResponse* response) {
  const JournalStatus status = responder.journal().status();
  response->set_version(options.version);
  response->set_state(ServerStateOf(responder, status));
  const int64_t micros = absl::ToUnixMicros(options.start_time);
  response->mutable_start_time()->set_seconds(micros / 1000000);
  response->mutable_start_time()->set_nanos(static_cast<int32_t>(micros % 1000000 * 1000));
  FillLedger(status, options.ledger_address, response->mutable_ledger());
  const Store::Sizes sizes = engine.store().CountKeys();
  for (const ValueType type : kValueTypes) {
    auto* store = response->add_stores();
    store->set_type(ToProto(type));
    store->set_keys(sizes.keys[static_cast<size_t>(type)]);
    store->set_bytes(engine.store().usage().of(type).bytes);
  }
  FillUsage(engine, response->mutable_usage());
  if (response->state() == v1::SERVER_STATE_REPLAYING) {
    response->mutable_replay()->set_revision(status.replay_revision);
    response->mutable_replay()->set_last_revision(status.replay_last_revision);
  }
  response->set_waiting_replies(status.waiting_replies);
}

}  // namespace

std::unique_ptr<rpc::Service> MakeMaintenanceService(Engine* engine, Responder* responder, MaintenanceOptions options) {
  auto service = std::make_unique<rpc::Service>(
      v1::MaintenanceStatusRequest::descriptor()->file()->FindServiceByName("Maintenance"));
  service->AddUnary<v1::MaintenanceStatusRequest, v1::MaintenanceStatusResponse>(
      "Status", [engine, responder, options = std::move(options)](rpc::UnaryCall& call, const auto&) {
        v1::MaintenanceStatusResponse response;
        FillStatus(*engine, *responder, options, &response);
        call.Reply(response);
      });
  service->AddUnary<v1::MaintenanceEchoRequest, v1::MaintenanceEchoResponse>(
      "Echo", [responder](rpc::UnaryCall& call, const v1::MaintenanceEchoRequest& request) {
        if (absl::Status status = CheckText(request.message(), "message"); !status.ok()) {
          return call.Finish(rpc::ToGrpc(status));
        }
        v1::MaintenanceEchoResponse response;
        response.set_message(request.message());
        const absl::StatusOr<std::string> actor = responder->ActorFor(call.context());
        if (!actor.ok()) return call.Finish(rpc::ToGrpc(actor.status()));
        response.set_actor(actor->empty() ? "anonymous" : *actor);
        call.Reply(response);
      });
  return service;
}

}  // namespace kvs::server
