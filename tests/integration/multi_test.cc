// Calls with many keys: MultiGet, MultiPut and MultiIncrement.

#include <absl/strings/str_cat.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "kvs/v1/batch.pb.h"
#include "kvs/v1/int_store.pb.h"
#include "kvs/v1/string_store.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"

namespace kvs {
namespace {

class Multi : public ApiPair {
 protected:
  template <class Response>
  Response Get(const std::string& method, const std::string& request) {
    std::string reply;
    const absl::Status status = client().Try(method, request, &reply);
    INFO(status);
    REQUIRE(status.ok());
    Response response;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(reply, &response));
    return response;
  }

  // "INVALID_KEY 1 3", one for each kind of error.
  template <class Response>
  static std::vector<std::string> ErrorsOf(const Response& response) {
    std::vector<std::string> errors;
    for (const v1::KeyErrors& error : response.errors()) {
      const absl::Status status = rpc::FromProto(error.status());
      CHECK(MetadataOf(status, "entry") == absl::StrCat(error.indexes(0)));
      errors.push_back(ReasonOf(status));
      for (const uint32_t index : error.indexes()) absl::StrAppend(&errors.back(), " ", index);
    }
    return errors;
  }
};

using Lines = std::vector<std::string>;

TEST_CASE_METHOD(Multi, "many keys are stored, read and incremented, each with its revision") {
  CHECK(Ask("IntStore.MultiPut", "keys: 'a' keys: 'b' keys: 'c' values: 1 values: 0 values: -3") ==
        "revisions: 1 revisions: 2 revisions: 3 latest_revision: 3");
  CHECK(Ask("IntStore.MultiGet", "keys: 'c' keys: 'missing' keys: 'a' keys: 'b' keys: 'c'") ==
        "values: -3 values: 0 values: 1 values: 0 values: -3 "
        "revisions: 3 revisions: 0 revisions: 1 revisions: 2 revisions: 3 latest_revision: 3");
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' keys: 'd' deltas: 10 deltas: -1") ==
        "values: 11 values: -1 revisions: 4 revisions: 5 latest_revision: 5");
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' keys: 'd' deltas: 5") ==
        "values: 16 values: 4 revisions: 6 revisions: 7 latest_revision: 7");
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' keys: 'd'") ==
        "values: 17 values: 5 revisions: 8 revisions: 9 latest_revision: 9");
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' keys: 'missing' deltas: 0") ==
        "values: 17 values: 0 revisions: 8 revisions: 0 latest_revision: 9");
  CHECK(Ask("UintStore.MultiPut", "keys: 'a' keys: 'b' values: 18446744073709551615 values: 7") ==
        "revisions: 10 revisions: 11 latest_revision: 11");
  CHECK(Ask("UintStore.MultiIncrement", "keys: 'a' keys: 'b' deltas: 5 decrement: true") ==
        "values: 18446744073709551610 values: 2 revisions: 12 revisions: 13 latest_revision: 13");
  CHECK(Ask("FloatStore.MultiPut", "keys: 'a' keys: 'b' values: 0.5 values: -2") ==
        "revisions: 14 revisions: 15 latest_revision: 15");
  CHECK(Ask("FloatStore.MultiIncrement", "keys: 'a' keys: 'c' deltas: 0.25") ==
        "values: 0.75 values: 0.25 revisions: 16 revisions: 17 latest_revision: 17");
  CHECK(Ask("FloatStore.MultiGet", "keys: 'b' keys: 'a'") ==
        "values: -2 values: 0.75 revisions: 15 revisions: 16 latest_revision: 17");
  CHECK(Ask("StringStore.MultiPut", "keys: 'a' keys: 'b' values: '' values: 'text'") ==
        "revisions: 18 revisions: 19 latest_revision: 19");
  CHECK(Ask("StringStore.MultiGet", "keys: 'b' keys: 'c' keys: 'a'") ==
        "values: \"text\" values: \"\" values: \"\" revisions: 19 revisions: 0 revisions: 18 latest_revision: 19");
  for (const auto& frame : Logged()) {
    for (const auto& transaction : frame.transactions()) CHECK(transaction.batch_remaining() == 0);
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Multi, "a key that is there several times is changed as often, in order") {
  CHECK(Ask("IntStore.MultiPut", "keys: 'a' keys: 'b' keys: 'a' values: 1 values: 2 values: 3") ==
        "revisions: 1 revisions: 2 revisions: 3 latest_revision: 3");
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' keys: 'a' keys: 'a'") ==
        "values: 4 values: 5 values: 6 revisions: 4 revisions: 5 revisions: 6 latest_revision: 6");
  CHECK(Ask("StringStore.MultiPut", "keys: 'a' keys: 'a' values: 'x' values: 'y' precondition { must_not_exist: true }")
            .find("KEY_EXISTS") != std::string::npos);
  CHECK(Ask("StringStore.Get", "key: 'a'") == "value: \"x\" revision: 7 latest_revision: 7");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Multi, "keys fail each for itself, and are told by reason") {
  Ask("IntStore.MultiPut", "keys: 'max' keys: 'a' values: 9223372036854775807 values: 5");
  const auto sums = Get<v1::IntStoreMultiIncrementResponse>(
      "IntStore.MultiIncrement", "keys: '' keys: 'max' keys: 'a' keys: 'max' keys: 'a\\000b' keys: 'new'");
  CHECK(ErrorsOf(sums) == Lines{"INVALID_KEY 0 4", "OVERFLOW 1 3"});
  CHECK(std::vector<int64_t>(sums.values().begin(), sums.values().end()) == std::vector<int64_t>{0, 0, 6, 0, 0, 1});
  CHECK(std::vector<uint64_t>(sums.revisions().begin(), sums.revisions().end()) ==
        std::vector<uint64_t>{0, 0, 3, 0, 0, 4});
  const auto puts = Get<v1::IntStoreMultiPutResponse>(
      "IntStore.MultiPut",
      "keys: 'a' keys: 'x' keys: 'max' values: 1 values: 2 values: 3 precondition { must_exist: true }");
  CHECK(ErrorsOf(puts) == Lines{"KEY_NOT_FOUND 1"});
  CHECK(std::vector<uint64_t>(puts.revisions().begin(), puts.revisions().end()) == std::vector<uint64_t>{5, 0, 6});
  CHECK_THAT(Ask("FloatStore.MultiPut", "keys: 'a' keys: 'b' values: inf values: 1"), ContainsText("NOT_FINITE"));
  CHECK_THAT(Ask("FloatStore.MultiIncrement", "keys: 'b' deltas: nan"), ContainsText("NOT_FINITE"));
  CHECK_THAT(Ask("StringStore.MultiPut", "keys: 'a' keys: 'b' values: 'a\\000b' values: 'x'"),
             ContainsText("INVALID_TEXT"));
  CHECK(Ask("StringStore.MultiGet", "keys: 'a' keys: 'b'") ==
        "values: \"\" values: \"x\" revisions: 0 revisions: 8 latest_revision: 8");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Multi, "what is wrong with the request as a whole changes nothing") {
  const std::pair<const char*, const char*> wrong[] = {
      {"values: 1", "LENGTH_MISMATCH"},
      {"values: 1 values: 2 values: 3", "LENGTH_MISMATCH"},
      {"values: 1 values: 2 precondition { revision_equals: 0 }", "INVALID_PRECONDITION"},
      {"values: 1 values: 2 precondition { }", "INVALID_PRECONDITION"},
      {"values: 1 values: 2 request_id: '\\000'", "INVALID_REQUEST_ID"},
  };
  for (const auto& [rest, reason] : wrong) {
    INFO(rest);
    CHECK(ReasonOf(ErrorOf("IntStore.MultiPut", absl::StrCat("keys: 'a' keys: 'b' ", rest))) == reason);
  }
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' deltas: 1 deltas: 2") == "INVALID_ARGUMENT LENGTH_MISMATCH");
  CHECK(Ask("IntStore.MultiIncrement", "keys: 'a' keys: 'b' keys: 'c' deltas: 1 deltas: 2") ==
        "INVALID_ARGUMENT LENGTH_MISMATCH");
  CHECK(LatestRevision() == 0);
}

