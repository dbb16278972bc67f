// A reply that evaluated state leaves only when the newest revision that it could have observed is durable.
//
// The ledger is held up while it appends. That a reply waits is known from the number of waiting replies that the
// server tells, and from the call being unanswered then; no time has to pass for that.

#include <future>
#include <initializer_list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/support/api_pair.h"
#include "tests/support/gate.h"

namespace kvs {
namespace {

class DurabilityRule : public ApiPair {
 protected:
  DurabilityRule() {
    Ask("IntStore.Put", "key: 'durable' value: 1");
    Ask("StringStore.Put", "key: 'k' value: 'durable text'");
    pair_.storage().SetBeforeAppend(gate_.Hook());
  }
  ~DurabilityRule() {
    gate_.Open();
    pair_.storage().SetBeforeAppend(nullptr);
  }

  // Begins a call, and returns when its reply waits in the server.
  void StartWaiting(const std::string& method, const std::string& request) {
    INFO(method << " " << request);
    calls_.push_back(client().Start(method, request));
    do {
      if (IsAnswered(calls_.back())) FAIL("it was answered: " << calls_.back().get());
    } while (WaitingReplies() < calls_.size());
    REQUIRE_FALSE(IsAnswered(calls_.back()));
  }

  // Lets the ledger go on, and returns the replies in the order in which the calls began.
  std::vector<std::string> Release() {
    for (const auto& call : calls_) CHECK_FALSE(IsAnswered(call));
    gate_.Open();
    std::vector<std::string> replies;
    for (auto& call : calls_) replies.push_back(call.get());
    CHECK(WaitingReplies() == 0);
    return replies;
  }

 private:
  uint64_t WaitingReplies() const {
    v1::MaintenanceStatusResponse status;
    v1::Maintenance::Stub stub(pair_.channel());
    REQUIRE(Call(stub, &v1::Maintenance::Stub::Status, v1::MaintenanceStatusRequest(), &status).ok());
    return status.waiting_replies();
  }

