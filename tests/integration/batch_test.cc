// Batches: every operation in both modes, what is all or nothing, and what one batch may be.

#include <absl/strings/str_cat.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "kvs/v1/batch.grpc.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/random_commands.h"
#include "tests/integration/support/sample_requests.h"
#include "tests/support/test_size.h"

namespace kvs {
namespace {

class Batches : public ApiPair {
 protected:
  // The results of a batch of (method, request), each as the reply of the call alone would be written without its
  // latest_revision; the error of the batch, as its only line.
  using Operations = std::vector<std::pair<std::string, std::string>>;
  std::vector<std::string> Run(bool atomic, const Operations& operations) {
    std::string request = atomic ? "atomic: true " : "";
    for (const auto& [method, operation] : operations) request += OperationText(method, operation);
    std::string reply;
    const absl::Status status = client().Try("Batch.Execute", request, &reply);
    if (!status.ok()) return {absl::StrCat(CodeAndReason(status), " at ", MetadataOf(status, "operation"))};
    v1::BatchExecuteResponse response;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(reply, &response));
    std::vector<std::string> results;
    for (int i = 0; i < response.results_size(); ++i) {
      const v1::BatchResult& result = response.results(i);
      if (result.has_error()) {
        results.push_back(CodeAndReason(rpc::FromProto(result.error())));
        continue;
      }
      // As "int_put { replaced: true revision: 1 }".
      const std::string field = OperationField(operations[i].first);
      std::string text = TextOf(result);
      REQUIRE_THAT(text, Catch::Matchers::StartsWith(field + " {"));
      text = text.substr(field.size() + 3);
      results.push_back(text.substr(0, text.size() - std::min<size_t>(text.size(), 2)));
    }
    latest_revision_ = response.latest_revision();
    return results;
  }
  std::vector<std::string> RunAtomic(const Operations& operations) { return Run(true, operations); }
  std::vector<std::string> RunIndependent(const Operations& operations) { return Run(false, operations); }

  // Without the times of expiries.
  static std::string WithoutTimes(std::string text) {
    for (const std::string field : {"expires_at { ", "ttl { "}) {
      for (size_t at = text.find(field); at != std::string::npos; at = text.find(field)) {
        text.erase(at, text.find("} ", at) + 2 - at);
      }
    }
    return text;
  }

  std::string AskWithoutLatest(const std::string& method, const std::string& request) {
    const std::string reply = Ask(method, request);
    const size_t end = reply.find("latest_revision: ");
    if (end == std::string::npos) return reply;
    return reply.substr(0, end == 0 ? 0 : end - 1);
  }

