// What batches wait for; what they answer is tested from outside, in tests/integration.
#include "kvs_server/api/batch.h"

#include <google/protobuf/text_format.h>

#include <string>

#include "common/rpc/status.h"
#include "kvs/v1/batch.pb.h"
#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

constexpr const char* kPutA = "operations { int_put { key: 'a' value: 1 } } ";
constexpr const char* kGetDurable = "operations { int_get { key: 'durable' } } ";

TEST_CASE_METHOD(ApiFixture, "a batch waits for the newest revision that one of its operations observed") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  Calls calls = StartWaiting({{"Batch.Execute",
                               "operations { int_put { key: 'a' value: 1 } } "
                               "operations { int_get { key: 'durable' } }"},
                              {"Batch.Execute", "operations { int_get { key: 'a' } }"},
                              {"Batch.Execute",
                               "atomic: true operations { int_get { key: 'a' } } "
                               "operations { int_get { key: 'durable' } }"},
                              {"Batch.Execute",
                               "atomic: true operations { int_get { key: 'a' } } "
                               "operations { int_put { key: '' } }"},
                              {"Batch.Execute",
                               "operations { int_put { key: 'a' value: 2 "
                               "precondition { must_not_exist: true } } }"}});
  CHECK(Ask("Batch.Execute", kGetDurable) == "results { int_get { value: 7 revision: 1 } } latest_revision: 1");
  ledger_.Persist();
  CHECK(calls[0].get() ==
        "results { int_put { replaced: false revision: 2 } } results { int_get { value: 7 revision: 1 } } "
        "latest_revision: 2");
  CHECK(calls[1].get() == "results { int_get { value: 1 revision: 2 } } latest_revision: 2");
  CHECK(calls[2].get() ==
        "results { int_get { value: 1 revision: 2 } } results { int_get { value: 7 revision: 1 } } latest_revision: 2");
  CHECK(calls[3].get() == "INVALID_ARGUMENT INVALID_KEY");
  CHECK_THAT(calls[4].get(), ContainsText("KEY_EXISTS"));
}

TEST_CASE_METHOD(ApiFixture, "an atomic batch waits for its last revision") {
  Calls calls = StartWaiting({{"Batch.Execute",
                               "atomic: true operations { int_put { key: 'a' value: 1 } } "
                               "operations { int_put { key: 'b' value: 1 } }"}});
  ledger_.Receive();
  ledger_.PersistUpTo(1);
  CHECK_FALSE(IsAnswered(calls[0]));
  ledger_.Persist();
  CHECK(calls[0].get() ==
        "results { int_put { replaced: false revision: 1 } } results { int_put { replaced: false revision: 2 } } "
        "latest_revision: 2");
}

TEST_CASE_METHOD(ApiFixture, "of an independent batch whose wait ends, each operation tells what is known of it") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  Calls calls = StartWaiting({{"Batch.Execute",
                               "operations { int_get { key: 'durable' } } "
                               "operations { int_put { key: 'a' value: 1 } } "
                               "operations { int_get { key: 'a' } } "
                               "operations { int_put { key: 'a' } } "
                               "operations { int_get { key: 'absent' } }"}});
  journal().Abandon();
  const std::string reply = calls[0].get();
  v1::BatchExecuteResponse response;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(reply, &response));
  REQUIRE(response.results_size() == 5);
  CHECK(response.latest_revision() == 1);
  const auto error_of = [&](int i) {
    const google::rpc::Status& error = response.results(i).error();
    return CodeAndReason(rpc::FromProto(error));
  };
  CHECK(response.results(0).int_get().value() == 7);
  CHECK(error_of(1) == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(error_of(2) == "UNAVAILABLE PENDING_WRITE");
  CHECK(error_of(3) == "INVALID_ARGUMENT MISSING_FIELD");
  CHECK(error_of(4) == "NOT_FOUND KEY_NOT_FOUND");
}

TEST_CASE_METHOD(ApiFixture, "an atomic batch whose wait ends is unknown, or pending if it only read") {
  Calls calls = StartWaiting({{"Batch.Execute", "atomic: true operations { int_put { key: 'a' value: 1 } }"},
                              {"Batch.Execute", "atomic: true operations { int_get { key: 'a' } }"}});
  journal().Abandon();
  CHECK(calls[0].get() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(calls[1].get() == "UNAVAILABLE PENDING_WRITE");
}

TEST_CASE_METHOD(ApiFixture, "while the ledger is away, what changes something fails, and the rest is served") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  journal().SetState(LedgerState::kAway, "gone");
  const std::string reply = Ask("Batch.Execute", std::string(kPutA) + kGetDurable);
  CHECK_THAT(reply, ContainsText("NOT_APPLIED"));
  CHECK_THAT(reply, ContainsText("int_get { value: 7 revision: 1 }"));
  CHECK(Ask("Batch.Execute", std::string("atomic: true ") + kPutA + kGetDurable) == "UNAVAILABLE NOT_APPLIED");
  CHECK(Ask("Batch.Execute", std::string("atomic: true ") + kGetDurable) ==
        "results { int_get { value: 7 revision: 1 } } latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "the caller of a batch is the actor of what it changes") {
  SetActor("spiffe://kvs/client/ann");
  Do("Batch.Execute", kPutA);
  Do("Batch.Execute", std::string("atomic: true ") + kPutA);
  const auto logged = ledger_.Transactions();
  REQUIRE(logged.transactions_size() == 2);
  for (const auto& transaction : logged.transactions()) CHECK(transaction.actor() == "spiffe://kvs/client/ann");
}

}  // namespace
}  // namespace kvs::server
