#include "clients/bench/response_checks.h"

#include "common/errors.h"
#include "common/rpc/status.h"
#include "kvs/v1/batch.pb.h"
#include "tests/support/catch.h"

namespace kvs::bench {
namespace {

struct Checked {
  uint32_t failed;
  absl::Status error;
};

Checked Check(ResponseCheck check, const google::protobuf::MessageLite& response, uint32_t operations) {
  Checked checked{};
  checked.failed = check(response.SerializeAsString(), operations, &checked.error);
  return checked;
}

v1::StringStoreMultiGetResponse Multi(int values) {
  v1::StringStoreMultiGetResponse response;
  for (int i = 0; i < values; ++i) {
    response.add_values("value");
    response.add_revisions(300);
  }
  response.set_latest_revision(1000);
  return response;
}

v1::StringStoreMultiGetResponse MultiWithErrors() {
  v1::StringStoreMultiGetResponse response = Multi(5);
  v1::KeyErrors* failed = response.add_errors();
  for (const int index : {1, 3}) {
    failed->add_indexes(static_cast<uint32_t>(index));
    response.set_revisions(index, 0);
  }
  *failed->mutable_status() = rpc::ToProto(Error(errors::kKeyNotFound, "there is no such key"));
  return response;
}

v1::BatchExecuteResponse Batch(int results, int errors) {
  v1::BatchExecuteResponse response;
  for (int i = 0; i < results; ++i) response.add_results()->mutable_int_get()->set_value(41);
  for (int i = 0; i < errors; ++i) *response.add_results()->mutable_error() = rpc::ToProto(absl::AbortedError("no"));
  response.set_latest_revision(1000);
  return response;
}

TEST_CASE("of a call with many keys, absent ones have failed") {
  v1::StringStoreMultiGetResponse response = Multi(5);
  response.set_revisions(0, 0);
  response.set_revisions(2, 128 * 128);  // in bytes of which most are zero but for a bit
  response.set_revisions(4, 0);
  const Checked checked = Check(CheckMulti, response, 5);
  CHECK(checked.failed == 2);
  CHECK(Is(checked.error, errors::kKeyNotFound));
}

TEST_CASE("of a call with many keys, the keys with errors have failed") {
  CHECK(Check(CheckMulti, Multi(5), 5).failed == 0);
  const Checked checked = Check(CheckMulti, MultiWithErrors(), 5);
  CHECK(checked.failed == 2);
  CHECK(checked.error.message() == "there is no such key");
  CHECK(Is(checked.error, errors::kKeyNotFound));
}

TEST_CASE("of a batch, the operations with errors have failed") {
  CHECK(Check(CheckBatch, Batch(3, 0), 3).failed == 0);
  const Checked checked = Check(CheckBatch, Batch(2, 1), 3);
  CHECK(checked.failed == 1);
  CHECK(checked.error == absl::AbortedError("no"));
}

TEST_CASE("a batch that lacks results has failed") { CHECK(Check(CheckBatch, Batch(2, 0), 3).failed == 3); }

TEST_CASE("of a pipeline, a batch has failed in part or as a whole") {
  v1::BatchPipelineResponse response;
  *response.mutable_batch() = Batch(2, 1);
  CHECK(Check(CheckPipeline, response, 3).failed == 1);
  *response.mutable_error() = rpc::ToProto(absl::ResourceExhaustedError("too large"));
  CHECK(Check(CheckPipeline, response, 3).failed == 3);
  CHECK(Check(CheckPipeline, response, 3).error == absl::ResourceExhaustedError("too large"));
  CHECK(Check(CheckPipelineMulti, response, 3).failed == 3);
}

TEST_CASE("of a pipeline of operations with many keys, the keys with errors have failed") {
  v1::BatchPipelineResponse response;
  *response.mutable_batch()->add_results()->mutable_string_multi_get() = Multi(5);
  CHECK(Check(CheckPipelineMulti, response, 5).failed == 0);
  *response.mutable_batch()->mutable_results(0)->mutable_string_multi_get() = MultiWithErrors();
  CHECK(Check(CheckPipelineMulti, response, 5).failed == 2);
  *response.mutable_batch()->mutable_results(0)->mutable_error() = rpc::ToProto(absl::UnavailableError("busy"));
  CHECK(Check(CheckPipelineMulti, response, 5).failed == 5);
  CHECK(Check(CheckPipelineMulti, response, 5).error == absl::UnavailableError("busy"));
}

TEST_CASE("an error without a code is one all the same") {
  v1::BatchExecuteResponse response = Batch(2, 1);
  response.mutable_results(2)->mutable_error()->Clear();
  const Checked checked = Check(CheckBatch, response, 3);
  CHECK(checked.failed == 1);
  CHECK(checked.error.code() == absl::StatusCode::kUnknown);
}

TEST_CASE("a response that is no message has failed as a whole") {
  absl::Status error;
  CHECK(CheckMulti("\x0a\xff", 4, &error) == 4);
  CHECK(CheckBatch("\x0a\xff", 4, &error) == 4);
  CHECK(CheckPipeline("\x0a\xff", 4, &error) == 4);
  CHECK(CheckPipelineMulti("", 4, &error) == 4);
  CHECK(error == absl::InternalError("the response is no message of its type"));
}

}  // namespace
}  // namespace kvs::bench
