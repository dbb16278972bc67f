#include "kvs_server/api/keys.h"

#include <string>

#include "common/limits.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

using Lines = std::vector<std::string>;

// Reads one Keys.List message by message.
class ListCall {
 public:
  explicit ListCall(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(channel), reader_(stub_.List(&context_, v1::KeysListRequest())) {}

  // The number of keys in the next message; -1 at the end.
  int Next() { return reader_->Read(&message_) ? message_.keys_size() : -1; }
  uint64_t latest_revision() const { return message_.latest_revision(); }
  grpc::Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  TestContext context_;
  v1::Keys::Stub stub_;
  std::unique_ptr<grpc::ClientReader<v1::KeysListResponse>> reader_;
  v1::KeysListResponse message_;
};

class KeysFixture : public ApiFixture {
 protected:
  // Puts ints with names in byte order straight into the store, as a replay does.
  void Fill(uint64_t count) {
    for (uint64_t i = 1; i <= count; ++i) {
      const std::string key = std::to_string(1000000 + i);
      Transaction transaction;
      transaction.revision = i;
      transaction.key = key;
      transaction.operation = operation::Put{int64_t{1}};
      REQUIRE(store_.Apply(transaction).ok());
    }
    journal().Replayed(count, 0);
  }
};

TEST_CASE_METHOD(KeysFixture, "a list comes in messages of 1,000 keys") {
  Fill(2500);
  ListCall list(server_.Connect());
  CHECK(list.Next() == 1000);
  CHECK(list.latest_revision() == 2500);
  CHECK(list.Next() == 1000);
  CHECK(list.Next() == 500);
  CHECK(list.Next() == -1);
  CHECK(list.Finish().ok());
}

TEST_CASE_METHOD(KeysFixture, "an empty list is one message without keys") {
  ListCall list(server_.Connect());
  CHECK(list.Next() == 0);
  CHECK(list.Next() == -1);
  CHECK(list.Finish().ok());
}

TEST_CASE_METHOD(KeysFixture, "a list waits until what it shows is durable") {
  Do("IntStore.Put", "key: 'durable' value: 1");
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'pending' value: 1"}});
  auto list = std::async(std::launch::async, [this] { return client_.List(); });
  AwaitWaiting(2, calls);
  CHECK(list.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  ledger_.Persist();
  CHECK(list.get() == Lines{"VALUE_TYPE_INT durable 1", "VALUE_TYPE_INT pending 2"});
}

TEST_CASE_METHOD(KeysFixture, "an empty list waits until the deletes that emptied it are durable") {
  Do("IntStore.Put", "key: 'k' value: 1");
  Calls calls = StartWaiting({{"IntStore.Delete", "key: 'k'"}});
  auto list = std::async(std::launch::async, [this] { return client_.List(); });
  AwaitWaiting(2, calls);
  CHECK(list.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  ledger_.Persist();
  CHECK(list.get().empty());
}

TEST_CASE_METHOD(KeysFixture, "a list that shows what is pending fails when the breaker opens") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'pending' value: 1"}});
  auto list = std::async(std::launch::async, [this] { return client_.List(); });
  AwaitWaiting(2, calls);
  journal().SetState(LedgerState::kAway, "gone");
  CHECK(list.get() == Lines{"UNAVAILABLE PENDING_WRITE"});
}

TEST_CASE_METHOD(KeysFixture, "a list whose reader has gone ends while it waits") {
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'pending' value: 1"}});
  {
    ListCall list(server_.Connect());
    AwaitWaiting(2, calls);
    list.Cancel();
    CHECK(list.Finish().error_code() == grpc::StatusCode::CANCELLED);
  }
  ledger_.Persist();
  CHECK(calls[0].get() == "replaced: false revision: 1 latest_revision: 1");
  CHECK(client_.List() == Lines{"VALUE_TYPE_INT pending 1"});
}

TEST_CASE_METHOD(KeysFixture, "a list whose reader stops reading costs little, and does not hold up others") {
  // Far more than the transport buffers.
  Fill(200000);
  ListCall slow(server_.Connect());
  REQUIRE(slow.Next() == 1000);
  CHECK(client_.List("prefix: '10000'").size() == 99);
  Do("IntStore.Put", "key: '1200001' value: 1");
  int keys = 1000;
  for (int next = slow.Next(); next > 0; next = slow.Next()) keys += next;
  CHECK(keys == 200000);
  CHECK(slow.Finish().ok());
}

TEST_CASE_METHOD(KeysFixture, "a list under way ends when the server drains") {
  Fill(200000);
  ListCall list(server_.Connect());
  REQUIRE(list.Next() == 1000);
  responder_.Drain();
  std::thread drain([this] { server_->Drain(absl::Seconds(30)); });
  while (list.Next() > 0) continue;
  CHECK(list.Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
  drain.join();
}

TEST_CASE_METHOD(KeysFixture, "a list's prefix and types are checked") {
  CHECK(client_.List("prefix: 'a\\000b'") == Lines{"INVALID_ARGUMENT INVALID_KEY"});
  CHECK(client_.List("prefix: '" + std::string(1025, 'k') + "'") == Lines{"INVALID_ARGUMENT INVALID_KEY"});
  CHECK(client_.List("prefix: '" + std::string(1024, 'k') + "'").empty());
  CHECK(client_.List("types: VALUE_TYPE_UNSPECIFIED") == Lines{"INVALID_ARGUMENT UNKNOWN_TYPE"});
  CHECK(client_.List("types: 99") == Lines{"INVALID_ARGUMENT UNKNOWN_TYPE"});
}

TEST_CASE_METHOD(KeysFixture, "Exists, Count and Delete wait for what they saw") {
  Do("IntStore.Put", "key: 'k' value: 1");
  Calls calls = StartWaiting({{"StringStore.Put", "key: 'k' value: 'text'"},
                              {"Keys.Exists", "key: 'k'"},
                              {"Keys.Count", ""},
                              {"Keys.Delete", "key: 'k'"},
                              {"Keys.Delete", "key: 'k'"},
                              {"Keys.Exists", "key: 'k'"},
                              {"Keys.Count", "types: VALUE_TYPE_MAP"}});
  // Durable, so it is answered now: nothing but the int was looked at.
  ledger_.Persist();
  CHECK(calls[1].get() == "exists: true types: VALUE_TYPE_INT types: VALUE_TYPE_STRING revision: 2 latest_revision: 2");
  CHECK(calls[3].get() ==
        "deleted: true types: VALUE_TYPE_INT types: VALUE_TYPE_STRING revision: 4 latest_revision: 4");
  CHECK(calls[4].get() == "deleted: false revision: 0 latest_revision: 1");
  CHECK(calls[5].get() == "exists: false revision: 0 latest_revision: 1");
  CHECK(calls[6].get() == "count: 0 types { type: VALUE_TYPE_MAP count: 0 } latest_revision: 4");
}

TEST_CASE_METHOD(KeysFixture, "Exists of a durable key answers at once while another type is pending") {
  Do("IntStore.Put", "key: 'k' value: 1");
  Calls calls = StartWaiting({{"StringStore.Put", "key: 'k' value: 'text'"}});
  CHECK(Ask("Keys.Exists", "key: 'k' types: VALUE_TYPE_INT") ==
        "exists: true types: VALUE_TYPE_INT revision: 1 latest_revision: 1");
  ledger_.Persist();
}

}  // namespace
}  // namespace kvs::server
