// The same commands end in the same state, with the same replies and revisions, whatever the ledger is.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/random_commands.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_size.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs {
namespace {

class PairOn : public ApiPair {
 public:
  explicit PairOn(const Pair::OpenLog& open_log) : ApiPair(16 * kKiB, open_log) {}

  using ApiPair::Ask;
  using ApiPair::LatestRevision;
  using ApiPair::Restart;
  void EvictPast(uint64_t max_keys) {
    pair_.kvs_config().max_keys = max_keys;
    pair_.kvs_config().memory_policy = server::MemoryPolicy::kLru;
    Restart();
  }
  uint64_t Evictions() const {
    v1::MaintenanceStatusResponse status;
    v1::Maintenance::Stub stub(pair_.channel());
    REQUIRE(Call(stub, &v1::Maintenance::Stub::Status, v1::MaintenanceStatusRequest(), &status).ok());
    return status.usage().evictions();
  }
  std::vector<std::string> Dump() const { return client().Dump(); }
};

std::unique_ptr<txn::TxnLog> OpenFile(const std::string& directory) {
  txn::FileTxnLogOptions options;
  options.directory = directory;
  options.compaction.min_bytes = 64 * kKiB;
  options.compaction.percent = 10;
  options.compaction.ballast_bytes = 0;
  auto log = txn::OpenFileTxnLog(options);
  REQUIRE(log.status() == absl::OkStatus());
  return *std::move(log);
}

std::unique_ptr<txn::TxnLog> OpenPostgres(const std::string& url) {
  txn::PostgresTxnLogOptions options;
  options.url = url;
  auto log = txn::OpenPostgresTxnLog(options);
  REQUIRE(log.status() == absl::OkStatus());
  return *std::move(log);
}

// A pair with each of the ledgers, both of them new.
class TwoLedgers {
 public:
  PairOn& file() { return file_; }
  PairOn& postgres() { return postgres_; }

 private:
  const TempDir directory_;
  const std::string url_ = PostgresCluster::Shared().Url(PostgresCluster::Shared().NewDatabase());
  PairOn file_{[this] { return OpenFile(directory_ / "log"); }};
  PairOn postgres_{[this] { return OpenPostgres(url_); }};
};

TEST_CASE("the file ledger and PostgreSQL agree on a random history of all types, also after a restart") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  TwoLedgers ledgers;
  PairOn& file = ledgers.file();
  PairOn& postgres = ledgers.postgres();
  RandomCommands commands(seed);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 300; ++i) {
      const auto [method, request] = i % 5 == 0 ? commands.NextBatch() : commands.Next();
      const std::string expected = file.Ask(method, request);
      const std::string reply = postgres.Ask(method, request);
      if (reply != expected) FAIL(method << " " << request << "\nfile:     " << expected << "\npostgres: " << reply);
    }
    const std::vector<std::string> live = file.Dump();
    CHECK(postgres.Dump() == live);
    file.Restart();
    postgres.Restart();
    CHECK(file.Dump() == live);
    CHECK(postgres.Dump() == live);
  }
  CHECK(file.LatestRevision() > 200);
  CHECK(postgres.LatestRevision() == file.LatestRevision());
}

TEST_CASE("with either ledger the state after a restart is that before it, evictions included") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  TwoLedgers ledgers;
  PairOn& file = ledgers.file();
  PairOn& postgres = ledgers.postgres();
  for (PairOn* pair : {&file, &postgres}) {
    pair->EvictPast(8);
    RandomCommands commands(seed);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 300; ++i) {
        const auto [method, request] = i % 5 == 0 ? commands.NextBatch() : commands.Next();
        pair->Ask(method, request);
      }
      CHECK(pair->Evictions() > 0);
      const std::vector<std::string> live = pair->Dump();
      const uint64_t revision = pair->LatestRevision();
      pair->Restart();
      CHECK(pair->Dump() == live);
      CHECK(pair->LatestRevision() == revision);
    }
  }
}

}  // namespace
}  // namespace kvs
