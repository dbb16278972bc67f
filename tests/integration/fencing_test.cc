// Two writers never interleave; a ledger that was rolled back is noticed.

#include <absl/strings/str_cat.h>

#include "common/errors.h"
#include "tests/support/api_client.h"
#include "tests/support/gate.h"
#include "tests/support/pair.h"

namespace kvs {
namespace {

// Another kvs_server on the ledger of a pair.
class SecondWriter {
 public:
  explicit SecondWriter(Pair& pair, uint64_t take_over = 0) {
    server::Config config = pair.kvs_config();
    config.take_over = take_over;
    auto started =
        server::KvsServer::Start(config, [this](ExitCode code, const absl::Status& s) { fatal.Set(code, s); });
    REQUIRE(started.ok());
    server_ = *std::move(started);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
  }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  void Stop() { server_.reset(); }

  FatalEvent fatal;

 private:
  std::unique_ptr<server::KvsServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_CASE("a second writer is refused and told who holds the ledger") {
  Pair pair;
  pair.Start();
  SecondWriter second(pair);
  const auto [code, status] = second.fatal.Wait();
  CHECK(code == kExitWriterActive);
  CHECK(Is(status, errors::kWriterActive));
  CHECK(MetadataOf(status, "epoch") == "1");
  CHECK(status.message().find("--take-over=1") != absl::string_view::npos);
  CHECK(ApiClient(pair.channel()).Ask("IntStore.Put", "key: 'a' value: 1") ==
        "replaced: false revision: 1 latest_revision: 1");
}

TEST_CASE("the wrong epoch does not take the ledger over") {
  Pair pair;
  pair.Start();
  SecondWriter second(pair, 7);
  CHECK(second.fatal.Wait().first == kExitWriterActive);
  CHECK_FALSE(pair.kvs_fatal.happened());
}

TEST_CASE("a writer that is taken over from is fenced, tells its callers, and changes nothing any more") {
  Gate gate;
  Pair pair;
  pair.Start();
  const ApiClient first(pair.channel());
  first.Ask("IntStore.Put", "key: 'a' value: 1");
  pair.storage().SetBeforeAppend(gate.Hook());
  auto put = first.Start("IntStore.Put", "key: 'a' value: 2");
  gate.AwaitAppend();
  SecondWriter second(pair, 1);
  gate.Open();
  AwaitHealth(second.channel(), "kvs.write", true);
  const auto [code, status] = pair.kvs_fatal.Wait();
  CHECK(code == kExitFenced);
  CHECK(Is(status, errors::kFenced));
  // The put was in flight: the second writer waited for it and knows it, and the first caller was told what is known.
  const std::string answer = put.get();
  CHECK((answer == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN" || answer == "replaced: true revision: 2 latest_revision: 2"));
  CHECK(ApiClient(second.channel()).Ask("IntStore.Get", "key: 'a'") == "value: 2 revision: 2 latest_revision: 2");
  CHECK(first.Ask("IntStore.Put", "key: 'a' value: 3") == "UNAVAILABLE NOT_APPLIED");
  CHECK(ApiClient(second.channel()).Ask("IntStore.Put", "key: 'a' value: 4") ==
        "replaced: true revision: 3 latest_revision: 3");
}

TEST_CASE("starting again with the same take-over does not fence the successor") {
  Pair pair;
  pair.Start();
  SecondWriter second(pair, 1);
  AwaitHealth(second.channel(), "kvs.write", true);
  CHECK(pair.kvs_fatal.Wait().first == kExitFenced);
  SecondWriter third(pair, 1);
  CHECK(third.fatal.Wait().first == kExitWriterActive);
  CHECK_FALSE(second.fatal.happened());
}

TEST_CASE("a writer whose stream has ended does not block the next one") {
  Pair pair;
  pair.Start();
  pair.StopKvs();
  SecondWriter second(pair);
  AwaitHealth(second.channel(), "kvs.write", true);
}

TEST_CASE("a ledger that was rolled back raises the data-loss alarm") {
  Pair pair;
  pair.Start();
  const ApiClient api(pair.channel());
  for (int i = 1; i <= 3; ++i) api.Ask("IntStore.Put", absl::StrCat("key: 'k", i, "' value: ", i));
  const std::vector<std::string> before = api.Dump();
  pair.StopLedger();
  pair.storage().RollBackTo(1);
  pair.StartLedger();
  AwaitHealth(pair.channel(), "", false);
  CHECK(api.Ask("Maintenance.Status", "").find("LEDGER_STATE_DATA_LOSS") != std::string::npos);
  const absl::Status refused = api.ErrorOf("IntStore.Put", "key: 'k1' value: 9");
  CHECK(CodeAndReason(refused) == "UNAVAILABLE NOT_APPLIED");
  CHECK(refused.message().find("rolled back") != absl::string_view::npos);
  CHECK(api.Dump() == before);
  CHECK_FALSE(pair.kvs_fatal.happened());
}

// An empty directory where a disk is not mounted, for example.
TEST_CASE("another ledger in the place of the own one raises the data-loss alarm") {
  Pair pair;
  pair.Start();
  const ApiClient api(pair.channel());
  api.Ask("IntStore.Put", "key: 'k' value: 1");
  const std::vector<std::string> before = api.Dump();
  pair.StopLedger();
  auto other = std::make_shared<txn::MemoryTxnLog::Storage>();
  {
    MutexLock lock(&other->mutex);
    other->position.log_id = "another-log-id-1";
  }
  pair.ReplaceStorage(other);
  pair.StartLedger();
  AwaitHealth(pair.channel(), "", false);
  CHECK_THAT(api.Ask("Maintenance.Status", ""), ContainsText("LEDGER_STATE_DATA_LOSS"));
  CHECK(api.Dump() == before);
  CHECK_FALSE(pair.kvs_fatal.happened());
}

}  // namespace
}  // namespace kvs
