#include "kvs_server/expirer.h"

#include <grpcpp/completion_queue.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

class ExpirerFixture {
 protected:
  ExpirerFixture() { loop_.Start(); }
  ~ExpirerFixture() {
    expirer_.Stop();
    loop_.Stop();
  }

  // Keys that expire at once, durable.
  void PutDue(size_t keys) {
    for (size_t i = 0; i < keys; ++i) {
      const std::string key = "key-" + std::to_string(i);
      engine_.Mutate<int64_t>("", key, {{}, /*ttl_micros=*/1},
                              [](const int64_t*) -> absl::StatusOr<std::optional<Operation>> {
                                return Operation(operation::Put{int64_t{7}});
                              });
    }
    ledger_.Persist();
  }
  int64_t Keys() { return store_.usage().total().keys; }
  uint64_t Pending() {
    const JournalStatus status = ledger_.journal().status();
    return status.latest_revision - status.durable_revision;
  }

  ManualLedger ledger_;
  Store store_{8};
  Engine engine_{&store_, &ledger_.journal()};
  rpc::EventLoop loop_{std::make_unique<grpc::CompletionQueue>()};
  Expirer expirer_{&engine_, &loop_};
};

TEST_CASE_METHOD(ExpirerFixture, "keys are removed when their time has come, a fixed number on their way at a time") {
  PutDue(5 * kMaxExpiriesAtOnce);
  expirer_.Start();
  uint64_t most = 0;
  uint64_t before = 0;
  while (Keys() > 0) {
    const uint64_t pending = Pending();
    most = std::max(most, pending);
    if (pending == before) ledger_.Persist();
    before = pending;
    std::this_thread::yield();
  }
  CHECK(most > 0);
  CHECK(most <= kMaxExpiriesAtOnce);
}

TEST_CASE_METHOD(ExpirerFixture, "nothing is removed after the stop") {
  PutDue(10);
  expirer_.Stop();
  expirer_.Start();
  std::promise<void> has_run;
  loop_.Post([&has_run] { has_run.set_value(); });
  has_run.get_future().wait();
  CHECK(Keys() == 10);
}

}  // namespace
}  // namespace kvs::server