  Gate gate_;
  std::vector<std::future<std::string>> calls_;
};

using Replies = std::vector<std::string>;

TEST_CASE_METHOD(DurabilityRule, "the reply to a put waits until it is durable") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  CHECK(LatestRevision() == 3);
  CHECK(Release() == Replies{"replaced: false revision: 3 latest_revision: 3"});
}

TEST_CASE_METHOD(DurabilityRule, "a Get of a pending value waits") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  StartWaiting("IntStore.Get", "key: 'k'");
  CHECK(Release().back() == "value: 5 revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(DurabilityRule, "a Get of a value that is being replaced waits") {
  StartWaiting("IntStore.Put", "key: 'durable' value: 2");
  StartWaiting("IntStore.Get", "key: 'durable'");
  CHECK(Release().back() == "value: 2 revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(DurabilityRule, "NOT_FOUND after a pending delete waits") {
  StartWaiting("IntStore.Delete", "key: 'durable'");
  StartWaiting("IntStore.Get", "key: 'durable'");
  StartWaiting("IntStore.Delete", "key: 'durable'");
  CHECK(Release() == Replies{"deleted: true revision: 3 latest_revision: 3", "NOT_FOUND KEY_NOT_FOUND",
                             "deleted: false revision: 0 latest_revision: 2"});
}

TEST_CASE_METHOD(DurabilityRule, "an overflow that saw a pending value waits") {
  StartWaiting("IntStore.Put", "key: 'k' value: 9223372036854775807");
  StartWaiting("IntStore.Increment", "key: 'k'");
  CHECK(Release().back() == "OUT_OF_RANGE OVERFLOW");
}

TEST_CASE_METHOD(DurabilityRule, "a limit that a pending value has reached waits") {
  StartWaiting("StringStore.Append", "key: 'k' value: '" + std::string(kMiB - 12, 'x') + "'");
  StartWaiting("StringStore.Append", "key: 'k' value: 'x'");
  CHECK(Release().back() == "RESOURCE_EXHAUSTED RESULT_TOO_LARGE");
}

TEST_CASE_METHOD(DurabilityRule,
                 "a precondition that failed at a pending value waits, as does one at a pending delete") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  StartWaiting("IntStore.Put", "key: 'k' value: 6 precondition { must_not_exist: true }");
  StartWaiting("IntStore.Increment", "key: 'k' precondition { revision_equals: 1 }");
  StartWaiting("Keys.Delete", "key: 'k' precondition { must_not_exist: true }");
  StartWaiting("IntStore.Delete", "key: 'durable'");
  StartWaiting("IntStore.Delete", "key: 'durable' precondition { must_exist: true }");
  CHECK(LatestRevision() == 4);
  const Replies replies = Release();
  CHECK(replies[1] == "ALREADY_EXISTS KEY_EXISTS");
  CHECK(replies[2] == "ABORTED REVISION_MISMATCH");
  CHECK(replies[3] == "ALREADY_EXISTS KEY_EXISTS");
  CHECK(replies[5] == "NOT_FOUND KEY_NOT_FOUND");
}

TEST_CASE_METHOD(DurabilityRule, "Size and Contains of a pending set wait") {
  StartWaiting("SetStore.Add", "key: 's' members: 'a'");
  StartWaiting("SetStore.Size", "key: 's'");
  StartWaiting("SetStore.Contains", "key: 's' member: 'a'");
  StartWaiting("SetStore.Contains", "key: 's' member: 'b'");
  StartWaiting("SetStore.ListMembers", "key: 's'");
  const Replies replies = Release();
  CHECK(replies[1] == "size: 1 revision: 3 latest_revision: 3");
  CHECK(replies[3] == "contains: false revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(DurabilityRule, "the reads of a pending map wait") {
  StartWaiting("MapStore.PutFields", "key: 'm' fields { key: 'a' value: '1' }");
  for (const char* method : {"MapStore.Get", "MapStore.Size", "MapStore.ListFields"}) StartWaiting(method, "key: 'm'");
  StartWaiting("MapStore.GetFields", "key: 'm' names: 'b'");
  CHECK(Release().back() == "revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(DurabilityRule, "a mutation that changed nothing on a pending value waits") {
  StartWaiting("SetStore.Add", "key: 's' members: 'a'");
  StartWaiting("SetStore.Add", "key: 's' members: 'a'");
  StartWaiting("SetStore.Remove", "key: 's' members: 'x'");
  CHECK(LatestRevision() == 3);
  CHECK(Release()[1] == "added: 0 size: 1 revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(DurabilityRule, "Exists waits for a pending value, and for a pending delete") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  StartWaiting("Keys.Exists", "key: 'k'");
  StartWaiting("IntStore.Delete", "key: 'durable'");
  StartWaiting("Keys.Exists", "key: 'durable'");
  const Replies replies = Release();
  CHECK(replies[1] == "exists: true types: VALUE_TYPE_INT types: VALUE_TYPE_STRING revision: 3 latest_revision: 3");
  CHECK(replies[3] == "exists: false revision: 0 latest_revision: 2");
}

TEST_CASE_METHOD(DurabilityRule, "Count waits for whatever is pending") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  StartWaiting("Keys.Count", "types: VALUE_TYPE_INT");
  CHECK(Release().back() == "count: 2 types { type: VALUE_TYPE_INT count: 2 } latest_revision: 3");
}

TEST_CASE_METHOD(DurabilityRule, "List waits for the pending keys that it shows") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  auto list = std::async(std::launch::async, [client = client()] { return client.List("types: VALUE_TYPE_INT"); });
  // The list is the second one that waits.
  StartWaiting("IntStore.Get", "key: 'k'");
  CHECK(list.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  CHECK(Release().size() == 2);
  CHECK(list.get() == Replies{"VALUE_TYPE_INT durable 1", "VALUE_TYPE_INT k 3"});
}

TEST_CASE_METHOD(DurabilityRule, "reads of other keys, which are durable, answer at once") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  CHECK(Ask("IntStore.Get", "key: 'durable'") == "value: 1 revision: 1 latest_revision: 2");
  CHECK(Ask("StringStore.Get", "key: 'k'") == "value: \"durable text\" revision: 2 latest_revision: 2");
  CHECK(Ask("IntStore.Get", "key: 'absent'") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(Ask("IntStore.Increment", "key: 'durable' delta: 0") == "previous: 1 value: 1 revision: 1 latest_revision: 2");
  CHECK(Ask("IntStore.Put", "key: 'durable' value: 2 precondition { revision_equals: 7 }") ==
        "ABORTED REVISION_MISMATCH");
  CHECK(Ask("Keys.Exists", "key: 'k' types: VALUE_TYPE_STRING") ==
        "exists: true types: VALUE_TYPE_STRING revision: 2 latest_revision: 2");
  CHECK(Ask("Maintenance.Echo", "message: 'x'") == "message: \"x\" actor: \"anonymous\"");
  CHECK(Release() == Replies{"replaced: false revision: 3 latest_revision: 3"});
}

TEST_CASE_METHOD(DurabilityRule, "bad input is refused at once, whatever is pending") {
  StartWaiting("IntStore.Put", "key: 'k' value: 5");
  CHECK(Ask("IntStore.Put", "key: 'k'") == "INVALID_ARGUMENT MISSING_FIELD");
  CHECK(Ask("IntStore.Get", "key: ''") == "INVALID_ARGUMENT INVALID_KEY");
  Release();
}

TEST_CASE_METHOD(DurabilityRule, "changes queue while one is on its way, and the next group takes them all") {
  StartWaiting("IntStore.Put", "key: 'a' value: 1");
  for (const char* key : {"b", "c", "d"}) StartWaiting("IntStore.Put", "key: '" + std::string(key) + "' value: 1");
  const Replies replies = Release();
  for (size_t i = 0; i < replies.size(); ++i) {
    const std::string revision = std::to_string(3 + i);
    CHECK(replies[i] == "replaced: false revision: " + revision + " latest_revision: " + revision);
  }
  CheckSameAfterRestart();
}

}  // namespace
}  // namespace kvs
