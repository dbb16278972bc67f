// Requests with an id take effect once: over every ledger, restarts, and the removal of history.

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/sync.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/random_commands.h"
#include "tests/integration/support/sample_requests.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_size.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs {
namespace {

// A reply without what is told anew.
std::string FirstAnswer(const std::string& reply) { return reply.substr(0, reply.find("latest_revision: ")); }

class RequestIds : public ApiPair {
 public:
  explicit RequestIds(const Pair::OpenLog& open_log = nullptr) : ApiPair(kDefaultMaxCollectionBytes, open_log) {}

  using ApiPair::Ask;
  using ApiPair::LatestRevision;
  using ApiPair::pair_;
  using ApiPair::Restart;
  std::vector<std::string> Dump() const { return client().Dump(); }

  // Sends a request again, which must get the answer that it got.
  void CheckAgain(const std::string& method, const std::string& request, const std::string& reply) const {
    INFO(method << " " << request.substr(0, 200));
    CHECK(FirstAnswer(Ask(method, request)) == FirstAnswer(reply));
  }

  // Restarts with the history replaced by a snapshot.
  void RestartFromSnapshot() {
    REQUIRE(pair_.storage().MakeSnapshot(/*drop=*/true) == absl::OkStatus());
    Restart();
  }
};

// Counts the snapshots of a ledger.
class Snapshots {
 public:
  void Made() {
    MutexLock lock(&mutex_);
    ++made_;
    changed_.SignalAll();
  }
  int made() {
    MutexLock lock(&mutex_);
    return made_;
  }
  void AwaitMoreThan(int count) {
    MutexLock lock(&mutex_);
    while (made_ <= count) {
      if (changed_.WaitWithTimeout(&mutex_, absl::Seconds(60)) && made_ <= count) FAIL("no snapshot was made");
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int made_ ABSL_GUARDED_BY(mutex_) = 0;
};

txn::CompactionOptions SmallSnapshots(txn::Retention retention) {
  txn::CompactionOptions options;
  options.retention = retention;
  options.min_bytes = 16 * kKiB;
  options.percent = 0;
  options.ballast_bytes = 0;
  return options;
}

// Every kind of ledger, with snapshots that are made often.
struct Ledger {
  std::string name;
  Pair::OpenLog open;
};

class Ledgers {
 public:
  Ledgers() {
    for (const txn::Retention retention : {txn::Retention::kOnDelete, txn::Retention::kFull}) {
      const std::string kind = retention == txn::Retention::kFull ? "full" : "on-delete";
      all_.push_back({"file, " + kind, [this, retention, kind] { return OpenFile(directory_ / kind, retention); }});
      const std::string url = PostgresCluster::Shared().Url(PostgresCluster::Shared().NewDatabase());
      all_.push_back({"postgres, " + kind, [this, retention, url] { return OpenPostgres(url, retention); }});
    }
  }

  const std::vector<Ledger>& all() const { return all_; }
  Snapshots& snapshots() { return snapshots_; }

 private:
  std::unique_ptr<txn::TxnLog> OpenFile(const std::string& directory, txn::Retention retention) {
    txn::FileTxnLogOptions options;
    options.directory = directory;
    options.segment_bytes = 16 * kKiB;
    options.compaction = SmallSnapshots(retention);
    options.compacted = [this](const txn::CompactionReport&) { snapshots_.Made(); };
    auto log = txn::OpenFileTxnLog(options);
    REQUIRE(log.status() == absl::OkStatus());
    return *std::move(log);
  }
  std::unique_ptr<txn::TxnLog> OpenPostgres(const std::string& url, txn::Retention retention) {
    txn::PostgresTxnLogOptions options;
    options.url = url;
    options.compaction = SmallSnapshots(retention);
    options.compacted = [this](const txn::PostgresCompactionReport&) { snapshots_.Made(); };
    auto log = txn::OpenPostgresTxnLog(options);
    REQUIRE(log.status() == absl::OkStatus());
    return *std::move(log);
  }

  const TempDir directory_;
  Snapshots snapshots_;
  std::vector<Ledger> all_;
};

TEST_CASE("a put that is sent again after a delete and a restart does not bring the key back") {
  Ledgers ledgers;
  for (const Ledger& ledger : ledgers.all()) {
    INFO(ledger.name);
    RequestIds pair(ledger.open);
    const std::string put = "key: 'k' value: 1 request_id: '1'";
    const std::string answer = pair.Ask("IntStore.Put", put);
    CHECK(answer == "replaced: false revision: 1 latest_revision: 1");
    pair.Ask("IntStore.Delete", "key: 'k' request_id: '2'");
    pair.Restart();
    pair.CheckAgain("IntStore.Put", put, answer);
    CHECK(pair.Ask("IntStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
    // The same when nothing is left of the key.
    for (int round = 0; round < 2; ++round) {
      const int snapshots = ledgers.snapshots().made();
      for (int i = 0; i < 20; ++i) {
        pair.Ask("StringStore.Put", absl::StrCat("key: 'filler' value: '", std::string(1000, 'x'), "'"));
      }
      ledgers.snapshots().AwaitMoreThan(snapshots);
      pair.Restart();
    }
    const uint64_t latest = pair.LatestRevision();
    pair.CheckAgain("IntStore.Put", put, answer);
    CHECK(pair.Ask("IntStore.Delete", "key: 'k' request_id: '2'") ==
          absl::StrCat("deleted: true revision: 2 latest_revision: ", latest));
    CHECK(pair.Ask("IntStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
    CHECK(pair.LatestRevision() == latest);
  }
}

// Every mutation, as a request that changes something where each type has a key "k".
std::vector<std::pair<std::string, std::string>> NamedMutations() {
  std::vector<std::pair<std::string, std::string>> mutations;
  for (const SampleRequest& sample : SampleRequests()) {
    if (sample.is_mutation) mutations.emplace_back(sample.method, sample.WithKey("k"));
  }
  for (const std::string store : {"IntStore", "UintStore", "FloatStore"}) {
    mutations.emplace_back(store + ".MultiPut", "keys: 'k' keys: 'l' values: 1 values: 2");
    mutations.emplace_back(store + ".MultiIncrement", "keys: 'k' keys: 'l' deltas: 1");
  }
  mutations.emplace_back("StringStore.MultiPut", "keys: 'k' keys: 'l' values: 'a' values: 'b'");
  mutations.emplace_back(
      "Batch.Execute",
      "atomic: true operations { int_put { key: 'k' value: 5 } } operations { int_get { key: 'k' } } "
      "operations { keys_delete { key: 'k' } } operations { int_multi_put { keys: 'l' values: 2 } }");
  return mutations;
}

TEST_CASE_METHOD(RequestIds,
                 "every mutation takes effect once, also after restarts, from the log and from a snapshot") {
  int number = 0;
  for (const auto& [method, operands] : NamedMutations()) {
    INFO(method);
    for (const SampleRequest& value : SampleValues()) Ask(value.method, value.WithKey("k"));
    if (method == "Keys.Persist") Ask("Keys.Expire", "key: 'k' ttl { seconds: 1000 }");
    const uint64_t before = LatestRevision();
    const std::string request = absl::StrCat(operands, " request_id: 'request-", ++number, "'");
    const std::string reply = Ask(method, request);
    REQUIRE(LatestRevision() > before);
    for (int i = 0; i < 2; ++i) CheckAgain(method, request, reply);
    const uint64_t latest = LatestRevision();
    const std::vector<std::string> state = Dump();
    Restart();
    CheckAgain(method, request, reply);
    RestartFromSnapshot();
    CheckAgain(method, request, reply);
    CHECK(LatestRevision() == latest);
    CHECK(Dump() == state);
  }
  CHECK(number == 31);
}

TEST_CASE_METHOD(RequestIds, "every mutation refuses what is no request_id, and changes nothing") {
  for (const SampleRequest& value : SampleValues()) Ask(value.method, value.WithKey("k"));
  const std::vector<std::string> before = Dump();
  for (const auto& [method, operands] : NamedMutations()) {
    INFO(method);
    for (const std::string& id : {std::string(129, 'i'), std::string("a\\000b")}) {
      CHECK(Ask(method, absl::StrCat(operands, " request_id: '", id, "'")) == "INVALID_ARGUMENT INVALID_REQUEST_ID");
    }
    CHECK(absl::StartsWith(Ask(method, operands + " request_id: '\\xff'"), "INVALID_ARGUMENT"));
  }
  CHECK(Dump() == before);
}

TEST_CASE("a random history with ids is answered the same by every ledger, live, restarted and compacted") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  Ledgers ledgers;
  std::vector<std::unique_ptr<RequestIds>> pairs;
  for (const Ledger& ledger : ledgers.all()) pairs.push_back(std::make_unique<RequestIds>(ledger.open));
  RandomCommands commands(seed);
  std::map<std::pair<std::string, std::string>, std::string> answers;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 150; ++i) {
      auto [method, request] = i % 5 == 0 ? commands.NextBatch() : commands.Next();
      const bool is_atomic = absl::StartsWith(request, "atomic");
      if (absl::EndsWith(method, "Get") || (method == "Batch.Execute" && !is_atomic)) continue;
      absl::StrAppend(&request, " request_id: 'request-", round, "-", i, "'");
      const uint64_t before = pairs.front()->LatestRevision();
      const std::string expected = pairs.front()->Ask(method, request);
      if (pairs.front()->LatestRevision() > before) answers[{method, request}] = expected;
      for (const auto& pair : pairs) pair->CheckAgain(method, request, expected);
    }
    const std::vector<std::string> live = pairs.front()->Dump();
    for (size_t i = 0; i < pairs.size(); ++i) {
      INFO(ledgers.all()[i].name << ", round " << round);
      const uint64_t latest = pairs[i]->LatestRevision();
      pairs[i]->Restart();
      for (const auto& [command, reply] : answers) pairs[i]->CheckAgain(command.first, command.second, reply);
      CHECK(pairs[i]->LatestRevision() == latest);
      CHECK(pairs[i]->Dump() == live);
    }
  }
  CHECK(answers.size() > 50);
}

TEST_CASE_METHOD(RequestIds, "the window is bounded by its count, and wider again when the setting is") {
  const auto put = [](int i) { return absl::StrCat("key: 'k' value: ", i, " request_id: '", i, "'"); };
  for (int i = 1; i <= 3; ++i) Ask("IntStore.Put", put(i));
  pair_.kvs_config().request_window_count = 2;
  Restart();
  for (int i = 2; i <= 3; ++i) CHECK_THAT(Ask("IntStore.Put", put(i)), ContainsText(absl::StrCat("revision: ", i)));
  pair_.kvs_config().request_window_count = 100;
  RestartFromSnapshot();
  CHECK_THAT(Ask("IntStore.Put", put(1)), ContainsText("revision: 1 "));
  pair_.kvs_config().request_window_count = 2;
  Restart();
  CHECK(Ask("IntStore.Put", put(1)) == "replaced: true revision: 4 latest_revision: 4");
  CHECK(Ask("IntStore.Put", put(1)) == "replaced: true revision: 4 latest_revision: 4");
  CHECK(Ask("IntStore.Put", put(2)) == "replaced: true revision: 5 latest_revision: 5");
}

TEST_CASE_METHOD(RequestIds, "the window is bounded by age") {
  pair_.kvs_config().request_window_age = absl::ZeroDuration();
  Restart();
  const std::string request = "key: 'k' request_id: 'r'";
  CHECK_THAT(Ask("IntStore.Increment", request), ContainsText("value: 1 "));
  CHECK_THAT(Ask("IntStore.Increment", request), ContainsText("value: 1 "));
  // Until a request comes that is a microsecond younger.
  int number = 0;
  while (absl::StrContains(Ask("IntStore.Increment", request), "value: 1 ")) {
    Ask("IntStore.Increment", absl::StrCat("key: 'other' request_id: 'other-", ++number, "'"));
  }
  CHECK(absl::StrContains(Ask("IntStore.Get", "key: 'k'"), "value: 2 "));
}

TEST_CASE_METHOD(RequestIds, "of many attempts at the same time one takes effect") {
  std::vector<std::future<std::string>> calls;
  const ApiClient api = client();
  for (int request = 0; request < 20; ++request) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      calls.push_back(api.Start("IntStore.Increment", absl::StrCat("key: 'k' request_id: '", request, "'")));
    }
  }
  std::map<std::string, int> answers;
  for (auto& call : calls) ++answers[FirstAnswer(call.get())];
  CHECK(answers.size() == 20);
  for (const auto& [answer, count] : answers) CHECK(count == 5);
  CHECK(LatestRevision() == 20);
  CHECK_THAT(Ask("IntStore.Get", "key: 'k'"), ContainsText("value: 20 "));
}

TEST_CASE("without a ledger retries take effect once as well") {
  Pair pair;
  pair.kvs_config().has_ledger = false;
  pair.StartKvs();
  pair.AwaitWritable();
  const ApiClient api(pair.channel());
  for (int i = 0; i < 2; ++i) {
    CHECK(api.Ask("IntStore.Increment", "key: 'k' request_id: 'r'") ==
          "previous: 0 value: 1 revision: 1 latest_revision: 1");
  }
}

}  // namespace
}  // namespace kvs
