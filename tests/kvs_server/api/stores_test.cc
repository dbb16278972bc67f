// What each verb waits for; what it answers is tested from outside, in tests/integration.
#include "kvs_server/api/stores.h"

#include <string>
#include <thread>

#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

TEST_CASE_METHOD(ApiFixture, "every read that saw a pending value waits for it") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'k' value: 1"},
                              {"UintStore.Put", "key: 'k' value: 1"},
                              {"FloatStore.Put", "key: 'k' value: 1"},
                              {"StringStore.Put", "key: 'k' value: 'v'"},
                              {"SetStore.Put", "key: 'k' members: 'm'"},
                              {"MapStore.Put", "key: 'k' fields { key: 'f' value: 'v' }"},
                              {"IntStore.Get", "key: 'k'"},
                              {"UintStore.Get", "key: 'k'"},
                              {"FloatStore.Get", "key: 'k'"},
                              {"StringStore.Get", "key: 'k'"},
                              {"SetStore.Get", "key: 'k'"},
                              {"SetStore.Contains", "key: 'k' member: 'x'"},
                              {"SetStore.Size", "key: 'k'"},
                              {"SetStore.ListMembers", "key: 'k'"},
                              {"MapStore.Get", "key: 'k'"},
                              {"MapStore.GetFields", "key: 'k' names: 'x'"},
                              {"MapStore.Size", "key: 'k'"},
                              {"MapStore.ListFields", "key: 'k'"}});
  ledger_.Persist();
  CHECK(calls[6].get() == "value: 1 revision: 1 latest_revision: 1");
  CHECK(calls[11].get() == "contains: false revision: 5 latest_revision: 5");
  CHECK(calls[15].get() == "revision: 6 latest_revision: 6");
}

TEST_CASE_METHOD(ApiFixture, "calls with many keys wait for the newest that they saw") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  Calls calls = StartWaiting({{"IntStore.MultiPut", "keys: 'a' keys: 'b' values: 1 values: 2"},
                              {"IntStore.MultiGet", "keys: 'b' keys: 'durable'"},
                              {"IntStore.MultiGet", "keys: 'durable' keys: 'a'"},
                              {"IntStore.MultiPut", "keys: 'a' values: 5 precondition { must_not_exist: true }"},
                              {"IntStore.MultiIncrement", "keys: 'durable' keys: 'b'"}});
  CHECK(Ask("IntStore.MultiGet", "keys: 'x' keys: ''").find("INVALID_KEY") != std::string::npos);
  ledger_.Receive();
  ledger_.PersistUpTo(2);
  while (!IsAnswered(calls[2])) std::this_thread::yield();
  CHECK(calls[2].get() == "values: 7 values: 1 revisions: 1 revisions: 2 latest_revision: 2");
  CHECK_FALSE(IsAnswered(calls[0]));
  ledger_.Persist();
  CHECK(calls[0].get() == "revisions: 2 revisions: 3 latest_revision: 3");
  CHECK(calls[4].get() == "values: 8 values: 3 revisions: 4 revisions: 5 latest_revision: 5");
}

