#include "kvs_server/api/lists.h"

#include <absl/strings/str_cat.h>

#include <random>

#include "common/errors.h"
#include "common/rpc/message.h"
#include "kvs_server/api/operations.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

// An engine for one of two ways that have to come to the same.
class Side {
 public:
  Session session() { return {&engine_, "actor", {}}; }

 private:
  ManualLedger ledger_{{}, /*connected=*/true};
  Store store_{8, {}};
  Engine engine_{&store_, &ledger_.journal()};
};

// Requests of MultiGet and MultiPut, done by generated code on one side and from their bytes on the other.
class BothWays {
 public:
  size_t quick() const { return quick_; }

  template <class Response, class Request>
  void Do(v1::BatchOperation::OperationCase operation, const Request& request) {
    INFO(request.ShortDebugString());
    Response expected;
    const Outcome outcome = server::Do(general_.session(), request, &expected);
    const std::string bytes = request.SerializeAsString();
    std::optional<ListAnswer> answer = DoLists(lists_.session(), {operation, bytes});
    CHECK(answer.has_value() == outcome.status.ok());
    if (!answer) return;
    ++quick_;
    CHECK(answer->outcome.observed_revision == outcome.observed_revision);
    CHECK(answer->outcome.logged == outcome.logged);
    CheckResponses(operation, *answer, outcome, expected);
  }

 private:
  template <class Response>
  static void CheckResponses(v1::BatchOperation::OperationCase operation, const ListAnswer& answer,
                             const Outcome& outcome, Response expected) {
    v1::BatchPipelineResponse in_pipeline;
    REQUIRE(rpc::Parse(PipelineResponse(operation, answer), &in_pipeline));
    REQUIRE(in_pipeline.batch().results_size() == 1);
    CHECK(in_pipeline.batch().latest_revision() == outcome.latest_revision);
    const v1::BatchResult& result = in_pipeline.batch().results(0);
    REQUIRE(static_cast<int>(result.result_case()) == static_cast<int>(operation));
    const auto* field = v1::BatchResult::descriptor()->FindFieldByNumber(operation);
    CHECK(v1::BatchResult::GetReflection()->GetMessage(result, field).ShortDebugString() ==
          expected.ShortDebugString());
    Response response;
    REQUIRE(rpc::Parse(CallResponse(answer), &response));
    expected.set_latest_revision(outcome.latest_revision);
    CHECK(response.ShortDebugString() == expected.ShortDebugString());
  }

  Side general_;
  Side lists_;
  size_t quick_ = 0;
};

class RandomRequests {
 public:
  size_t Pick(size_t bound) { return random_() % bound; }

  // Keys of which some are bad, and as many values, or nearly.
  template <class Request, class Value>
  Request Put(Value value) {
    auto request = Get<Request>();
    for (size_t i = Pick(30) == 0 ? 1 : 0; i < static_cast<size_t>(request.keys_size()); ++i)
      request.add_values(value());
    return request;
  }
  template <class Request>
  Request Get() {
    Request request;
    for (size_t i = Pick(40); i > 0; --i) request.add_keys(Key());
    return request;
  }

  std::string Text() {
    static constexpr const char* kTexts[] = {"", "x", "\u00E4\u4E16\U0001F600",
                                             "a longer text that has no room in a string", "exactly16bytes!!"};
    return Pick(50) == 0 ? std::string("a\0b", 3) : kTexts[Pick(5)];
  }
  int64_t Int() { return static_cast<int64_t>(random_()) >> Pick(64); }
  double Float() { return Pick(50) == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(Int()) / 3; }

 private:
  std::string Key() {
    switch (Pick(40)) {
      case 0:
        return "";
      case 1:
        return std::string(kMaxKeyBytes + 1, 'k');
      case 2:
        return std::string("a\0b", 3);
      default:
        return absl::StrCat("key-\u00E4-", Pick(20));
    }
  }

  std::mt19937_64 random_{TestSeed()};
};

