// kvs.v1.Keys and kvs.v1.Maintenance through both servers.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "common/config/version.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"

namespace kvs {
namespace {

using Lines = std::vector<std::string>;

class KeysOfPair : public ApiPair {
 protected:
  // The same key in every type, with revisions 1 to 6.
  void PutAllTypes(const std::string& key) {
    for (const SampleRequest& value : SampleValues()) Ask(value.method, value.WithKey(key));
  }

  // `count` ints with names in byte order, from several threads.
  Lines PutMany(int count) {
    Lines keys;
    for (int i = 0; i < count; ++i) keys.push_back(std::to_string(100000 + i));
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = t; i < keys.size(); i += 8) Ask("IntStore.Put", absl::StrCat("key: '", keys[i], "' value: 1"));
      });
    }
    for (std::thread& thread : threads) thread.join();
    return keys;
  }

  // The names of a list, without types and revisions.
  Lines Names(const std::string& request = "") {
    Lines names;
    for (const std::string& line : client().List(request)) {
      const size_t begin = line.find(' ') + 1;
      names.push_back(line.substr(begin, line.rfind(' ') - begin));
    }
    return names;
  }
};

// ---- Exists. ----

TEST_CASE_METHOD(KeysOfPair, "Exists tells the types that have a key") {
  CHECK(Ask("Keys.Exists", "key: 'k'") == "exists: false revision: 0 latest_revision: 0");
  Ask("IntStore.Put", "key: 'k' value: 1");
  Ask("MapStore.Put", "key: 'k'");
  Ask("IntStore.Put", "key: 'k' value: 2");
  CHECK(Ask("Keys.Exists", "key: 'k'") ==
        "exists: true types: VALUE_TYPE_INT types: VALUE_TYPE_MAP revision: 3 latest_revision: 3");
  CHECK(Ask("Keys.Exists", "key: 'k' types: VALUE_TYPE_SET types: VALUE_TYPE_MAP types: VALUE_TYPE_MAP") ==
        "exists: true types: VALUE_TYPE_MAP revision: 2 latest_revision: 3");
  CHECK(Ask("Keys.Exists", "key: 'k' types: VALUE_TYPE_SET") == "exists: false revision: 0 latest_revision: 3");
}

// ---- Delete. ----