  uint64_t latest_revision_ = 0;
};

using Lines = std::vector<std::string>;

// ---- Every operation. ----

TEST_CASE_METHOD(Batches, "every operation answers in a batch what its call answers, alone or together") {
  for (const bool atomic : {false, true}) {
    for (const bool is_present : {false, true}) {
      for (const SampleRequest& sample : SampleRequests()) {
        INFO(sample.method << (atomic ? " atomic" : "") << (is_present ? " present" : ""));
        const auto prepare = [&] {
          Ask("Keys.Delete", "key: 'k'");
          if (!is_present) return;
          for (const SampleRequest& value : SampleValues()) Ask(value.method, value.WithKey("k"));
        };
        prepare();
        const uint64_t first = LatestRevision();
        std::string alone = AskWithoutLatest(sample.method, sample.WithKey("k"));
        const uint64_t taken = LatestRevision() - first;
        prepare();
        const uint64_t shift = LatestRevision() - first;
        const std::vector<std::string> results = Run(atomic, {{sample.method, sample.WithKey("k")}});
        CHECK(LatestRevision() - first - shift == taken);
        REQUIRE(results.size() == 1);
        // The same but for what happened meanwhile.
        if (const size_t at = alone.find("revision: "); at != std::string::npos) {
          const uint64_t revision = std::stoull(alone.substr(at + 10));
          if (revision != 0) alone = alone.substr(0, at + 10) + std::to_string(revision + shift);
        }
        const bool failed = results[0].rfind("NOT_FOUND", 0) == 0;
        CHECK(WithoutTimes(results[0]) == WithoutTimes(failed && atomic ? alone + " at 0" : alone));
      }
    }
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Batches, "an operation that is not set fails alone, or the batch") {
  CHECK(Ask("Batch.Execute", "operations { } operations { int_put { key: 'k' value: 1 } }").find("MISSING_FIELD") !=
        std::string::npos);
  CHECK(LatestRevision() == 1);
  CHECK(Ask("Batch.Execute", "atomic: true operations { int_put { key: 'k' value: 1 } } operations { }") ==
        "INVALID_ARGUMENT MISSING_FIELD");
  CHECK(LatestRevision() == 1);
}

TEST_CASE_METHOD(Batches, "an empty batch is answered") {
  CHECK(Ask("Batch.Execute", "") == "latest_revision: 0");
  CHECK(Ask("Batch.Execute", "atomic: true") == "latest_revision: 0");
}

// ---- Independent. ----

TEST_CASE_METHOD(Batches, "independent operations happen in order, and each fails alone") {
  CHECK(RunIndependent({{"IntStore.Put", "key: 'a' value: 9223372036854775807"},
                        {"IntStore.Increment", "key: 'a'"},
                        {"IntStore.Get", "key: 'a'"},
                        {"IntStore.Get", "key: 'missing'"},
                        {"StringStore.Put", "key: ''"},
                        {"StringStore.Put", "key: 'a' value: 'text'"},
                        {"IntStore.Put", "key: 'a' value: 1 precondition { must_not_exist: true }"},
                        {"Keys.Delete", "key: 'a'"}}) ==
        Lines{"replaced: false revision: 1", "OUT_OF_RANGE OVERFLOW", "value: 9223372036854775807 revision: 1",
              "NOT_FOUND KEY_NOT_FOUND", "INVALID_ARGUMENT INVALID_KEY", "replaced: false revision: 2",
              "ALREADY_EXISTS KEY_EXISTS", "deleted: true types: VALUE_TYPE_INT types: VALUE_TYPE_STRING revision: 4"});
  CHECK(latest_revision_ == 4);
  for (const auto& frame : Logged()) {
    for (const auto& transaction : frame.transactions()) {
      if (!transaction.has_delete_()) CHECK(transaction.batch_remaining() == 0);
    }
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Batches, "the error of an operation has the details that its call has") {
  Ask("IntStore.Put", "key: 'a' value: 41");
  const std::string reply =
      Ask("Batch.Execute", "operations { int_put { key: 'a' value: 1 precondition { revision_equals: 9 } } }");
  v1::BatchExecuteResponse response;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(reply, &response));
  const absl::Status status = rpc::FromProto(response.results(0).error());
  CHECK(status == ErrorOf("IntStore.Put", "key: 'a' value: 1 precondition { revision_equals: 9 }"));
}

// ---- Atomic. ----

TEST_CASE_METHOD(Batches,
                 "an atomic batch is one record with consecutive revisions, and later operations see earlier") {
  Ask("IntStore.Put", "key: 'a' value: 1");
  CHECK(RunAtomic({{"IntStore.Increment", "key: 'a' delta: 10"},
                   {"IntStore.Get", "key: 'a'"},
                   {"IntStore.Increment", "key: 'a' delta: 100"},
                   {"IntStore.Delete", "key: 'a'"},
                   {"Keys.Exists", "key: 'a'"},
                   {"IntStore.Increment", "key: 'a' delta: 0"},
                   {"IntStore.Increment", "key: 'a' delta: 5"},
                   {"SetStore.Add", "key: 's' members: 'x'"},
                   {"SetStore.Add", "key: 's' members: 'y' members: 'x'"},
                   {"SetStore.Get", "key: 's'"},
                   {"MapStore.PutFields", "key: 'm' fields { key: 'f' value: '1' }"},
                   {"MapStore.RemoveFields", "key: 'm' names: 'f'"},
                   {"MapStore.Size", "key: 'm'"},
                   {"StringStore.Append", "key: 't' value: 'ab'"},
                   {"StringStore.Append", "key: 't' value: 'cd'"},
                   {"StringStore.Get", "key: 't'"}}) ==
        Lines{"previous: 1 value: 11 revision: 2", "value: 11 revision: 2", "previous: 11 value: 111 revision: 3",
              "deleted: true revision: 4", "exists: false revision: 0", "previous: 0 value: 0 revision: 0",
              "previous: 0 value: 5 revision: 5", "added: 1 size: 1 revision: 6", "added: 1 size: 2 revision: 7",
              "members: \"x\" members: \"y\" revision: 7", "added: 1 size: 1 revision: 8",
              "removed: 1 size: 0 revision: 9", "size: 0 revision: 9", "size_bytes: 2 revision: 10",
              "size_bytes: 4 revision: 11", "value: \"abcd\" revision: 11"});
  CHECK(latest_revision_ == 11);
  const auto frame = Logged().back();
  REQUIRE(frame.transactions_size() == 10);
  const std::vector<uint64_t> previous = {1, 2, 3, 0, 0, 6, 0, 8, 0, 10};
  for (int i = 0; i < 10; ++i) {
    CHECK(frame.transactions(i).revision() == 2u + i);
    CHECK(frame.transactions(i).previous_revision() == previous[i]);
    CHECK(frame.transactions(i).batch_remaining() == 9u - i);
    CHECK(frame.transactions(i).time_micros() == frame.transactions(0).time_micros());
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Batches, "the first operation of an atomic batch that fails decides, and nothing is changed") {
  Ask("IntStore.Put", "key: 'a' value: 9223372036854775807");
  const Lines before = client().Dump();
  const Operations good = {{"IntStore.Put", "key: 'b' value: 1"}, {"SetStore.Add", "key: 's' members: 'x'"}};
  const std::pair<Operations::value_type, std::string> bad[] = {
      {{"IntStore.Increment", "key: 'a'"}, "OUT_OF_RANGE OVERFLOW"},
      {{"IntStore.Get", "key: 'missing'"}, "NOT_FOUND KEY_NOT_FOUND"},
      {{"IntStore.Put", "key: 'c'"}, "INVALID_ARGUMENT MISSING_FIELD"},
      {{"IntStore.Put", "value: 1"}, "INVALID_ARGUMENT INVALID_KEY"},
      {{"IntStore.Delete", "key: 'a' precondition { revision_equals: 9 }"}, "ABORTED REVISION_MISMATCH"},
      {{"Keys.Delete", "key: 'b' precondition { must_not_exist: true }"}, "ALREADY_EXISTS KEY_EXISTS"},
  };
  for (const auto& [operation, error] : bad) {
    Operations operations = good;
    operations.push_back(operation);
    operations.push_back({"IntStore.Put", ""});
    CHECK(RunAtomic(operations) == Lines{error + " at 2"});
    operations = good;
    operations.insert(operations.begin(), operation);
    if (operation.first != "Keys.Delete") CHECK(RunAtomic(operations) == Lines{error + " at 0"});
  }
  CHECK(client().Dump() == before);
  CHECK(LatestRevision() == 1);
}

TEST_CASE_METHOD(Batches, "preconditions of an atomic batch are over several keys, and see what it did before") {
  Ask("IntStore.Put", "key: 'a' value: 1");
  Ask("IntStore.Put", "key: 'b' value: 2");
  const std::string at_1 = " precondition { revision_equals: 1 }";
  const std::string at_2 = " precondition { revision_equals: 2 }";
  CHECK(RunAtomic({{"IntStore.Put", "key: 'a' value: 5" + at_1}, {"IntStore.Put", "key: 'b' value: 6" + at_1}}) ==
        Lines{"ABORTED REVISION_MISMATCH at 1"});
  CHECK(RunAtomic({{"IntStore.Put", "key: 'a' value: 5" + at_1}, {"IntStore.Put", "key: 'b' value: 6" + at_2}}) ==
        Lines{"replaced: true revision: 3", "replaced: true revision: 4"});
  const std::string absent = " precondition { must_not_exist: true }";
  const std::string present = " precondition { must_exist: true }";
  const std::string none = " precondition { revision_equals: 0 }";
  CHECK(RunAtomic({{"IntStore.Put", "key: 'c' value: 1" + absent}, {"IntStore.Put", "key: 'c' value: 2" + absent}}) ==
        Lines{"ALREADY_EXISTS KEY_EXISTS at 1"});
  CHECK(RunAtomic({{"IntStore.Delete", "key: 'a'"}, {"IntStore.Put", "key: 'a' value: 2" + present}}) ==
        Lines{"NOT_FOUND KEY_NOT_FOUND at 1"});
  CHECK(RunAtomic({{"IntStore.Put", "key: 'c' value: 1" + none}, {"IntStore.Put", "key: 'c' value: 2" + none}}) ==
        Lines{"ABORTED REVISION_MISMATCH at 1"});
  // A revision that is not known yet cannot be compared with; that a key was not changed after all can.
  CHECK(RunAtomic({{"IntStore.Put", "key: 'a' value: 1"},
                   {"IntStore.Put", "key: 'a' value: 2 precondition { revision_equals: 3 }"}}) ==
        Lines{"INVALID_ARGUMENT INVALID_PRECONDITION at 1"});
  CHECK(LatestRevision() == 4);
  CHECK(RunAtomic({{"IntStore.Increment", "key: 'a' delta: 0"},
                   {"IntStore.Put", "key: 'a' value: 2 precondition { revision_equals: 3 }"},
                   {"IntStore.Put", "key: 'a' value: 3" + present},
                   {"IntStore.Delete", "key: 'a'" + present},
                   {"IntStore.Put", "key: 'a' value: 4" + absent},
                   {"Keys.Delete", "key: 'a'"},
                   {"IntStore.Put", "key: 'a' value: 5" + none}}) ==
        Lines{"previous: 5 value: 5 revision: 3", "replaced: true revision: 5", "replaced: true revision: 6",
              "deleted: true revision: 7", "replaced: false revision: 8",
              "deleted: true types: VALUE_TYPE_INT revision: 9", "replaced: false revision: 10"});
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Batches, "an atomic batch sees the expiries that it sets") {
  Ask("IntStore.Put", "key: 'a' value: 1 ttl { seconds: 1000 }");
  const Lines results = RunAtomic({{"Keys.GetExpiry", "key: 'a'"},
                                   {"IntStore.Increment", "key: 'a'"},
                                   {"Keys.GetExpiry", "key: 'a'"},
                                   {"Keys.Persist", "key: 'a'"},
                                   {"Keys.GetExpiry", "key: 'a'"},
                                   {"Keys.Persist", "key: 'a'"},
                                   {"Keys.Expire", "key: 'a' ttl { seconds: 5000 }"},
                                   {"IntStore.Get", "key: 'a'"},
                                   {"Keys.GetExpiry", "key: 'a'"},
                                   {"IntStore.MultiPut", "keys: 'b' keys: 'c' values: 1 values: 2 ttl { seconds: 9 }"},
                                   {"Keys.GetExpiry", "key: 'c'"},
                                   {"IntStore.Put", "key: 'a' value: 5"},
                                   {"Keys.GetExpiry", "key: 'a'"}});
  REQUIRE(results.size() == 13);
  CHECK_THAT(results[0], ContainsText("expires_at"));
  CHECK_THAT(results[2], ContainsText("expires_at"));
  CHECK(results[3] == "changed: true types: VALUE_TYPE_INT revision: 3");
  CHECK(results[4] == "keys { type: VALUE_TYPE_INT } revision: 3");
  CHECK(results[5] == "changed: false revision: 3");
  CHECK_THAT(results[6], ContainsText("revision: 4"));
  CHECK(results[7] == "value: 2 revision: 4");
  CHECK_THAT(results[8], ContainsText("ttl { seconds: 5000"));
  CHECK_THAT(results[10], ContainsText("ttl { seconds: 9"));
  CHECK(results[12] == "keys { type: VALUE_TYPE_INT } revision: 7");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Batches, "an atomic batch that changes nothing takes no revision") {
  Ask("IntStore.Put", "key: 'a' value: 1");
  CHECK(RunAtomic({{"IntStore.Get", "key: 'a'"},
                   {"SetStore.Delete", "key: 'a'"},
                   {"IntStore.Increment", "key: 'a' delta: 0"}}) ==
        Lines{"value: 1 revision: 1", "deleted: false revision: 0", "previous: 1 value: 1 revision: 1"});
  CHECK(LatestRevision() == 1);
}

// The same operations, one by one on one server, and in atomic batches on the other.
TEST_CASE("an atomic batch ends as its operations one by one, if all of them succeed, and otherwise as none of them") {
  class Server : public Batches {
   public:
    using Batches::Ask;
    using Batches::AskWithoutLatest;
    using Batches::Operations;
    using Batches::Restart;
    using Batches::RunAtomic;
    Lines Dump() const { return client().Dump(); }
  };
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  Server batched;
  Server single;
  RandomCommands commands(seed);
  int succeeded = 0;
  int failed = 0;
  for (int batch = 0; batch < 300; ++batch) {
    Server::Operations operations;
    for (int i = 0; i < batch % 7; ++i) operations.push_back(commands.Next());
    const Lines results = batched.RunAtomic(operations);
    if (results.size() == 1 && results[0].find(" at ") != std::string::npos) {
      ++failed;
      continue;
    }
    ++succeeded;
    Lines expected;
    for (const auto& [method, request] : operations) expected.push_back(single.AskWithoutLatest(method, request));
    CHECK(results == expected);
  }
  CHECK(succeeded > 50);
  CHECK(failed > 50);
  CHECK(batched.Dump() == single.Dump());
  batched.Restart();
  CHECK(batched.Dump() == single.Dump());
}

TEST_CASE_METHOD(Batches, "no reader sees half of an atomic batch, nor does Count") {
  constexpr int kAccounts = 20;
  constexpr int kWriters = 4;
  // With one loop, no two calls run at a time. Each connection belongs to one of them by chance.
  pair_.kvs_config().event_loops = 8;
  Restart();
  const auto key = [](int account) { return absl::StrCat("key: 'account-", account, "' "); };
  for (int i = 0; i < kAccounts; ++i) Ask("IntStore.Put", key(i) + "value: 100");
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      std::mt19937 random(static_cast<unsigned>(writer));
      const ApiClient api = Connect();
      while (!stop) {
        const int from = static_cast<int>(random() % kAccounts);
        const int to = static_cast<int>(random() % kAccounts);
        api.Ask("Batch.Execute", "atomic: true " + OperationText("IntStore.Increment", key(from) + "delta: -7") +
                                     OperationText("IntStore.Increment", key(to) + "delta: 7") +
                                     OperationText("SetStore.Put", "key: 'left'") +
                                     OperationText("SetStore.Put", "key: 'right'"));
        api.Ask("Batch.Execute", "atomic: true " + OperationText("SetStore.Delete", "key: 'right'") +
                                     OperationText("SetStore.Delete", "key: 'left'"));
      }
    });
  }
  std::string gets = "atomic: true ";
  for (int i = 0; i < kAccounts; ++i) gets += OperationText("IntStore.Get", key(i));
  gets += OperationText("Keys.Exists", "key: 'left'") + OperationText("Keys.Exists", "key: 'right'");
  for (int round = 0; round < 200; ++round) {
    v1::BatchExecuteResponse response;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(Ask("Batch.Execute", gets), &response));
    int64_t sum = 0;
    for (int i = 0; i < kAccounts; ++i) sum += response.results(i).int_get().value();
    CHECK(sum == 100 * kAccounts);
    CHECK(response.results(kAccounts).keys_exists().exists() == response.results(kAccounts + 1).keys_exists().exists());
    const std::string count = Ask("Keys.Count", "types: VALUE_TYPE_SET");
    CHECK((count.rfind("count: 0 ", 0) == 0 || count.rfind("count: 2 ", 0) == 0));
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  CheckSameAfterRestart();
}

