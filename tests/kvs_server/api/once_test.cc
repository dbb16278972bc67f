// Requests with an id, while the test decides when something becomes durable; what outlives the servers is tested in
// tests/integration.
#include "kvs_server/api/once.h"

#include <absl/strings/str_cat.h>

#include <atomic>
#include <string>

#include "common/limits.h"
#include "kvs/v1/map_store.pb.h"
#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

// Of the first request below; ledgers keep it.
constexpr uint64_t kPutHash = 0x067d2a7164051f31;

TEST_CASE("the hash of a command is the same for ever, and does not depend on the order of fields") {
  v1::IntStorePutRequest put;
  put.set_key("k");
  put.set_value(1);
  put.set_request_id("r");
  CHECK(CommandHash(put) == kPutHash);
  put.set_value(2);
  CHECK(CommandHash(put) != kPutHash);

  // Another message with the same bytes.
  v1::IntStoreDeleteRequest removal;
  removal.set_key("k");
  v1::UintStoreDeleteRequest other;
  other.set_key("k");
  CHECK(CommandHash(removal) != CommandHash(other));

  v1::MapStorePutRequest forward;
  v1::MapStorePutRequest backward;
  for (int i = 0; i < 100; ++i) {
    (*forward.mutable_fields())[absl::StrCat("field-", i)] = "value";
    (*backward.mutable_fields())[absl::StrCat("field-", 99 - i)] = "value";
  }
  CHECK(CommandHash(forward) == CommandHash(backward));
}

TEST_CASE_METHOD(ApiFixture, "a request that is sent again gets its first answer, and changes nothing") {
  Do("IntStore.Increment", "key: 'k' delta: 5 request_id: 'r'");
  Do("IntStore.Put", "key: 'k' value: 70");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 5 request_id: 'r'") ==
        "previous: 0 value: 5 revision: 1 latest_revision: 2");
  CHECK(Ask("IntStore.Get", "key: 'k'") == "value: 70 revision: 2 latest_revision: 2");
  CHECK(journal().status().latest_revision == 2);
}

TEST_CASE_METHOD(ApiFixture, "another request with the same id is refused, whatever is wrong with it besides") {
  Do("IntStore.Put", "key: 'k' value: 1 request_id: 'r'");
  for (const auto& [method, request] : {std::pair("IntStore.Put", "key: 'k' value: 2 request_id: 'r'"),
                                        std::pair("IntStore.Put", "key: 'other' value: 1 request_id: 'r'"),
                                        std::pair("IntStore.Put", "key: '' request_id: 'r'"),
                                        std::pair("IntStore.Put",
                                                  "key: 'k' value: 1 ttl { seconds: 1 } "
                                                  "request_id: 'r'"),
                                        std::pair("UintStore.Put", "key: 'k' value: 1 request_id: 'r'"),
                                        std::pair("Keys.Delete", "key: 'k' request_id: 'r'"),
                                        std::pair("IntStore.MultiPut", "keys: 'k' values: 1 request_id: 'r'"),
                                        std::pair("Batch.Execute", "atomic: true request_id: 'r'")}) {
    INFO(method << " " << request);
    CHECK(Ask(method, request) == "INVALID_ARGUMENT REQUEST_ID_REUSED");
  }
  CHECK_THAT(std::string(ErrorOf("IntStore.Put", "key: 'k' value: 2 request_id: 'r'").message()),
             ContainsText("request_id \"r\""));
  CHECK(journal().status().latest_revision == 1);
}

