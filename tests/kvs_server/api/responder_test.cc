#include "kvs_server/api/responder.h"

#include <future>
#include <string>
#include <thread>

#include "common/errors.h"
#include "kvs/v1/int_store.grpc.pb.h"
#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

// One call of each kind.
std::vector<absl::Status> OneOfEach(const ApiClient& client) {
  return {client.ErrorOf("IntStore.Put", "key: 'k' value: 1"), client.ErrorOf("IntStore.Get", "key: 'k'"),
          client.ErrorOf("Keys.Count", ""), client.ErrorOf("Batch.Execute", "operations { int_get { key: 'k' } }")};
}

class WaitingFixture : public ApiFixture {
 protected:
  WaitingFixture() : ApiFixture(/*connected=*/false) {}
};

TEST_CASE_METHOD(WaitingFixture, "before the ledger was found calls are refused with what is known about it") {
  journal().SetState(LedgerState::kWaiting, "connection refused");
  for (const absl::Status& status : OneOfEach(client_)) {
    CHECK(Is(status, errors::kReplaying));
    CHECK_THAT(std::string(status.message()), ContainsText("connection refused"));
  }
  CHECK(client_.List() == std::vector<std::string>{"UNAVAILABLE REPLAYING"});
}

TEST_CASE_METHOD(WaitingFixture, "during the replay calls are refused with its progress") {
  journal().SetLedger("log", 1, 20);
  journal().SetState(LedgerState::kReplaying, "replaying");
  journal().Replayed(15, 0);
  for (const absl::Status& status : OneOfEach(client_)) {
    CHECK(Is(status, errors::kReplaying));
    CHECK(MetadataOf(status, "revision") == "15");
    CHECK(MetadataOf(status, "last_revision") == "20");
  }
}

TEST_CASE_METHOD(ApiFixture, "while the server drains calls are refused") {
  responder_.Drain();
  for (const absl::Status& status : OneOfEach(client_)) CHECK(Is(status, errors::kDraining));
  CHECK(client_.List() == std::vector<std::string>{"UNAVAILABLE DRAINING"});
}

TEST_CASE_METHOD(ApiFixture, "a caller whose identity cannot be told is refused") {
  SetActor(Error(errors::kNotPermitted, "two identities"));
  for (const absl::Status& status : OneOfEach(client_)) CHECK(Is(status, errors::kNotPermitted));
  CHECK(client_.List() == std::vector<std::string>{"PERMISSION_DENIED NOT_PERMITTED"});
}

TEST_CASE_METHOD(ApiFixture, "the caller is the actor of what it changes") {
  SetActor("spiffe://kvs/client/ann");
  Do("IntStore.Put", "key: 'k' value: 1");
  CHECK(ledger_.Transactions().transactions(0).actor() == "spiffe://kvs/client/ann");
}

TEST_CASE_METHOD(ApiFixture, "a change is answered when it is durable, and not before") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'k' value: 5"}});
  ledger_.Receive();
  CHECK_FALSE(IsAnswered(calls[0]));
  ledger_.Persist();
  CHECK(calls[0].get() == "replaced: false revision: 1 latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "a reply shows the state that it was made from, not that of when it leaves") {
  Calls calls = StartWaiting(
      {{"IntStore.Put", "key: 'k' value: 5"}, {"IntStore.Get", "key: 'k'"}, {"IntStore.Put", "key: 'k' value: 6"}});
  ledger_.Persist();
  CHECK(calls[1].get() == "value: 5 revision: 1 latest_revision: 1");
  CHECK(calls[2].get() == "replaced: true revision: 2 latest_revision: 2");
}

TEST_CASE_METHOD(ApiFixture,
                 "when the breaker opens a change is unknown and a read is pending, with different reasons") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'k' value: 5"}, {"IntStore.Get", "key: 'k'"}});
  journal().SetState(LedgerState::kAway, "gone");
  CHECK(calls[0].get() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(calls[1].get() == "UNAVAILABLE PENDING_WRITE");
}

TEST_CASE_METHOD(ApiFixture, "an error that saw a pending value ends as pending as well when the breaker opens") {
  Calls calls =
      StartWaiting({{"UintStore.Put", "key: 'k' value: 0"}, {"UintStore.Increment", "key: 'k' decrement: 1"}});
  journal().SetState(LedgerState::kAway, "gone");
  CHECK(calls[1].get() == "UNAVAILABLE PENDING_WRITE");
}

TEST_CASE_METHOD(ApiFixture, "while the ledger is away changes are refused, and what is durable is read") {
  Do("IntStore.Put", "key: 'k' value: 5");
  journal().SetState(LedgerState::kAway, "gone");
  CHECK(Ask("IntStore.Put", "key: 'k' value: 6") == "UNAVAILABLE NOT_APPLIED");
  CHECK(Ask("Keys.Delete", "key: 'k'") == "UNAVAILABLE NOT_APPLIED");
  CHECK(Ask("IntStore.Get", "key: 'k'") == "value: 5 revision: 1 latest_revision: 1");
  // Neither changes anything, so no ledger is needed.
  CHECK(Ask("IntStore.Delete", "key: 'x'") == "deleted: false revision: 0 latest_revision: 1");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 0") == "previous: 5 value: 5 revision: 1 latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "a change whose caller has gone is made all the same") {
  v1::IntStore::Stub ints(server_.Connect());
  v1::IntStorePutRequest request;
  request.set_key("k");
  request.set_value(5);
  TestContext context;
  auto call = std::async(std::launch::async, [&] {
    v1::IntStorePutResponse response;
    return ints.Put(&context, request, &response).error_code();
  });
  while (journal().status().waiting_replies < 1) std::this_thread::yield();
  context.TryCancel();
  CHECK(call.get() == grpc::StatusCode::CANCELLED);
  ledger_.Persist();
  CHECK(Ask("IntStore.Get", "key: 'k'") == "value: 5 revision: 1 latest_revision: 1");
}

}  // namespace
}  // namespace kvs::server