TEST_CASE_METHOD(Multi, "no keys are no error") {
  CHECK(Ask("IntStore.MultiGet", "") == "latest_revision: 0");
  CHECK(Ask("IntStore.MultiPut", "") == "latest_revision: 0");
  CHECK(Ask("FloatStore.MultiIncrement", "") == "latest_revision: 0");
}

TEST_CASE_METHOD(Multi, "10,000 keys are the most, alone and in a batch") {
  std::string keys;
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&keys, "keys: 'k", i, "' ");
  CHECK(Get<v1::IntStoreMultiIncrementResponse>("IntStore.MultiIncrement", keys).revisions(9999) == 10000);
  CHECK(Get<v1::IntStoreMultiGetResponse>("IntStore.MultiGet", keys).revisions(5) == 6);
  CHECK(Ask("IntStore.MultiGet", keys + "keys: 'x'") == "INVALID_ARGUMENT BATCH_TOO_LARGE");
  CHECK(Ask("IntStore.MultiIncrement", keys + "keys: 'x'") == "INVALID_ARGUMENT BATCH_TOO_LARGE");
  CHECK(Ask("Batch.Execute", OperationText("IntStore.MultiGet", keys) + OperationText("IntStore.Get", "key: 'x'")) ==
        "INVALID_ARGUMENT BATCH_TOO_LARGE");
  const auto batch =
      Get<v1::BatchExecuteResponse>("Batch.Execute", "atomic: true " + OperationText("IntStore.MultiIncrement", keys));
  CHECK(batch.results(0).int_multi_increment().revisions(9999) == 20000);
  CHECK(LatestRevision() == 20000);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Multi, "values that do not fit into the reply are told, and can be asked for") {
  const std::string text(kMiB, 'x');
  for (int i = 0; i < 4; ++i) Ask("StringStore.Put", absl::StrCat("key: 'k", i, "' value: '", text, "'"));
  Ask("StringStore.Put", "key: 'small' value: 'x'");
  const std::string request = "keys: 'k0' keys: 'k1' keys: 'k2' keys: 'small' keys: 'k3'";
  const auto read = Get<v1::StringStoreMultiGetResponse>("StringStore.MultiGet", request);
  CHECK(ErrorsOf(read) == Lines{"REPLY_TOO_LARGE 2 4"});
  CHECK(read.values(1) == text);
  CHECK(read.values(2).empty());
  CHECK(read.revisions(2) == 0);
  CHECK(read.values(3) == "x");
  CHECK(Ask("Batch.Execute", "atomic: true " + OperationText("StringStore.MultiGet", request)) ==
        "RESOURCE_EXHAUSTED REPLY_TOO_LARGE");
}