TEST_CASE_METHOD(ApiFixture, "a request of no keys tells the latest revision, with an id as without") {
  Do("IntStore.Put", "key: 'k' value: 1");
  CHECK(Ask("IntStore.MultiPut", "") == "latest_revision: 1");
  CHECK(Ask("IntStore.MultiPut", "request_id: 'm'") == "latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "what failed or changed nothing is not remembered") {
  CHECK_THAT(Ask("IntStore.Put", "key: 'k' value: 1 precondition { must_exist: true } request_id: 'p'"),
             ContainsText("KEY_NOT_FOUND"));
  CHECK(Ask("IntStore.Delete", "key: 'k' request_id: 'd'") == "deleted: false revision: 0 latest_revision: 0");
  CHECK(Ask("IntStore.Put", "key: 'k' request_id: 'm'") == "INVALID_ARGUMENT MISSING_FIELD");
  Do("IntStore.Put", "key: 'k' value: 7 request_id: 'm'");
  Do("IntStore.Put", "key: 'k' value: 1 precondition { must_exist: true } request_id: 'p'");
  Do("IntStore.Delete", "key: 'k' request_id: 'd'");
  CHECK(Ask("IntStore.Delete", "key: 'k' request_id: 'd'") == "deleted: true revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(ApiFixture, "a remembered answer is looked up before the precondition") {
  const char* request = "key: 'k' value: 1 precondition { must_not_exist: true } request_id: 'r'";
  Do("IntStore.Put", request);
  CHECK(Ask("IntStore.Put", request) == "replaced: false revision: 1 latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "a retry that meets its first attempt on the way waits for it") {
  Calls calls = StartWaiting({{"IntStore.Increment", "key: 'k' request_id: 'r'"},
                              {"IntStore.Increment", "key: 'k' request_id: 'r'"},
                              {"Batch.Execute", "operations { int_increment { key: 'k' request_id: 'r' } }"}});
  CHECK(journal().status().latest_revision == 1);
  ledger_.Persist();
  CHECK(calls[0].get() == "previous: 0 value: 1 revision: 1 latest_revision: 1");
  CHECK(calls[1].get() == "previous: 0 value: 1 revision: 1 latest_revision: 1");
  CHECK(calls[2].get() == "results { int_increment { previous: 0 value: 1 revision: 1 } } latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "that an id is taken is told when the request that has it is durable") {
  Calls calls = StartWaiting(
      {{"IntStore.Put", "key: 'k' value: 1 request_id: 'r'"}, {"IntStore.Put", "key: 'k' value: 2 request_id: 'r'"}});
  ledger_.Persist();
  CHECK(calls[1].get() == "INVALID_ARGUMENT REQUEST_ID_REUSED");
  Calls more = StartWaiting(
      {{"IntStore.Put", "key: 'k' value: 1 request_id: 's'"}, {"IntStore.Put", "key: 'k' value: 2 request_id: 's'"}});
  journal().Abandon();
  CHECK(more[1].get() == "UNAVAILABLE PENDING_WRITE");
}

TEST_CASE_METHOD(ApiFixture, "a retry whose wait ends is as little known as its first attempt") {
  const char* batch = "atomic: true request_id: 'b' operations { int_increment { key: 'k' } }";
  Calls calls = StartWaiting({{"IntStore.Increment", "key: 'k' request_id: 'r'"},
                              {"IntStore.Increment", "key: 'k' request_id: 'r'"},
                              {"Batch.Execute", batch},
                              {"Batch.Execute", batch}});
  journal().Abandon();
  for (size_t i = 0; i < 4; ++i) CHECK(calls[i].get() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(journal().status().latest_revision == 2);
}

TEST_CASE_METHOD(ApiFixture, "while the ledger is away, what it has is answered again, and nothing new is remembered") {
  Do("IntStore.Put", "key: 'k' value: 1 request_id: 'r'");
  journal().SetState(LedgerState::kAway, "gone");
  CHECK(Ask("IntStore.Put", "key: 'k' value: 1 request_id: 'r'") == "replaced: false revision: 1 latest_revision: 1");
  CHECK(Ask("IntStore.Put", "key: 'k' value: 2 request_id: 's'") == "UNAVAILABLE NOT_APPLIED");
  journal().SetState(LedgerState::kConnected, "");
  Do("IntStore.Put", "key: 'k' value: 2 request_id: 's'");
  CHECK(Ask("IntStore.Get", "key: 'k'") == "value: 2 revision: 2 latest_revision: 2");
}

TEST_CASE_METHOD(ApiFixture, "each client has ids of its own, and all that are anonymous share theirs") {
  Do("IntStore.Increment", "key: 'k' request_id: 'r'");
  SetActor("spiffe://kvs/client/ann");
  Do("IntStore.Increment", "key: 'k' request_id: 'r'");
  SetActor("spiffe://kvs/client/bob");
  Do("IntStore.Increment", "key: 'k' request_id: 'r'");
  CHECK(Ask("IntStore.Increment", "key: 'k' request_id: 'r'") == "previous: 2 value: 3 revision: 3 latest_revision: 3");
  SetActor(std::string());
  CHECK(Ask("IntStore.Increment", "key: 'k' request_id: 'r'") == "previous: 0 value: 1 revision: 1 latest_revision: 3");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 2 request_id: 'r'") == "INVALID_ARGUMENT REQUEST_ID_REUSED");
}

TEST_CASE_METHOD(ApiFixture, "a call with many keys and an id is one record, and remembers which keys failed") {
  Do("IntStore.Put", "key: 'max' value: 9223372036854775807");
  const char* request = "keys: 'a' keys: 'max' keys: 'a' keys: '' request_id: 'r'";
  Do("IntStore.MultiIncrement", request);
  const auto logged = ledger_.Transactions();
  REQUIRE(logged.transactions_size() == 3);
  CHECK(logged.transactions(1).batch_remaining() == 1);
  CHECK(logged.transactions(2).batch_remaining() == 0);
  CHECK(logged.transactions(1).request().id() == "r");
  CHECK_FALSE(logged.transactions(1).request().has_answer());
  CHECK(logged.transactions(2).request().id() == "r");
  CHECK(logged.transactions(2).request().answer().revisions() == 2);
  Do("IntStore.Put", "key: 'a' value: 100");
  const std::string again = Ask("IntStore.MultiIncrement", request);
  CHECK_THAT(again, ContainsText("values: 1 values: 0 values: 2 values: 0 revisions: 2 revisions: 0 revisions: 3 "
                                 "revisions: 0"));
  CHECK_THAT(again, ContainsText("OVERFLOW"));
  CHECK_THAT(again, ContainsText("INVALID_KEY"));
  CHECK_THAT(again, ContainsText("latest_revision: 4"));
}

TEST_CASE_METHOD(ApiFixture, "a call with many keys and an id has at most 4 MiB in the ledger") {
  // Less in the request, which does not repeat the id.
  std::string request = absl::StrCat("request_id: '", std::string(kMaxRequestIdBytes, 'r'), "'");
  for (int i = 0; i < 10'000; ++i) absl::StrAppend(&request, " keys: '", i, "' values: '", std::string(350, 'x'), "'");
  CHECK(Ask("StringStore.MultiPut", request) == "INVALID_ARGUMENT BATCH_TOO_LARGE");
  CHECK(journal().status().latest_revision == 0);
}

TEST_CASE_METHOD(ApiFixture, "an atomic batch has the id, and an independent one leaves it to its operations") {
  const char* batch =
      "atomic: true request_id: 'b' operations { int_put { key: 'a' value: 1 } } operations { int_get { key: 'a' } } "
      "operations { set_add { key: 's' members: 'm' } }";
  Do("Batch.Execute", batch);
  Do("IntStore.Put", "key: 'a' value: 5");
  CHECK(Ask("Batch.Execute", batch) ==
        "results { int_put { replaced: false revision: 1 } } results { int_get { value: 1 revision: 1 } } "
        "results { set_add { added: 1 size: 1 revision: 2 } } latest_revision: 3");
  CHECK(Ask("Batch.Execute", "atomic: true operations { int_put { key: 'a' value: 1 request_id: 'x' } }") ==
        "INVALID_ARGUMENT INVALID_REQUEST_ID");
  CHECK(Ask("Batch.Execute", "request_id: 'x' operations { int_put { key: 'a' value: 1 } }") ==
        "INVALID_ARGUMENT INVALID_REQUEST_ID");
  CHECK(journal().status().latest_revision == 3);
  const char* twice =
      "operations { int_increment { key: 'n' request_id: 'n' } } operations { int_increment { key: 'n' request_id: "
      "'n' } } operations { int_increment { key: 'n' } }";
  Do("Batch.Execute", twice);
  CHECK(journal().status().latest_revision == 5);
  Do("Batch.Execute", twice);
  CHECK(Ask("IntStore.Get", "key: 'n'") == "value: 3 revision: 6 latest_revision: 6");
}

TEST_CASE_METHOD(ApiFixture, "an answer that would be too large to remember is refused before anything is changed") {
  for (const char* key : {"a", "b"}) {
    Do("StringStore.Put", absl::StrCat("key: '", key, "' value: '", std::string(kMaxAnswerBytes / 2, 'x'), "'"));
  }
  const std::string batch =
      "atomic: true operations { string_get { key: 'a' } } operations { string_get { key: 'b' } } "
      "operations { int_put { key: 'k' value: 1 } }";
  const absl::Status refused = ErrorOf("Batch.Execute", batch + " request_id: 'r'");
  CHECK(Is(refused, errors::kReplyTooLarge));
  CHECK(MetadataOf(refused, "limit") == absl::StrCat(kMaxAnswerBytes));
  CHECK(journal().status().latest_revision == 2);
  Do("Batch.Execute", batch);
  CHECK(journal().status().latest_revision == 3);
}

std::atomic<int64_t> now_seconds = 0;

class WithClock : public ApiFixture {
 protected:
  WithClock() : ApiFixture(true, Options()) {}

 private:
  static JournalOptions Options() {
    now_seconds = 1'000'000'000;
    JournalOptions options;
    options.clock = [] { return absl::FromUnixSeconds(now_seconds); };
    return options;
  }
};

TEST_CASE_METHOD(WithClock, "the removal of a key whose time had come is no part of the request") {
  Do("IntStore.Put", "key: 'k' value: 1 ttl { seconds: 10 }");
  now_seconds += 11;
  Do("IntStore.Increment", "key: 'k' request_id: 'r'");
  CHECK(Ask("IntStore.Increment", "key: 'k' request_id: 'r'") == "previous: 0 value: 1 revision: 3 latest_revision: 3");
  const auto logged = ledger_.Transactions();
  REQUIRE(logged.transactions_size() == 3);
  CHECK_FALSE(logged.transactions(1).has_request());
  CHECK(logged.transactions(2).request().answer().revisions() == 2);
}

}  // namespace
}  // namespace kvs::server
