// The ledger goes away and comes back: what callers are told meanwhile, and that nothing is lost or done twice.

#include <absl/strings/str_cat.h>

#include <atomic>
#include <random>
#include <thread>

#include "common/errors.h"
#include "tests/support/api_client.h"
#include "tests/support/gate.h"
#include "tests/support/pair.h"
#include "tests/support/test_size.h"

namespace kvs {
namespace {

// Waits for a part of Maintenance.Status, asking again and again: each question is a round trip.
void AwaitStatus(const ApiClient& api, const std::string& part) {
  for (int i = 0; i < 200000; ++i) {
    if (api.Ask("Maintenance.Status", "").find(part) != std::string::npos) return;
  }
  FAIL("the status never had \"" << part << "\": " << api.Ask("Maintenance.Status", ""));
}

TEST_CASE("kvs_server starts before its ledger, says that it waits, and serves when it comes") {
  Pair pair;
  pair.StartLedger();
  pair.StopLedger();
  pair.StartKvs();
  const ApiClient api(pair.channel());
  const absl::Status refused = api.ErrorOf("IntStore.Get", "key: 'a'");
  CHECK(CodeAndReason(refused) == "UNAVAILABLE REPLAYING");
  CHECK(refused.message().find("waits for its ledger") != absl::string_view::npos);
  CHECK(api.Ask("IntStore.Put", "key: 'a' value: 1") == "UNAVAILABLE REPLAYING");
  CHECK(api.Ask("Maintenance.Status", "").find("SERVER_STATE_WAITING_FOR_LEDGER") != std::string::npos);
  CHECK(api.List() == std::vector<std::string>{"UNAVAILABLE REPLAYING"});
  pair.StartLedger();
  pair.AwaitWritable();
  CHECK(api.Ask("IntStore.Put", "key: 'a' value: 1") == "replaced: false revision: 1 latest_revision: 1");
}

TEST_CASE("without its ledger the server serves reads and refuses mutations, and goes on when it is back") {
  Pair pair;
  pair.Start();
  const ApiClient api(pair.channel());
  api.Ask("IntStore.Put", "key: 'a' value: 1");
  pair.StopLedger();
  pair.AwaitNotWritable();
  pair.AwaitServing();
  CHECK(api.Ask("IntStore.Get", "key: 'a'") == "value: 1 revision: 1 latest_revision: 1");
  CHECK(api.Ask("IntStore.Get", "key: 'b'") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(api.Ask("Keys.Count", "types: VALUE_TYPE_INT").rfind("count: 1", 0) == 0);
  CHECK(api.Ask("IntStore.Put", "key: 'a' value: 2") == "UNAVAILABLE NOT_APPLIED");
  CHECK(api.Ask("Keys.Delete", "key: 'a'") == "UNAVAILABLE NOT_APPLIED");
  CHECK(api.Ask("Maintenance.Status", "").find("LEDGER_STATE_AWAY") != std::string::npos);
  pair.StartLedger();
  pair.AwaitWritable();
  CHECK(api.Ask("IntStore.Put", "key: 'a' value: 3") == "replaced: true revision: 2 latest_revision: 2");
}

TEST_CASE("what was in flight is unknown to its caller, hidden from readers, and durable when the ledger is back") {
  Gate gate;
  Pair pair;
  pair.Start();
  const ApiClient api(pair.channel());
  api.Ask("IntStore.Put", "key: 'a' value: 1");
  pair.storage().SetBeforeAppend(gate.Hook());
  auto put = api.Start("IntStore.Put", "key: 'a' value: 2");
  gate.AwaitAppend();
  auto queued = api.Start("IntStore.Put", "key: 'b' value: 3");
  AwaitStatus(api, "waiting_replies: 2");
  // The group that is being written is lost, as by a kill of the ledger.
  pair.storage().SetBeforeAppend(nullptr);
  std::thread stop([&] { pair.StopLedger(); });
  CHECK(put.get() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(queued.get() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  gate.Open(absl::UnavailableError("killed"));
  stop.join();
  CHECK(api.Ask("IntStore.Get", "key: 'a'") == "UNAVAILABLE PENDING_WRITE");
  CHECK(api.Ask("IntStore.Get", "key: 'b'") == "UNAVAILABLE PENDING_WRITE");
  pair.StartLedger();
  pair.AwaitWritable();
  AwaitStatus(api, "durable_revision: 3");
  CHECK(api.Ask("IntStore.Get", "key: 'a'") == "value: 2 revision: 2 latest_revision: 3");
  const std::vector<std::string> before = api.Dump();
  pair.StopKvs();
  pair.StartKvs();
  pair.AwaitWritable();
  CHECK(ApiClient(pair.channel()).Dump() == before);
}

TEST_CASE("a caller waits for the ledger no longer than max-commit-wait") {
  Gate gate;
  Pair pair;
  pair.kvs_config().max_commit_wait = absl::Milliseconds(200);
  pair.Start();
  const ApiClient api(pair.channel());
  pair.storage().SetBeforeAppend(gate.Hook());
  CHECK(api.Ask("IntStore.Put", "key: 'a' value: 1") == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(api.Ask("IntStore.Get", "key: 'a'") == "UNAVAILABLE PENDING_WRITE");
  gate.Open();
  AwaitStatus(api, "durable_revision: 1");
  CHECK(api.Ask("IntStore.Get", "key: 'a'") == "value: 1 revision: 1 latest_revision: 1");
}

TEST_CASE("past the bounds whatever would wait is refused, and changes nothing") {
  Gate gate;
  Pair pair;
  SECTION("of waiting replies") {
    pair.kvs_config().max_waiting_replies = 1;
    pair.Start();
    pair.storage().SetBeforeAppend(gate.Hook());
    const ApiClient api(pair.channel());
    auto first = api.Start("IntStore.Put", "key: 'a' value: 1");
    AwaitStatus(api, "waiting_replies: 1");
    CHECK(api.Ask("IntStore.Put", "key: 'b' value: 1") == "RESOURCE_EXHAUSTED TOO_MANY_WAITING");
    // Answers that depend on what is pending; others have nothing to wait for.
    CHECK(api.Ask("IntStore.Get", "key: 'a'") == "RESOURCE_EXHAUSTED TOO_MANY_WAITING");
    CHECK(api.Ask("StringStore.Get", "key: 'a'") == "NOT_FOUND KEY_NOT_FOUND");
    CHECK(api.Ask("IntStore.MultiGet", "keys: 'a'") == "RESOURCE_EXHAUSTED TOO_MANY_WAITING");
    CHECK(api.Ask("Batch.Execute", "operations { int_get { key: 'a' } }") == "RESOURCE_EXHAUSTED TOO_MANY_WAITING");
    gate.Open();
    CHECK(first.get() == "replaced: false revision: 1 latest_revision: 1");
    CHECK(api.Ask("IntStore.Get", "key: 'b'") == "NOT_FOUND KEY_NOT_FOUND");
  }
  SECTION("of pending bytes") {
    pair.kvs_config().max_pending_bytes = 8 * kMiB;
    pair.kvs_config().max_commit_wait = absl::Minutes(1);
    pair.Start();
    pair.storage().SetBeforeAppend(gate.Hook());
    const ApiClient api(pair.channel());
    const std::string megabyte(kMaxValueBytes, 'x');
    std::vector<std::future<std::string>> puts;
    for (int i = 0; i < 7; ++i) {
      puts.push_back(api.Start("StringStore.Put", absl::StrCat("key: 'k", i, "' value: '", megabyte, "'")));
    }
    AwaitStatus(api, "waiting_replies: 7");
    CHECK(api.Ask("StringStore.Put", absl::StrCat("key: 'k8' value: '", megabyte, "'")) ==
          "RESOURCE_EXHAUSTED PENDING_WINDOW_FULL");
    gate.Open();
    for (auto& put : puts) CHECK(put.get().rfind("replaced: false", 0) == 0);
    CHECK(api.Ask("Keys.Exists", "key: 'k8'").rfind("exists: false", 0) == 0);
  }
}

TEST_CASE("a drain refuses new calls and ends what still waits as unknown") {
  Gate gate;
  Pair pair;
  pair.kvs_config().drain_timeout = absl::Seconds(2);
  pair.Start();
  const ApiClient api(pair.channel());
  pair.storage().SetBeforeAppend(gate.Hook());
  auto put = api.Start("IntStore.Put", "key: 'a' value: 1");
  gate.AwaitAppend();
  std::thread drain([&] { pair.kvs().Drain(); });
  CHECK(put.get() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  drain.join();
  gate.Open();
}

TEST_CASE("a full disk makes the pair read-only until there is space") {
  Pair pair;
  pair.Start();
  const ApiClient api(pair.channel());
  api.Ask("IntStore.Put", "key: 'a' value: 1");
  std::atomic<bool> full{true};
  pair.storage().SetBeforeAppend(
      [&full]() -> absl::Status { return full ? Error(errors::kNoSpace, "no space left") : absl::OkStatus(); });
  CHECK(api.Ask("IntStore.Put", "key: 'a' value: 2") == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(api.Ask("Maintenance.Status", "").find("LEDGER_STATE_READ_ONLY") != std::string::npos);
  CHECK(api.Ask("IntStore.Put", "key: 'b' value: 2") == "UNAVAILABLE NOT_APPLIED");
  CHECK(api.Ask("StringStore.Get", "key: 'a'") == "NOT_FOUND KEY_NOT_FOUND");
  full = false;
  pair.AwaitWritable();
  AwaitStatus(api, "durable_revision: 2");
  CHECK(api.Ask("IntStore.Get", "key: 'a'") == "value: 2 revision: 2 latest_revision: 2");
}

// What one thread of the load below knows.
struct Counter {
  std::string key;
  int64_t acknowledged = 0;
  int64_t unknown = 0;
  uint64_t last_revision = 0;
};

TEST_CASE("a ledger that restarts under load loses nothing and does nothing twice") {
  const int event_loops = GENERATE(1, 3);
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  CAPTURE(event_loops);
  std::mt19937 random(seed);
  Pair pair;
  pair.kvs_config().event_loops = event_loops;
  pair.Start();
  const ApiClient api(pair.channel());
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::vector<Counter> counters(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < counters.size(); ++i) {
    counters[i].key = absl::StrCat("counter-", i);
    threads.emplace_back([&, &counter = counters[i]] {
      while (!stop) {
        const std::string answer = api.Ask("IntStore.Increment", absl::StrCat("key: '", counter.key, "'"));
        if (answer.rfind("previous", 0) == 0) counter.acknowledged++;
        if (answer.rfind("DEADLINE", 0) == 0) counter.unknown++;
        calls++;
      }
    });
  }
  for (int restart = 0; restart < 20; ++restart) {
    const int goal = calls + 20 + static_cast<int>(random() % 100);
    while (calls < goal) std::this_thread::yield();
    pair.StopLedger();
    pair.StartLedger();
    pair.AwaitWritable();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // The server may not have noticed the last restart: an answered put proves that it has.
  while (api.Ask("IntStore.Put", "key: 'probe' value: 1").rfind("replaced", 0) != 0) {
  }
  const std::vector<std::string> before = api.Dump();
  for (const Counter& counter : counters) {
    std::string reply;
    REQUIRE(api.Try("IntStore.Get", absl::StrCat("key: '", counter.key, "'"), &reply) == absl::OkStatus());
    const int64_t value = std::stoll(reply.substr(reply.find(' ')));
    CHECK(value >= counter.acknowledged);
    CHECK(value <= counter.acknowledged + counter.unknown);
  }
  pair.StopKvs();
  pair.StartKvs();
  pair.AwaitWritable();
  CHECK(ApiClient(pair.channel()).Dump() == before);
}

}  // namespace
}  // namespace kvs
