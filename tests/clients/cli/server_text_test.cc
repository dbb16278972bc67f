#include "clients/cli/server_text.h"

#include <google/protobuf/util/json_util.h>

#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("a whole status") {
  v1::MaintenanceStatusResponse status;
  REQUIRE(google::protobuf::util::JsonStringToMessage(R"({
    "version": "0.1.0", "state": "SERVER_STATE_REPLAYING", "startTime": "2026-01-31T10:00:00Z",
    "ledger": {"state": "LEDGER_STATE_CONNECTED", "address": "localhost:5051", "logId": "1f", "epoch": "4",
               "latestRevision": "480", "durableRevision": "479", "pendingBytes": "1024",
               "maxPendingBytes": "67108864"},
    "stores": [{"type": "VALUE_TYPE_INT", "keys": "3", "bytes": "267"},
               {"type": "VALUE_TYPE_MAP", "keys": "1", "bytes": "1000"}],
    "usage": {"keys": "4", "bytes": "1267", "maxKeys": "0", "maxMemoryBytes": "0", "policy": "MEMORY_POLICY_REFUSE"},
    "replay": {"revision": "120", "lastRevision": "480"}, "waitingReplies": "2"})",
                                                      &status)
              .ok());
  CHECK(StatusText(status, absl::FromCivil(absl::CivilSecond(2026, 1, 31, 10, 1, 5), absl::UTCTimeZone())) ==
        "server    replaying, version 0.1.0\n"
        "started   2026-01-31T10:00:00Z, 1m5s ago\n"
        "replay    revision 120 of 480, 25%\n"
        "ledger    connected, at localhost:5051, log 1f, epoch 4\n"
        "revision  newest 480, durable 479\n"
        "pending   1KiB of 64MiB, 2 waiting replies\n"
        "keys      int 3, map 1\n"
        "bytes     int 267, map 1000\n"
        "in all    keys 4, bytes 1267, no limits\n");
}

TEST_CASE("a server that has just started was started 0s ago") {
  v1::MaintenanceStatusResponse status;
  status.mutable_start_time()->set_seconds(0);
  CHECK_THAT(StatusText(status, absl::UnixEpoch()), ContainsText("1970-01-01T00:00:00Z, 0s ago\n"));
}

TEST_CASE("limits are told, and what happens past them") {
  v1::MaintenanceStatusResponse status;
  v1::UsageStatus& usage = *status.mutable_usage();
  usage.set_keys(4);
  usage.set_bytes(1267);
  usage.set_max_memory_bytes(65536);
  usage.set_policy(v1::MEMORY_POLICY_REFUSE);
  CHECK_THAT(StatusText(status, absl::UnixEpoch()), ContainsText("in all    keys 4, bytes 1267 of 64KiB, refuse\n"));
  usage.set_max_keys(10);
  usage.set_policy(v1::MEMORY_POLICY_LRU);
  usage.set_evictions(3);
  CHECK_THAT(StatusText(status, absl::UnixEpoch()),
             ContainsText("in all    keys 4 of 10, bytes 1267 of 64KiB, lru, 3 evicted\n"));
}

TEST_CASE("why the ledger is not connected is told") {
  v1::MaintenanceStatusResponse status;
  status.mutable_ledger()->set_state(v1::LEDGER_STATE_READ_ONLY);
  status.mutable_ledger()->set_detail("no space on /var");
  CHECK_THAT(StatusText(status, absl::UnixEpoch()), ContainsText("ledger    read only\n          no space on /var\n"));
}

TEST_CASE("states of later versions are numbers") {
  CHECK(ServerStateText(static_cast<v1::ServerState>(77)) == "77");
  CHECK(LedgerStateText(static_cast<v1::LedgerState>(77)) == "77");
}

TEST_CASE("a replay of nothing is complete") { CHECK(ReplayText(v1::ReplayProgress()) == "revision 0 of 0, 100%"); }

}  // namespace
}  // namespace kvs::cli
