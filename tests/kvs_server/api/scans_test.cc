#include "kvs_server/api/scans.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/limits.h"
#include "common/rpc/status.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "tests/kvs_server/support/api_fixture.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

using Lines = std::vector<std::string>;

constexpr size_t kFewBytes = kMiB;

// Reads one Keys.Scan message by message.
class ScanCall {
 public:
  explicit ScanCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& request = "")
      : stub_(channel), reader_(stub_.Scan(Ready(&context_), Parse(request))) {}

  // False at the end.
  bool Next() { return reader_->Read(&message_); }
  const v1::KeysScanResponse& message() const { return message_; }
  absl::Status Finish() { return rpc::FromGrpc(reader_->Finish()); }
  void Cancel() { context_.TryCancel(); }

  // All entries as text, one after the other, then the error if there is one.
  Lines Rest() {
    Lines lines;
    while (Next()) {
      for (const auto& entry : message_.entries()) lines.push_back(TextOf(entry));
    }
    const absl::Status status = Finish();
    if (!status.ok()) lines.push_back(CodeAndReason(status));
    return lines;
  }

 private:
  // The first attempt to connect may fail: gRPC 1.51 may take an error number of another call for that of connect.
  static grpc::ClientContext* Ready(grpc::ClientContext* context) {
    context->set_wait_for_ready(true);
    return context;
  }
  static v1::KeysScanRequest Parse(const std::string& text) {
    v1::KeysScanRequest request;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &request));
    return request;
  }

  TestContext context_;
  v1::Keys::Stub stub_;
  std::unique_ptr<grpc::ClientReader<v1::KeysScanResponse>> reader_;
  v1::KeysScanResponse message_;
};

class ScanFixture : public ApiFixture {
 protected:
  explicit ScanFixture(absl::Duration idle_timeout = absl::Hours(1))
      : ApiFixture(true, {}, {}, {.max_bytes = kFewBytes, .idle_timeout = idle_timeout}) {}

  // Puts straight into the store, as a replay does.
  void Put(ValueType type, const std::string& key, const ValueView& value) {
    Transaction transaction;
    transaction.revision = ++revision_;
    transaction.type = type;
    transaction.key = key;
    transaction.operation = operation::Put{value};
    REQUIRE(store_.Apply(transaction).ok());
    journal().Replayed(revision_, 0);
  }
  static std::string KeyOf(uint64_t i) { return std::to_string(1000000 + i); }
  // Ints with names in byte order.
  void Fill(uint64_t count) {
    for (uint64_t i = 1; i <= count; ++i) Put(ValueType::kInt, KeyOf(i), static_cast<int64_t>(i));
  }
  Lines Scan(const std::string& request = "") { return ScanCall(server_.Connect(), request).Rest(); }
  // The keys alone.
  Lines Keys(const std::string& request) {
    Lines keys;
    ScanCall scan(server_.Connect(), request);
    while (scan.Next()) {
      for (const auto& entry : scan.message().entries()) keys.push_back(entry.key());
    }
    const absl::Status status = scan.Finish();
    if (!status.ok()) keys.push_back(CodeAndReason(status));
    return keys;
  }
  void AwaitNoViews() const {
    while (store_.views().open() > 0) std::this_thread::yield();
    CHECK(store_.views().bytes() == 0);
  }

  uint64_t revision_ = 0;
};

TEST_CASE_METHOD(ScanFixture, "a scan of nothing tells its revision") {
  ScanCall empty(server_.Connect());
  REQUIRE(empty.Next());
  CHECK(TextOf(empty.message()) == "revision: 0 latest_revision: 0");
  CHECK_FALSE(empty.Next());
  CHECK(empty.Finish().ok());
  Do("IntStore.Put", "key: 'k' value: 1");
  Do("IntStore.Delete", "key: 'k'");
  ScanCall emptied(server_.Connect());
  REQUIRE(emptied.Next());
  CHECK(TextOf(emptied.message()) == "revision: 2 latest_revision: 2");
}