// ---- Limits. ----

TEST_CASE_METHOD(Batches, "10,000 operations are a batch, one more is none") {
  const Operations most(10000, {"IntStore.Increment", "key: 'a'"});
  CHECK(RunAtomic(most).back() == "previous: 9999 value: 10000 revision: 10000");
  CHECK(Logged().back().transactions_size() == 10000);
  CHECK(RunIndependent(most).back() == "previous: 19999 value: 20000 revision: 20000");
  Operations more = most;
  more.push_back(most[0]);
  CHECK(RunAtomic(more) == Lines{"INVALID_ARGUMENT BATCH_TOO_LARGE at "});
  CHECK(RunIndependent(more) == Lines{"INVALID_ARGUMENT BATCH_TOO_LARGE at "});
  CHECK(LatestRevision() == 20000);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Batches, "a record of 4 MiB is the most that is all or nothing") {
  // What is around the text of the last one: key, revisions, time.
  const auto batch = [](const char* key, size_t last_bytes) {
    Operations operations;
    for (int i = 0; i < 3; ++i) {
      operations.push_back(
          {"StringStore.Put", absl::StrCat("key: '", key, i, "' value: '", std::string(kMiB, 'x'), "'")});
    }
    operations.push_back(
        {"StringStore.Put", absl::StrCat("key: '", key, "3' value: '", std::string(last_bytes, 'x'), "'")});
    return operations;
  };
  CHECK(RunAtomic(batch("a", kMiB - 300)).size() == 4);
  REQUIRE(Logged().back().transactions_size() == 4);
  const size_t rest = kMaxRecordBytes - Logged().back().ByteSizeLong();
  REQUIRE(rest < 200);
  CHECK(RunAtomic(batch("b", kMiB - 300 + rest)).size() == 4);
  CHECK(Logged().back().ByteSizeLong() == kMaxRecordBytes);
  CHECK(RunAtomic(batch("c", kMiB - 300 + rest + 1)) == Lines{"INVALID_ARGUMENT BATCH_TOO_LARGE at "});
  CHECK(LatestRevision() == 8);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Batches, "a reply ends where it would be too large, and what has no room is not done") {
  for (int i = 0; i < 4; ++i) {
    Ask("StringStore.Put", absl::StrCat("key: 'k", i, "' value: '", std::string(kMiB, 'x'), "'"));
  }
  Operations operations;
  for (int i = 0; i < 4; ++i) operations.push_back({"StringStore.Get", absl::StrCat("key: 'k", i, "'")});
  while (operations.size() < 10000) operations.push_back({"IntStore.Increment", "key: 'a'"});
  const Lines results = RunIndependent(operations);
  REQUIRE(results.size() == 10000);
  for (int i = 0; i < 3; ++i) CHECK(results[i].size() > kMiB);
  for (int i = 3; i < 10000; ++i) REQUIRE(results[i] == "RESOURCE_EXHAUSTED REPLY_TOO_LARGE");
  CHECK(Ask("IntStore.Get", "key: 'a'") == "NOT_FOUND KEY_NOT_FOUND");
  operations.erase(operations.begin() + 4, operations.end());
  operations.insert(operations.begin(), {"IntStore.Increment", "key: 'a'"});
  CHECK(RunAtomic(operations) == Lines{"RESOURCE_EXHAUSTED REPLY_TOO_LARGE at 4"});
  CHECK(Ask("IntStore.Get", "key: 'a'") == "NOT_FOUND KEY_NOT_FOUND");
}