TEST_CASE_METHOD(KeysOfPair, "Delete removes a key from one type") {
  PutAllTypes("k");
  CHECK(Ask("Keys.Delete", "key: 'k' types: VALUE_TYPE_STRING") ==
        "deleted: true types: VALUE_TYPE_STRING revision: 7 latest_revision: 7");
  CHECK(Ask("StringStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK_THAT(Ask("Keys.Count", ""), ContainsText("count: 5 "));
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(KeysOfPair, "Delete removes a key from several types, with consecutive revisions") {
  PutAllTypes("k");
  CHECK(Ask("Keys.Delete", "key: 'k' types: VALUE_TYPE_SET types: VALUE_TYPE_INT types: VALUE_TYPE_SET") ==
        "deleted: true types: VALUE_TYPE_INT types: VALUE_TYPE_SET revision: 8 latest_revision: 8");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(KeysOfPair, "Delete removes a key from all types, as one batch in one frame of the ledger") {
  PutAllTypes("k");
  Ask("IntStore.Put", "key: 'other' value: 1");
  CHECK(Ask("Keys.Delete", "key: 'k'") ==
        "deleted: true types: VALUE_TYPE_INT types: VALUE_TYPE_UINT types: VALUE_TYPE_FLOAT types: VALUE_TYPE_STRING "
        "types: VALUE_TYPE_SET types: VALUE_TYPE_MAP revision: 13 latest_revision: 13");
  const auto frame = Logged().back();
  REQUIRE(frame.transactions_size() == 6);
  for (int i = 0; i < 6; ++i) {
    const auto& transaction = frame.transactions(i);
    CHECK(transaction.revision() == 8u + i);
    CHECK(transaction.previous_revision() == 1u + i);
    CHECK(transaction.batch_remaining() == 5u - i);
    CHECK(transaction.has_delete_());
    CHECK(transaction.key() == "k");
    CHECK(transaction.time_micros() == frame.transactions(0).time_micros());
  }
  CHECK(Names() == Lines{"other"});
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(KeysOfPair, "Delete of what is absent is OK, and takes no revision") {
  Ask("IntStore.Put", "key: 'k' value: 1");
  CHECK(Ask("Keys.Delete", "key: 'x'") == "deleted: false revision: 0 latest_revision: 1");
  CHECK(Ask("Keys.Delete", "key: 'k' types: VALUE_TYPE_SET") == "deleted: false revision: 0 latest_revision: 1");
  CHECK(LatestRevision() == 1);
}

TEST_CASE_METHOD(KeysOfPair, "a mutation that stands alone is no batch") {
  PutAllTypes("k");
  Ask("Keys.Delete", "key: 'k' types: VALUE_TYPE_INT");
  for (const auto& frame : Logged()) {
    for (const auto& transaction : frame.transactions()) CHECK(transaction.batch_remaining() == 0);
  }
}

// ---- Count. ----

TEST_CASE_METHOD(KeysOfPair, "Count tells the keys by type") {
  PutAllTypes("a");
  Ask("IntStore.Put", "key: 'b' value: 1");
  CHECK(Ask("Keys.Count", "") ==
        "count: 7 types { type: VALUE_TYPE_INT count: 2 } types { type: VALUE_TYPE_UINT count: 1 } "
        "types { type: VALUE_TYPE_FLOAT count: 1 } types { type: VALUE_TYPE_STRING count: 1 } "
        "types { type: VALUE_TYPE_SET count: 1 } types { type: VALUE_TYPE_MAP count: 1 } latest_revision: 7");
  CHECK(Ask("Keys.Count", "types: VALUE_TYPE_MAP types: VALUE_TYPE_INT types: VALUE_TYPE_INT") ==
        "count: 3 types { type: VALUE_TYPE_INT count: 2 } types { type: VALUE_TYPE_MAP count: 1 } latest_revision: 7");
}

TEST_CASE_METHOD(KeysOfPair, "Count shows zeros") {
  CHECK(Ask("Keys.Count", "types: VALUE_TYPE_SET") ==
        "count: 0 types { type: VALUE_TYPE_SET count: 0 } latest_revision: 0");
}

// ---- List. ----

TEST_CASE_METHOD(KeysOfPair, "List tells keys by type and then in byte order, with their revisions") {
  Ask("StringStore.Put", "key: 'a' value: ''");
  Ask("IntStore.Put", "key: '\xC3\xA9' value: 1");
  Ask("IntStore.Put", "key: 'z' value: 1");
  Ask("IntStore.Put", "key: 'Z' value: 1");
  CHECK(client().List() ==
        Lines{"VALUE_TYPE_INT Z 4", "VALUE_TYPE_INT z 3", "VALUE_TYPE_INT \xC3\xA9 2", "VALUE_TYPE_STRING a 1"});
}

TEST_CASE_METHOD(KeysOfPair, "List tells only keys with a prefix, and only of the types asked for") {
  for (const char* key : {"host", "host:1", "host:2", "hosts", "other"}) PutAllTypes(key);
  CHECK(Names("prefix: 'host:' types: VALUE_TYPE_INT") == Lines{"host:1", "host:2"});
  CHECK(Names("prefix: 'host:' types: VALUE_TYPE_MAP types: VALUE_TYPE_INT") ==
        Lines{"host:1", "host:2", "host:1", "host:2"});
  CHECK(Names("prefix: 'host:'").size() == 12);
  CHECK(Names("prefix: 'x'").empty());
}

TEST_CASE_METHOD(KeysOfPair, "a list of nothing is one message, which tells the revision") {
  Ask("IntStore.Put", "key: 'k' value: 1");
  Ask("IntStore.Delete", "key: 'k'");
  grpc::ClientContext context;
  v1::Keys::Stub stub(pair_.channel());
  const auto reader = stub.List(&context, v1::KeysListRequest());
  v1::KeysListResponse message;
  REQUIRE(reader->Read(&message));
  CHECK(TextOf(message) == "revision: 2 latest_revision: 2");
  CHECK_FALSE(reader->Read(&message));
  CHECK(reader->Finish().ok());
}

TEST_CASE_METHOD(KeysOfPair, "10,000 keys are listed in order, in messages of 1,000, also after a restart") {
  const Lines keys = PutMany(10000);
  int messages = 0;
  const Lines before = client().List("", &messages);
  CHECK(messages == 10);
  CHECK(Names() == keys);
  Restart();
  CHECK(client().List() == before);
}

TEST_CASE_METHOD(KeysOfPair, "a list that is read slowly tells the keys of its beginning, while others come and go") {
  const Lines keys = PutMany(10000);
  grpc::ClientContext context;
  v1::Keys::Stub stub(pair_.channel());
  const auto reader = stub.List(&context, v1::KeysListRequest());
  Lines listed;
  v1::KeysListResponse message;
  for (int i = 0; reader->Read(&message); ++i) {
    for (const auto& entry : message.keys()) listed.push_back(entry.key());
    Ask("IntStore.Put", absl::StrCat("key: '", 100000 + 997 * i, "!' value: 1"));
    if (i % 2) Ask("IntStore.Delete", absl::StrCat("key: '", 100000 + 997 * (i - 1), "!'"));
  }
  CHECK(reader->Finish().ok());
  CHECK(listed == keys);
}

TEST_CASE_METHOD(KeysOfPair, "a list that nobody reads to its end does not hold up the server") {
  PutMany(5000);
  grpc::ClientContext context;
  v1::Keys::Stub stub(pair_.channel());
  const auto reader = stub.List(&context, v1::KeysListRequest());
  v1::KeysListResponse message;
  REQUIRE(reader->Read(&message));
  CHECK_THAT(Ask("IntStore.Put", "key: 'k' value: 1"), ContainsText("replaced: false"));
  context.TryCancel();
  reader->Finish();
  CHECK_THAT(Ask("Keys.Count", "types: VALUE_TYPE_INT"), ContainsText("count: 5001 "));
}

// ---- Maintenance. ----

TEST_CASE_METHOD(KeysOfPair, "Status tells version, state, ledger and numbers of keys") {
  PutAllTypes("k");
  v1::Maintenance::Stub stub(pair_.channel());
  v1::MaintenanceStatusResponse status;
  REQUIRE(Call(stub, &v1::Maintenance::Stub::Status, v1::MaintenanceStatusRequest(), &status).ok());
  CHECK(status.version() == std::string(Version()));
  CHECK(status.state() == v1::SERVER_STATE_SERVING);
  CHECK(status.start_time().seconds() > 1'700'000'000);
  CHECK(status.ledger().state() == v1::LEDGER_STATE_CONNECTED);
  CHECK(status.ledger().address() == absl::StrCat("127.0.0.1:", pair_.txn_config().listen.port));
  CHECK(status.ledger().log_id() == "6d656d6f72792d6c6f672d69642d3136");
  CHECK(status.ledger().epoch() == 1);
  CHECK(status.ledger().latest_revision() == 6);
  CHECK(status.ledger().durable_revision() == 6);
  CHECK(status.ledger().pending_bytes() == 0);
  CHECK(status.ledger().detail().empty());
  CHECK(status.stores_size() == 6);
  CHECK(status.stores(3).keys() == 1);
  CHECK_FALSE(status.has_replay());
  CHECK(status.waiting_replies() == 0);
}

TEST_CASE_METHOD(KeysOfPair, "each start of the writer is an epoch of its own") {
  CheckSameAfterRestart();
  CHECK_THAT(Ask("Maintenance.Status", ""), ContainsText("epoch: 2 "));
}

TEST_CASE_METHOD(KeysOfPair, "Echo answers any text") {
  CHECK(Ask("Maintenance.Echo", "message: 'h\xC3\xA9llo'") == "message: \"h\xC3\xA9llo\" actor: \"anonymous\"");
}

}  // namespace
}  // namespace kvs