TEST_CASE("lists are read, done and answered from their bytes as by generated code") {
  INFO("KVS_SEED=" << TestSeed());
  BothWays both;
  RandomRequests random;
  using Case = v1::BatchOperation;
  for (int i = 0; i < 500; ++i) {
    both.Do<v1::IntStoreMultiPutResponse>(Case::kIntMultiPut,
                                          random.Put<v1::IntStoreMultiPutRequest>([&] { return random.Int(); }));
    both.Do<v1::UintStoreMultiPutResponse>(Case::kUintMultiPut, random.Put<v1::UintStoreMultiPutRequest>([&] {
      return static_cast<uint64_t>(random.Int());
    }));
    both.Do<v1::FloatStoreMultiPutResponse>(Case::kFloatMultiPut,
                                            random.Put<v1::FloatStoreMultiPutRequest>([&] { return random.Float(); }));
    both.Do<v1::StringStoreMultiPutResponse>(Case::kStringMultiPut,
                                             random.Put<v1::StringStoreMultiPutRequest>([&] { return random.Text(); }));
    both.Do<v1::IntStoreMultiGetResponse>(Case::kIntMultiGet, random.Get<v1::IntStoreMultiGetRequest>());
    both.Do<v1::UintStoreMultiGetResponse>(Case::kUintMultiGet, random.Get<v1::UintStoreMultiGetRequest>());
    both.Do<v1::FloatStoreMultiGetResponse>(Case::kFloatMultiGet, random.Get<v1::FloatStoreMultiGetRequest>());
    both.Do<v1::StringStoreMultiGetResponse>(Case::kStringMultiGet, random.Get<v1::StringStoreMultiGetRequest>());
  }
  CHECK(both.quick() > 3000);
}

TEST_CASE("what lists do not read is left to generated code, and changes nothing") {
  Side side;
  v1::StringStoreMultiPutRequest put;
  put.add_keys("a");
  put.add_values("one");
  const std::string plain = put.SerializeAsString();
  const auto reads = [&side](const std::string& bytes) {
    return DoLists(side.session(), {v1::BatchOperation::kStringMultiPut, bytes}).has_value();
  };
  put.set_request_id("r");
  CHECK_FALSE(reads(put.SerializeAsString()));
  put.clear_request_id();
  put.mutable_ttl()->set_seconds(1);
  CHECK_FALSE(reads(put.SerializeAsString()));
  put.clear_ttl();
  put.mutable_precondition()->set_must_exist(true);
  CHECK_FALSE(reads(put.SerializeAsString()));
  // An unknown field, as newer clients may send it.
  CHECK_FALSE(reads(plain + "\xFA\x01\x01x"));
  CHECK_FALSE(reads(plain + std::string("\x0A\x02\xC3(", 4)));
  CHECK_FALSE(reads(plain + std::string("\x12\x02\xC3(", 4)));
  for (size_t size = 1; size < plain.size(); ++size) {
    INFO(size);
    // Cut between its fields it is a put of one key and no values, which fails as a whole.
    CHECK_FALSE(reads(plain.substr(0, size)));
  }
  CHECK_FALSE(DoLists(side.session(), {v1::BatchOperation::kStringAppend, plain}));
  CHECK_FALSE(DoLists(side.session(), {v1::BatchOperation::kIntMultiPut, plain}));
  const auto found = DoLists(side.session(), {v1::BatchOperation::kStringMultiGet, "\x0A\x01\x61"});
  REQUIRE(found);
  CHECK(found->outcome.observed_revision == 0);
  CHECK(reads(plain));
}

TEST_CASE("of a message of a pipeline, the operation of a batch that has one is found, and nothing else") {
  v1::BatchPipelineRequest request;
  auto* batch = request.mutable_batch();
  batch->add_operations()->mutable_string_multi_get()->add_keys("a");
  const std::string bytes = request.SerializeAsString();
  const auto operation = OnlyOperation(bytes);
  REQUIRE(operation);
  CHECK(operation->operation == v1::BatchOperation::kStringMultiGet);
  CHECK(operation->request == batch->operations(0).string_multi_get().SerializeAsString());
  for (size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(OnlyOperation(bytes.substr(0, size)));
  batch->set_atomic(true);
  CHECK_FALSE(OnlyOperation(request.SerializeAsString()));
  batch->clear_atomic();
  batch->add_operations()->mutable_string_multi_get()->add_keys("a");
  CHECK_FALSE(OnlyOperation(request.SerializeAsString()));
  batch->mutable_operations()->RemoveLast();
  batch->set_request_id("r");
  CHECK_FALSE(OnlyOperation(request.SerializeAsString()));
}

}  // namespace
}  // namespace kvs::server