TEST_CASE_METHOD(Batches, "the largest answer of a call has room in a batch") {
  // Together with what encloses them, members of 1,021 bytes fill 3 MiB in steps of 1 KiB.
  for (int i = 0; i < 4; ++i) {
    std::string members;
    for (int j = 0; j < 768 - (i == 3 ? 1 : 0); ++j) {
      absl::StrAppend(&members, "members: '", absl::Hex(i * 1000 + j, absl::kZeroPad16), std::string(1005, 'x'), "' ");
    }
    Ask("SetStore.Add", "key: 's' " + members);
  }
  std::string reply;
  REQUIRE(client().Try("SetStore.Get", "key: 's'", &reply).ok());
  CHECK(RunIndependent({{"SetStore.Get", "key: 's'"}})[0].size() > 3 * kMiB);
  CHECK(RunAtomic({{"SetStore.Get", "key: 's'"}})[0].size() > 3 * kMiB);
}

// ---- Without a ledger. ----

TEST_CASE("batches work without a ledger") {
  Pair pair;
  pair.kvs_config().has_ledger = false;
  pair.StartKvs();
  pair.AwaitWritable();
  const ApiClient api(pair.channel());
  const std::string twice =
      OperationText("IntStore.Increment", "key: 'a'") + OperationText("IntStore.Increment", "key: 'a'");
  CHECK(api.Ask("Batch.Execute", "atomic: true " + twice) ==
        "results { int_increment { previous: 0 value: 1 revision: 1 } } "
        "results { int_increment { previous: 1 value: 2 revision: 2 } } latest_revision: 2");
  CHECK(api.Ask("Batch.Execute", twice) ==
        "results { int_increment { previous: 2 value: 3 revision: 3 } } "
        "results { int_increment { previous: 3 value: 4 revision: 4 } } latest_revision: 4");
}

}  // namespace
}  // namespace kvs