TEST_CASE_METHOD(ApiFixture, "while the ledger is away, many keys are read, but not changed") {
  Do("IntStore.Put", "key: 'durable' value: 7");
  journal().SetState(LedgerState::kAway, "gone");
  CHECK(Ask("IntStore.MultiGet", "keys: 'durable'") == "values: 7 revisions: 1 latest_revision: 1");
  CHECK(Ask("IntStore.MultiPut", "keys: 'a' values: 1") == "UNAVAILABLE NOT_APPLIED");
  CHECK(Ask("IntStore.MultiGet", "keys: 'a'") == "values: 0 revisions: 0 latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "a key that is missing for a pending delete is told when the delete is durable") {
  Do("SetStore.Put", "key: 'k' members: 'm'");
  Do("MapStore.Put", "key: 'k'");
  Calls calls = StartWaiting({{"SetStore.Delete", "key: 'k'"},
                              {"MapStore.Delete", "key: 'k'"},
                              {"SetStore.Get", "key: 'k'"},
                              {"SetStore.Contains", "key: 'k' member: 'm'"},
                              {"SetStore.Size", "key: 'k'"},
                              {"SetStore.ListMembers", "key: 'k'"},
                              {"SetStore.Remove", "key: 'k' members: 'm'"},
                              {"MapStore.Get", "key: 'k'"},
                              {"MapStore.GetFields", "key: 'k' names: 'f'"},
                              {"MapStore.Size", "key: 'k'"},
                              {"MapStore.ListFields", "key: 'k'"},
                              {"MapStore.RemoveFields", "key: 'k' names: 'f'"},
                              {"MapStore.Delete", "key: 'k'"}});
  ledger_.Persist();
  for (const size_t i : {2, 3, 4, 5, 7, 8, 9, 10}) CHECK(calls[i].get() == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(calls[6].get() == "removed: 0 size: 0 revision: 0 latest_revision: 2");
}

TEST_CASE_METHOD(ApiFixture, "a mutation that changed nothing waits for what it saw") {
  Calls calls = StartWaiting({{"SetStore.Put", "key: 'k' members: 'm'"},
                              {"SetStore.Add", "key: 'k' members: 'm'"},
                              {"SetStore.Remove", "key: 'k' members: 'x'"},
                              {"IntStore.Put", "key: 'k' value: 1"},
                              {"IntStore.Increment", "key: 'k' delta: 0"},
                              {"StringStore.Put", "key: 'k' value: 'v'"},
                              {"StringStore.Append", "key: 'k' value: ''"},
                              {"MapStore.Put", "key: 'k'"},
                              {"MapStore.RemoveFields", "key: 'k' names: 'x'"}});
  CHECK(journal().status().latest_revision == 4);
  ledger_.Persist();
  CHECK(calls[1].get() == "added: 0 size: 1 revision: 1 latest_revision: 1");
}

TEST_CASE_METHOD(ApiFixture, "an error that saw a pending value waits for it") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'k' value: 9223372036854775807"},
                              {"IntStore.Increment", "key: 'k'"},
                              {"IntStore.Delete", "key: 'k'"},
                              {"IntStore.Get", "key: 'k'"},
                              {"IntStore.Delete", "key: 'k'"}});
  ledger_.Receive();
  for (const auto& call : calls) CHECK_FALSE(IsAnswered(call));
  ledger_.PersistUpTo(1);
  CHECK(calls[1].get() == "OUT_OF_RANGE OVERFLOW");
  CHECK_FALSE(IsAnswered(calls[3]));
  ledger_.Persist();
  CHECK(calls[3].get() == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(calls[4].get() == "deleted: false revision: 0 latest_revision: 0");
}

TEST_CASE_METHOD(ApiFixture, "a request that is refused for its own sake does not wait") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'k' value: 1"}});
  CHECK(Ask("IntStore.Put", "key: 'k'") == "INVALID_ARGUMENT MISSING_FIELD");
  CHECK(Ask("IntStore.Put", "key: 'k' value: 1 request_id: '\\000'") == "INVALID_ARGUMENT INVALID_REQUEST_ID");
  CHECK(Ask("IntStore.Get", "key: ''") == "INVALID_ARGUMENT INVALID_KEY");
}

TEST_CASE_METHOD(ApiFixture, "durable keys are read at once while others are pending") {
  Do("IntStore.Put", "key: 'durable' value: 1");
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'pending' value: 1"}});
  CHECK(Ask("IntStore.Get", "key: 'durable'") == "value: 1 revision: 1 latest_revision: 1");
  CHECK(Ask("IntStore.Get", "key: 'absent'") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK_FALSE(IsAnswered(calls[0]));
}

}  // namespace
}  // namespace kvs::server