TEST_CASE_METHOD(ScanFixture, "a scan tells values of every type, by type and then in byte order") {
  Do("StringStore.Put", "key: 'b' value: ''");
  Do("StringStore.Put", "key: 'a' value: 'text'");
  Do("MapStore.Put", "key: 'm' fields { key: 'name' value: 'value' }");
  Do("SetStore.Put", "key: 's' members: 'y' members: 'x'");
  Do("SetStore.Put", "key: 'none'");
  Do("FloatStore.Put", "key: 'f' value: -0.5");
  Do("UintStore.Put", "key: 'u' value: 18446744073709551615");
  Do("IntStore.Put", "key: 'i' value: -9223372036854775808");
  CHECK(Scan() == Lines{
                      "type: VALUE_TYPE_INT key: \"i\" value { int_value: -9223372036854775808 } revision: 8",
                      "type: VALUE_TYPE_UINT key: \"u\" value { uint_value: 18446744073709551615 } revision: 7",
                      "type: VALUE_TYPE_FLOAT key: \"f\" value { float_value: -0.5 } revision: 6",
                      "type: VALUE_TYPE_STRING key: \"a\" value { string_value: \"text\" } revision: 2",
                      "type: VALUE_TYPE_STRING key: \"b\" value { string_value: \"\" } revision: 1",
                      "type: VALUE_TYPE_SET key: \"none\" value { set_value { } } revision: 5",
                      "type: VALUE_TYPE_SET key: \"s\" value { set_value { members: \"x\" members: \"y\" } } "
                      "revision: 4",
                      "type: VALUE_TYPE_MAP key: \"m\" value { map_value { fields { key: \"name\" value: \"value\" } "
                      "} } revision: 3",
                  });
}

TEST_CASE_METHOD(ScanFixture, "a scan tells when keys expire") {
  Do("IntStore.Put", "key: 'k' value: 1 ttl { seconds: 1000 }");
  ScanCall scan(server_.Connect());
  REQUIRE(scan.Next());
  REQUIRE(scan.message().entries_size() == 1);
  CHECK(scan.message().entries(0).expires_at().seconds() > absl::ToUnixSeconds(absl::Now()) + 900);
}

TEST_CASE_METHOD(ScanFixture, "prefix, types, start and limit choose") {
  for (const char* key : {"a", "b1", "b2", "c"}) {
    Do("IntStore.Put", absl::StrCat("key: '", key, "' value: 1"));
    Do("StringStore.Put", absl::StrCat("key: '", key, "' value: 'x'"));
  }
  CHECK(Keys("prefix: 'b'") == Lines{"b1", "b2", "b1", "b2"});
  CHECK(Keys("types: VALUE_TYPE_STRING") == Lines{"a", "b1", "b2", "c"});
  CHECK(Keys("start_key: 'b2'") == Lines{"b2", "c", "a", "b1", "b2", "c"});
  CHECK(Keys("start_after: 'b2' types: VALUE_TYPE_STRING") == Lines{"c"});
  CHECK(Keys("start_after: '' limit: 3") == Lines{"a", "b1", "b2"});
  CHECK(Keys("limit: 5") == Lines{"a", "b1", "b2", "c", "a"});
  CHECK(client_.List("prefix: 'b' start_after: 'b1' limit: 2") ==
        Lines{"VALUE_TYPE_INT b2 5", "VALUE_TYPE_STRING b1 4"});
  CHECK(client_.List("types: VALUE_TYPE_INT start_key: 'b2' limit: 1") == Lines{"VALUE_TYPE_INT b2 5"});
}

TEST_CASE_METHOD(ScanFixture, "bad requests are refused, of lists too") {
  const std::string too_long(1025, 'k');
  for (const std::string& request :
       {std::string("prefix: 'a\\000b'"), "prefix: '" + too_long + "'", std::string("start_key: 'a\\000b'"),
        "start_key: '" + too_long + "'", "start_after: '" + too_long + "'"}) {
    CHECK(Scan(request) == Lines{"INVALID_ARGUMENT INVALID_KEY"});
    CHECK(client_.List(request) == Lines{"INVALID_ARGUMENT INVALID_KEY"});
  }
  CHECK(Scan("types: VALUE_TYPE_UNSPECIFIED") == Lines{"INVALID_ARGUMENT UNKNOWN_TYPE"});
  CHECK(Scan("limit: 0") == Lines{"INVALID_ARGUMENT INVALID_LIMIT"});
  CHECK(client_.List("limit: 0") == Lines{"INVALID_ARGUMENT INVALID_LIMIT"});
  CHECK(store_.views().open() == 0);
}

