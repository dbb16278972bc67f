// kvs_server without a ledger: everything works, and nothing outlives the process.

#include <string>

#include "tests/support/api_client.h"
#include "tests/support/log_capture.h"
#include "tests/support/pair.h"

namespace kvs {
namespace {

TEST_CASE("without a ledger everything is served at once, and forgotten at the end") {
  Pair pair;
  pair.kvs_config().has_ledger = false;
  pair.kvs_config().log.level = LogLevel::kWarn;
  {
    LogCapture log;
    pair.StartKvs();
    CHECK(log.Count("everything is forgotten when this server stops") == 1);
  }
  pair.AwaitServing();
  pair.AwaitWritable();
  {
    const ApiClient api(pair.channel());
    CHECK(api.Ask("IntStore.Put", "key: 'k' value: 41") == "replaced: false revision: 1 latest_revision: 1");
    CHECK(api.Ask("IntStore.Increment", "key: 'k'") == "previous: 41 value: 42 revision: 2 latest_revision: 2");
    CHECK(api.Ask("SetStore.Add", "key: 'k' members: 'a'") == "added: 1 size: 1 revision: 3 latest_revision: 3");
    CHECK(api.Ask("Keys.Delete", "key: 'k'") ==
          "deleted: true types: VALUE_TYPE_INT types: VALUE_TYPE_SET revision: 5 latest_revision: 5");
    CHECK(api.Ask("IntStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
    const std::string status = api.Ask("Maintenance.Status", "");
    CHECK_THAT(status, ContainsText("state: SERVER_STATE_SERVING"));
    CHECK_THAT(status, ContainsText("state: LEDGER_STATE_NONE"));
    CHECK_THAT(status, ContainsText("latest_revision: 5 durable_revision: 5 pending_bytes: 0"));
    CHECK(api.Ask("IntStore.Put", "key: 'k' value: 1") == "replaced: false revision: 6 latest_revision: 6");
  }
  pair.StopKvs();
  pair.StartKvs();
  pair.AwaitWritable();
  CHECK(ApiClient(pair.channel()).Ask("IntStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
}

}  // namespace
}  // namespace kvs
