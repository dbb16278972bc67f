// --max-memory, --max-keys and --memory-policy, as clients see them, in the ledger and through restarts.

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"

namespace kvs {
namespace {

using server::MemoryPolicy;

const std::string kMemoryFull = "RESOURCE_EXHAUSTED MEMORY_FULL";
const std::string kTooManyKeys = "RESOURCE_EXHAUSTED TOO_MANY_KEYS";

class MemoryLimits : public ApiPair {
 protected:
  v1::UsageStatus Used() const {
    v1::MaintenanceStatusResponse status;
    v1::Maintenance::Stub stub(pair_.channel());
    REQUIRE(Call(stub, &v1::Maintenance::Stub::Status, v1::MaintenanceStatusRequest(), &status).ok());
    uint64_t keys = 0;
    uint64_t bytes = 0;
    for (const v1::StoreStatus& store : status.stores()) {
      keys += store.keys();
      bytes += store.bytes();
    }
    CHECK(status.usage().keys() == keys);
    CHECK(status.usage().bytes() == bytes);
    return status.usage();
  }

  // Starts again with these limits; what there is stays as it is.
  void RestartWith(size_t max_memory_bytes, uint64_t max_keys, MemoryPolicy policy = MemoryPolicy::kRefuse) {
    pair_.kvs_config().max_memory_bytes = max_memory_bytes;
    pair_.kvs_config().max_keys = max_keys;
    pair_.kvs_config().memory_policy = policy;
    const std::vector<std::string> before = client().Dump();
    const uint64_t bytes = Used().bytes();
    Restart();
    CHECK(client().Dump() == before);
    CHECK(Used().bytes() == bytes);
  }

  void PutSamples(const std::string& key) {
    for (const SampleRequest& value : SampleValues()) Ask(value.method, value.WithKey(key));
  }