TEST_CASE_METHOD(ScanFixture, "a scan waits until its revision is durable, and for nothing newer") {
  Fill(5000);
  Calls calls = StartWaiting({{"StringStore.Put", "key: 'pending' value: 'x'"}});
  auto scan = std::make_unique<ScanCall>(server_.Connect(), "types: VALUE_TYPE_INT");
  auto first = std::async(std::launch::async, [&] { return scan->Next(); });
  AwaitWaiting(2, calls);
  CHECK_FALSE(first.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
  ledger_.Persist();
  CHECK(first.get());
  CHECK(scan->message().revision() == 5001);
  Calls newer = StartWaiting({{"IntStore.Put", "key: 'newer' value: 1"}});
  int entries = scan->message().entries_size();
  while (scan->Next()) {
    CHECK_FALSE(scan->message().has_revision());
    entries += scan->message().entries_size();
  }
  CHECK(entries == 5000);
  CHECK(scan->Finish().ok());
  ledger_.Persist();
}

TEST_CASE_METHOD(ScanFixture, "what the ledger has not confirmed is told when it has lost data, and not before") {
  Do("IntStore.Put", "key: 'a' value: 1");
  Calls calls = StartWaiting({{"IntStore.Put", "key: 'b' value: 2"}});
  const Lines pending = {"UNAVAILABLE PENDING_WRITE"};
  journal().SetState(LedgerState::kAway, "it is gone");
  CHECK(calls[0].get() == "DEADLINE_EXCEEDED OUTCOME_UNKNOWN");
  CHECK(Scan() == pending);
  CHECK(client_.List() == pending);
  CHECK(Ask("IntStore.Get", "key: 'b'") == pending.front());
  CHECK(Ask("Keys.Count", "") == pending.front());
  journal().SetState(GENERATE(LedgerState::kDataLoss, LedgerState::kRefused), "it holds less than it did");
  CHECK(Scan().size() == 2);
  CHECK(client_.List() == Lines{"VALUE_TYPE_INT a 1", "VALUE_TYPE_INT b 2"});
  CHECK(Ask("IntStore.Get", "key: 'b'") == "value: 2 revision: 2 latest_revision: 2");
  CHECK_THAT(Ask("Keys.Count", ""), ContainsText("count: 2"));
}

TEST_CASE_METHOD(ScanFixture, "a large set comes in parts, which together are all of it") {
  std::vector<std::string> members;
  for (int i = 0; i < 100000; ++i) members.push_back(absl::StrCat("member-", 1000000 + i));
  Put(ValueType::kSet, "large", Texts(members.begin(), members.end()));
  Put(ValueType::kSet, "small", Texts{"x"});
  ScanCall scan(server_.Connect());
  std::vector<v1::ScanEntry> entries;
  while (scan.Next()) {
    CHECK(scan.message().ByteSizeLong() < kMiB);
    entries.insert(entries.end(), scan.message().entries().begin(), scan.message().entries().end());
  }
  CHECK(scan.Finish().ok());
  REQUIRE(entries.size() > 3);
  std::vector<std::string> joined;
  for (size_t i = 0; i + 1 < entries.size(); ++i) {
    CHECK(entries[i].key() == "large");
    CHECK(entries[i].revision() == 1);
    CHECK(entries[i].more() == (i + 2 < entries.size()));
    const auto& part = entries[i].value().set_value().members();
    size_t bytes = 0;
    for (const std::string& member : part) bytes += member.size();
    CHECK(bytes <= kScanPartBytes);
    joined.insert(joined.end(), part.begin(), part.end());
  }
  CHECK(joined == members);
  CHECK(entries.back().key() == "small");
  CHECK_FALSE(entries.back().has_more());
}

TEST_CASE_METHOD(ScanFixture, "values of the largest size come one by one") {
  const std::string text(kMaxValueBytes, 'x');
  for (int i = 0; i < 4; ++i) Put(ValueType::kString, KeyOf(i), absl::string_view(text));
  const Fields fields = {{"a", text}, {"b", text}, {"c", absl::string_view(text).substr(0, 1000)}};
  Put(ValueType::kMap, "map", fields);
  ScanCall scan(server_.Connect());
  size_t bytes = 0;
  while (scan.Next()) {
    CHECK(scan.message().ByteSizeLong() < 3 * kMiB);
    bytes += scan.message().ByteSizeLong();
  }
  CHECK(scan.Finish().ok());
  CHECK(bytes > 6 * kMiB);
}

TEST_CASE_METHOD(ScanFixture, "what changes while a scan is under way is not in it") {
  Fill(20000);
  ScanCall scan(server_.Connect());
  REQUIRE(scan.Next());
  int64_t next = 1;
  do {
    // One that the scan has passed, and one that it has not.
    Do("IntStore.Put", absl::StrCat("key: '", KeyOf(next), "' value: 0"));
    Do("IntStore.Put", absl::StrCat("key: '", KeyOf(20001 - next), "' value: 0"));
    Do("IntStore.Delete", absl::StrCat("key: '", KeyOf(15000 + next), "'"));
    Do("IntStore.Put", absl::StrCat("key: '", KeyOf(15000 + next), "!' value: 0"));
    for (const auto& entry : scan.message().entries()) {
      REQUIRE(entry.key() == KeyOf(next));
      REQUIRE(entry.value().int_value() == next);
      ++next;
    }
  } while (scan.Next());
  CHECK(next == 20001);
  CHECK(scan.Finish().ok());
  AwaitNoViews();
}

TEST_CASE_METHOD(ScanFixture, "a scan that nobody reads is overtaken, and what was kept for it is freed") {
  // Far more than the transport buffers.
  Fill(100000);
  ScanCall scan(server_.Connect());
  REQUIRE(scan.Next());
  uint64_t changed = 100000;
  do {
    Transaction transaction;
    transaction.revision = ++revision_;
    const std::string key = KeyOf(changed);
    transaction.previous_revision = changed--;
    transaction.key = key;
    transaction.operation = operation::Put{int64_t{0}};
    REQUIRE(store_.Apply(transaction).ok());
    REQUIRE(changed > 0);
  } while (store_.views().bytes() > 0);
  CHECK(changed > 50000);
  AwaitNoViews();
  int64_t next = scan.message().entries_size();
  while (scan.Next()) {
    for (const auto& entry : scan.message().entries()) CHECK(entry.value().int_value() == ++next);
  }
  const absl::Status status = scan.Finish();
  CHECK(CodeAndReason(status) == "ABORTED SCAN_OVERTAKEN");
  CHECK_THAT(std::string(status.message()), ContainsText("try again"));
}

TEST_CASE_METHOD(ScanFixture, "a scan whose reader has gone keeps nothing") {
  Fill(100000);
  ScanCall scan(server_.Connect());
  REQUIRE(scan.Next());
  CHECK(store_.views().open() == 1);
  scan.Cancel();
  AwaitNoViews();
}

TEST_CASE_METHOD(ScanFixture, "a scan under way ends when the server drains") {
  Fill(100000);
  ScanCall scan(server_.Connect());
  REQUIRE(scan.Next());
  responder_.Drain();
  std::thread drain([this] { server_->Drain(absl::Seconds(30)); });
  AwaitNoViews();
  CHECK(scan.Rest().back() == "UNAVAILABLE DRAINING");
  drain.join();
}

TEST_CASE_METHOD(ScanFixture, "so many scans may be under way, and no more") {
  Fill(5000);
  Calls calls = StartWaiting({{"StringStore.Put", "key: 'pending' value: 'x'"}});
  const auto channel = server_.Connect();
  std::vector<std::unique_ptr<ScanCall>> scans;
  for (size_t i = 0; i < kMaxScans; ++i) scans.push_back(std::make_unique<ScanCall>(channel));
  AwaitWaiting(1 + kMaxScans, calls);
  CHECK(Scan() == Lines{"RESOURCE_EXHAUSTED TOO_MANY_SCANS"});
  CHECK(client_.List() == Lines{"RESOURCE_EXHAUSTED TOO_MANY_SCANS"});
  ledger_.Persist();
  for (const auto& scan : scans) CHECK(scan->Rest().size() == 5001);
  CHECK(Scan("limit: 1").size() == 1);
}

// Where a scan that stands still has to make room at once.
class StallFixture : public ScanFixture {
 protected:
  StallFixture() : ScanFixture(absl::ZeroDuration()) {}
};

TEST_CASE_METHOD(StallFixture,
                 "scans that nobody reads make room for others, those that stood still the longest first") {
  // Far more than the transport buffers, for each of them.
  Fill(100000);
  std::vector<std::unique_ptr<ScanCall>> scans;
  for (size_t i = 0; i < kMaxScans; ++i) {
    scans.push_back(std::make_unique<ScanCall>(server_.Connect()));
    REQUIRE(scans.back()->Next());
  }
  // Until the last of them stands still too, it may be that none does.
  for (int i = 0; i < 3; ++i) {
    while (Scan("limit: 1").back() == "RESOURCE_EXHAUSTED TOO_MANY_SCANS") std::this_thread::yield();
  }
  CHECK(client_.List("limit: 1").size() == 1);
  // One had to go, and what came after it found its place.
  while (store_.views().open() > kMaxScans - 1) std::this_thread::yield();
  CHECK(store_.views().open() == kMaxScans - 1);
  bool is_found = false;
  for (const auto& scan : scans) {
    if (is_found) {
      scan->Cancel();
      continue;
    }
    while (scan->Next()) {
    }
    const absl::Status status = scan->Finish();
    is_found = CodeAndReason(status) == "ABORTED SCAN_STALLED";
    CHECK((is_found || status.ok()));
  }
  CHECK(is_found);
  AwaitNoViews();
}

TEST_CASE_METHOD(ScanFixture, "scans that stand still for a short time keep their places") {
  Fill(100000);
  std::vector<std::unique_ptr<ScanCall>> scans;
  for (size_t i = 0; i < kMaxScans; ++i) {
    scans.push_back(std::make_unique<ScanCall>(server_.Connect()));
    REQUIRE(scans.back()->Next());
  }
  CHECK(Scan("limit: 1") == Lines{"RESOURCE_EXHAUSTED TOO_MANY_SCANS"});
}

}  // namespace
}  // namespace kvs::server