TEST_CASE_METHOD(Multi, "in an atomic batch one key that fails decides for all") {
  Ask("IntStore.Put", "key: 'max' value: 9223372036854775807");
  const absl::Status status =
      ErrorOf("Batch.Execute", "atomic: true " + OperationText("IntStore.MultiPut", "keys: 'a' values: 1") +
                                   OperationText("IntStore.MultiIncrement", "keys: 'a' keys: 'max'"));
  CHECK(Is(status, errors::kOverflow));
  CHECK(MetadataOf(status, "operation") == "1");
  CHECK(MetadataOf(status, "entry") == "1");
  CHECK(LatestRevision() == 1);
  CHECK(Ask("Batch.Execute", "atomic: true " +
                                 OperationText("IntStore.MultiPut", "keys: 'a' keys: 'b' values: 1 values: 2") +
                                 OperationText("IntStore.MultiIncrement", "keys: 'b' keys: 'c'") +
                                 OperationText("IntStore.MultiGet", "keys: 'a' keys: 'b' keys: 'c' keys: 'd'")) ==
        "results { int_multi_put { revisions: 2 revisions: 3 } } "
        "results { int_multi_increment { values: 3 values: 1 revisions: 4 revisions: 5 } } "
        "results { int_multi_get { values: 1 values: 3 values: 1 values: 0 "
        "revisions: 2 revisions: 4 revisions: 5 revisions: 0 } } latest_revision: 5");
  CHECK(Logged().back().transactions(0).batch_remaining() == 3);
  CheckSameAfterRestart();
}

}  // namespace
}  // namespace kvs