  size_t CountLogged(::txn::v1::Delete::Cause cause) {
    size_t count = 0;
    for (const auto& frame : Logged()) {
      for (const auto& transaction : frame.transactions()) count += transaction.delete_().cause() == cause;
    }
    return count;
  }
};

// Makes keys, or makes them larger.
bool MayGrow(const std::string& method) {
  return absl::EndsWith(method, "Put") || absl::EndsWith(method, "Increment") || absl::EndsWith(method, "Append") ||
         absl::EndsWith(method, "Add") || absl::EndsWith(method, "PutFields");
}

TEST_CASE_METHOD(MemoryLimits, "whatever would make a key is refused when memory is full, or keys are too many") {
  PutSamples("k");
  for (const bool by_memory : {true, false}) {
    RestartWith(by_memory ? Used().bytes() : 0, by_memory ? 0 : 6);
    const uint64_t revision = LatestRevision();
    int refused = 0;
    for (const SampleRequest& sample : SampleRequests()) {
      INFO(sample.method);
      const std::string reply = Ask(sample.method, sample.WithKey("new"));
      CHECK(absl::StartsWith(reply, by_memory ? kMemoryFull : kTooManyKeys) == MayGrow(sample.method));
      refused += MayGrow(sample.method);
    }
    CHECK(refused == 12);
    CHECK(LatestRevision() == revision);
    CHECK(Used().keys() == 6);
    CHECK(client().List().size() == 6);
  }
}

TEST_CASE_METHOD(MemoryLimits, "with memory full, keys do not grow, but change and shrink") {
  PutSamples("k");
  RestartWith(Used().bytes(), 0);
  const std::string large = std::string(100, 'x');
  const uint64_t revision = LatestRevision();
  for (const auto& [method, request] : std::vector<std::pair<std::string, std::string>>{
           {"StringStore.Put", "value: '" + large + "'"},
           {"StringStore.Append", "value: '" + large + "'"},
           {"SetStore.Put", "members: 'member' members: 'more'"},
           {"SetStore.Add", "members: 'more'"},
           {"MapStore.Put", "fields { key: 'name' value: '" + large + "' }"},
           {"MapStore.PutFields", "fields { key: 'more' value: 'value' }"},
           {"MapStore.PutFields", "fields { key: 'name' value: '" + large + "' }"},
           {"IntStore.Put", "value: 7 ttl { seconds: 100 }"},
       }) {
    INFO(method << " " << request);
    CHECK(absl::StartsWith(Ask(method, "key: 'k' " + request), kMemoryFull));
  }
  CHECK(LatestRevision() == revision);
  const absl::Status error = ErrorOf("StringStore.Append", "key: 'k' value: '" + large + "'");
  CHECK_THAT(std::string(error.message()), ContainsText("--max-memory"));
  CHECK(MetadataOf(error, "used") == MetadataOf(error, "limit"));

  for (const auto& [method, request] : std::vector<std::pair<std::string, std::string>>{
           {"IntStore.Put", "value: 7"},
           {"IntStore.Increment", "delta: 7"},
           {"FloatStore.Increment", "delta: 7"},
           {"StringStore.Put", "value: 'other'"},
           {"SetStore.Remove", "members: 'member'"},
           {"SetStore.Add", "members: 'member'"},
           {"MapStore.PutFields", "fields { key: 'name' value: 'other' }"},
           {"MapStore.RemoveFields", "names: 'name'"},
           {"Keys.Expire", "ttl { seconds: 100 }"},
           {"Keys.Persist", ""},
           {"UintStore.Delete", ""},
           {"Keys.Delete", ""},
       }) {
    INFO(method << " " << request);
    CHECK_FALSE(absl::StrContains(Ask(method, "key: 'k' " + request), "EXHAUSTED"));
  }
  CHECK(Used().bytes() == 0);
  CHECK(Used().keys() == 0);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(MemoryLimits, "the last byte of memory can be used, and no more") {
  Ask("IntStore.Put", "key: 'a' value: 1");
  RestartWith(2 * Used().bytes(), 0);
  CHECK(Ask("IntStore.Put", "key: 'b' value: 1") == "replaced: false revision: 2 latest_revision: 2");
  CHECK(Ask("IntStore.Put", "key: 'c' value: 1") == kMemoryFull);
  CHECK(absl::StartsWith(Ask("IntStore.Delete", "key: 'a'"), "deleted: true"));
  CHECK(Ask("IntStore.Put", "key: 'c' value: 1") == "replaced: false revision: 4 latest_revision: 4");
  CHECK(Used().bytes() == Used().max_memory_bytes());
}

TEST_CASE_METHOD(MemoryLimits,
                 "an atomic batch and a call with many keys count as a whole, other operations each alone") {
  Ask("IntStore.Put", "key: 'a' value: 1");
  RestartWith(0, 2);
  const std::string two =
      OperationText("IntStore.Put", "key: 'b' value: 1") + OperationText("IntStore.Put", "key: 'c' value: 1");
  CHECK(Ask("Batch.Execute", two + "atomic: true") == kTooManyKeys);
  CHECK(Ask("IntStore.MultiPut", "keys: 'a' keys: 'b' keys: 'c' values: 1 values: 2 values: 3") == kTooManyKeys);
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' keys: 'b' keys: 'c'") == kTooManyKeys);
  CHECK(LatestRevision() == 1);
  // The same, but it takes away as much as it adds.
  CHECK_FALSE(absl::StrContains(
      Ask("Batch.Execute", two + OperationText("IntStore.Delete", "key: 'a'") + "atomic: true"), "EXHAUSTED"));
  CHECK(Used().keys() == 2);
  CHECK_FALSE(absl::StrContains(Ask("IntStore.MultiPut", "keys: 'b' keys: 'c' values: 4 values: 5"), "EXHAUSTED"));
  CHECK(absl::StartsWith(Ask("IntStore.Delete", "key: 'c'"), "deleted: true"));
  const std::string reply = Ask("Batch.Execute", OperationText("IntStore.Put", "key: 'd' value: 1") +
                                                     OperationText("IntStore.Put", "key: 'e' value: 1"));
  CHECK_THAT(reply, ContainsText("int_put { replaced: false"));
  CHECK_THAT(reply, ContainsText("--max-keys"));
  CHECK(client().List().size() == 2);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(MemoryLimits, "a start with more than there may be works, says so, and only lets it shrink") {
  PutSamples("k");
  PutSamples("l");
  pair_.kvs_config().log.level = LogLevel::kWarn;
  RestartWith(100, 3);
  CHECK(log_.Count("the ledger holds more than there may be") == 2);
  CHECK(absl::StrContains(Ask("IntStore.Increment", "key: 'k'"), "value: 42"));
  CHECK(absl::StartsWith(Ask("IntStore.Put", "key: 'new' value: 1"), kTooManyKeys));
  CHECK(absl::StartsWith(Ask("StringStore.Append", "key: 'k' value: '" + std::string(50, 'x') + "'"), kMemoryFull));
  CHECK(absl::StartsWith(Ask("Keys.Delete", "key: 'l'"), "deleted: true"));
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(MemoryLimits, "evictions are in the ledger, so that the state is the same after a restart") {
  RestartWith(0, 50, MemoryPolicy::kLru);
  for (int i = 0; i < 200; ++i) {
    const SampleRequest& value = SampleValues()[i % 6];
    CHECK_FALSE(absl::StrContains(Ask(value.method, value.WithKey(absl::StrCat("key-", i))), "EXHAUSTED"));
  }
  CHECK(Used().keys() == 50);
  CHECK(Used().evictions() == 150);
  CHECK(Used().policy() == v1::MEMORY_POLICY_LRU);
  CHECK(CountLogged(::txn::v1::Delete::CAUSE_EVICTED) == 150);
  CHECK(LatestRevision() == 350);
  CheckSameAfterRestart();
  CHECK(Used().evictions() == 0);
}

TEST_CASE_METHOD(MemoryLimits, "batches of every kind make room for themselves") {
  RestartWith(0, 20, MemoryPolicy::kLru);
  for (int round = 0; round < 10; ++round) {
    std::string batch;
    std::string keys;
    std::string values;
    for (int i = 0; i < 15; ++i) {
      batch += OperationText("IntStore.Put", absl::StrCat("key: 'batch-", round, "-", i, "' value: 1"));
      absl::StrAppend(&keys, "keys: 'many-", round, "-", i, "' ");
      absl::StrAppend(&values, "values: 1 ");
    }
    for (const std::string& reply : {Ask("Batch.Execute", batch + "atomic: true"), Ask("Batch.Execute", batch),
                                     Ask("IntStore.MultiPut", keys + values)}) {
      CHECK_FALSE(absl::StrContains(reply, "error"));
      CHECK_FALSE(absl::StrContains(reply, "EXHAUSTED"));
    }
    const std::string reply = Ask("IntStore.MultiGet", keys);
    CHECK_FALSE(absl::StrContains(reply, "values: 0"));
    CHECK(Used().keys() <= 20);
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(MemoryLimits, "many clients at once stay within the limits") {
  RestartWith(20'000, 150, MemoryPolicy::kLru);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      const ApiClient api = client();
      for (int i = 0; i < 300; ++i) {
        const SampleRequest& value = SampleValues()[i % 6];
        api.Ask(value.method, value.WithKey(absl::StrCat("key-", t, "-", i)));
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    CHECK(Used().keys() <= 150);
    CHECK(Used().bytes() <= 20'000);
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(Used().keys() > 100);
  CheckSameAfterRestart();
}

TEST_CASE("limits hold without a ledger, too") {
  for (const MemoryPolicy policy : {MemoryPolicy::kRefuse, MemoryPolicy::kLru}) {
    Pair pair;
    pair.kvs_config().has_ledger = false;
    pair.kvs_config().max_keys = 2;
    pair.kvs_config().memory_policy = policy;
    pair.StartKvs();
    pair.AwaitWritable();
    const ApiClient api(pair.channel());
    api.Ask("IntStore.Put", "key: 'a' value: 1");
    api.Ask("SetStore.Put", "key: 'b' members: 'x'");
    const std::string reply = api.Ask("MapStore.Put", "key: 'c'");
    CHECK(absl::StartsWith(reply, policy == MemoryPolicy::kRefuse ? kTooManyKeys : "replaced: false revision: 4"));
    CHECK(api.List().size() == 2);
  }
}

}  // namespace
}  // namespace kvs
