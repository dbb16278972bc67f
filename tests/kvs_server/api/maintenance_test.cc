#include "kvs_server/api/maintenance.h"

#include <google/protobuf/text_format.h>

#include <string>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs/v1/maintenance.pb.h"
#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

class MaintenanceFixture : public ApiFixture {
 protected:
  explicit MaintenanceFixture(bool connected = true) : ApiFixture(connected) {}

  v1::MaintenanceStatusResponse Status() {
    v1::MaintenanceStatusResponse status;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(Ask("Maintenance.Status", ""), &status));
    return status;
  }
};

class WaitingMaintenance : public MaintenanceFixture {
 protected:
  WaitingMaintenance() : MaintenanceFixture(/*connected=*/false) {}
};

TEST_CASE_METHOD(MaintenanceFixture, "Status tells version, start and address of the ledger") {
  const auto status = Status();
  CHECK(status.version() == "1.2.3");
  CHECK(status.start_time().seconds() == 1'700'000'000);
  CHECK(status.start_time().nanos() == 123'456'000);
  CHECK(status.ledger().address() == "ledger:5051");
}

TEST_CASE_METHOD(MaintenanceFixture, "Status shows zeros") {
  const auto status = Status();
  CHECK(status.has_waiting_replies());
  CHECK(status.ledger().has_latest_revision());
  CHECK(status.ledger().has_pending_bytes());
  REQUIRE(status.stores_size() == 6);
  CHECK(status.stores(0).has_keys());
  CHECK(status.stores(0).has_bytes());
  CHECK(status.usage().has_keys());
  CHECK(status.usage().has_bytes());
  CHECK(status.usage().has_max_keys());
  CHECK(status.usage().has_max_memory_bytes());
  CHECK(status.usage().has_evictions());
  CHECK(status.usage().policy() == v1::MEMORY_POLICY_REFUSE);
}

TEST_CASE_METHOD(MaintenanceFixture, "Status counts keys by type, in the order of the enum") {
  Do("IntStore.Put", "key: 'a' value: 1");
  Do("IntStore.Put", "key: 'b' value: 1");
  Do("MapStore.Put", "key: 'a'");
  const auto status = Status();
  CHECK(status.stores(0).type() == v1::VALUE_TYPE_INT);
  CHECK(status.stores(0).keys() == 2);
  CHECK(status.stores(5).type() == v1::VALUE_TYPE_MAP);
  CHECK(status.stores(5).keys() == 1);
}

TEST_CASE_METHOD(MaintenanceFixture, "Status tells what the keys of each type take, and all of them together") {
  Do("IntStore.Put", "key: 'a' value: 1");
  Do("IntStore.Put", "key: 'b' value: 1");
  Do("StringStore.Put", "key: 'a' value: '" + std::string(5000, 'x') + "'");
  const auto status = Status();
  CHECK(status.stores(0).bytes() > 0);
  CHECK(status.stores(1).bytes() == 0);
  CHECK(status.stores(3).bytes() > 5000);
  CHECK(status.usage().keys() == 3);
  CHECK(status.usage().bytes() == status.stores(0).bytes() + status.stores(3).bytes());
}

TEST_CASE_METHOD(MaintenanceFixture, "Status shows what is pending, and who waits for it") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'k' value: 1"}, {"IntStore.Get", "key: 'k'"}});
  auto status = Status();
  CHECK(status.ledger().latest_revision() == 1);
  CHECK(status.ledger().durable_revision() == 0);
  CHECK(status.ledger().pending_bytes() > 0);
  CHECK(status.ledger().max_pending_bytes() == kDefaultMaxPendingBytes);
  CHECK(status.waiting_replies() == 2);
  ledger_.Persist();
  status = Status();
  CHECK(status.ledger().durable_revision() == 1);
  CHECK(status.ledger().pending_bytes() == 0);
  CHECK(status.waiting_replies() == 0);
}

TEST_CASE_METHOD(MaintenanceFixture, "Status names every state of the link") {
  const std::vector<std::pair<LedgerState, v1::LedgerState>> states = {
      {LedgerState::kConnected, v1::LEDGER_STATE_CONNECTED},
      {LedgerState::kReconnecting, v1::LEDGER_STATE_RECONNECTING},
      {LedgerState::kAway, v1::LEDGER_STATE_AWAY},
      {LedgerState::kReadOnly, v1::LEDGER_STATE_READ_ONLY},
      {LedgerState::kRefused, v1::LEDGER_STATE_REFUSED},
      {LedgerState::kFenced, v1::LEDGER_STATE_FENCED},
      {LedgerState::kDataLoss, v1::LEDGER_STATE_DATA_LOSS},
      {LedgerState::kNone, v1::LEDGER_STATE_NONE}};
  for (const auto& [state, shown] : states) {
    journal().SetState(state, "the reason");
    const auto status = Status();
    CHECK(status.ledger().state() == shown);
    CHECK(status.ledger().detail() == "the reason");
    CHECK(status.state() == v1::SERVER_STATE_SERVING);
  }
}

TEST_CASE_METHOD(WaitingMaintenance, "Status is answered before the ledger was found") {
  const auto status = Status();
  CHECK(status.state() == v1::SERVER_STATE_WAITING_FOR_LEDGER);
  CHECK(status.ledger().state() == v1::LEDGER_STATE_AWAY);
  CHECK(status.ledger().log_id().empty());
}

TEST_CASE_METHOD(WaitingMaintenance, "Status shows how far the replay is") {
  journal().SetLedger("\x01\xFE", 7, 20);
  journal().SetState(LedgerState::kReplaying, "replaying");
  journal().Replayed(15, 0);
  const auto status = Status();
  CHECK(status.state() == v1::SERVER_STATE_REPLAYING);
  CHECK(status.replay().revision() == 15);
  CHECK(status.replay().last_revision() == 20);
  CHECK(status.ledger().state() == v1::LEDGER_STATE_CONNECTED);
  CHECK(status.ledger().log_id() == "01fe");
  CHECK(status.ledger().epoch() == 7);
}

TEST_CASE_METHOD(MaintenanceFixture, "Status is answered while the server drains") {
  responder_.Drain();
  CHECK(Status().state() == v1::SERVER_STATE_DRAINING);
}

TEST_CASE_METHOD(MaintenanceFixture, "Echo answers the text and who the caller is") {
  CHECK(Ask("Maintenance.Echo", "message: 'hello'") == "message: \"hello\" actor: \"anonymous\"");
  CHECK(Ask("Maintenance.Echo", "") == "actor: \"anonymous\"");
  SetActor("spiffe://kvs/client/ann");
  CHECK(Ask("Maintenance.Echo", "message: 'x'") == "message: \"x\" actor: \"spiffe://kvs/client/ann\"");
}

TEST_CASE_METHOD(MaintenanceFixture, "Echo refuses what is no text, and a caller who cannot be told") {
  CHECK(Ask("Maintenance.Echo", "message: 'a\\000b'") == "INVALID_ARGUMENT INVALID_TEXT");
  CHECK(Ask("Maintenance.Echo", "message: '" + std::string(kMaxValueBytes + 1, 'x') + "'") ==
        "INVALID_ARGUMENT VALUE_TOO_LARGE");
  SetActor(Error(errors::kNotPermitted, "two identities"));
  CHECK(Ask("Maintenance.Echo", "message: 'x'") == "PERMISSION_DENIED NOT_PERMITTED");
}

}  // namespace
}  // namespace kvs::server
