#include "clients/cli/transaction_text.h"

#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

constexpr int64_t kTime = 1769853600123456;  // 2026-01-31T10:00:00.123456Z

Transaction Make(ValueType type, Operation operation) {
  return {.revision = 7,
          .time_micros = kTime,
          .previous_revision = 3,
          .actor = "spiffe://kvs/client/alice",
          .type = type,
          .key = "a b",
          .operation = std::move(operation)};
}

struct Case {
  ValueType type;
  Operation operation;
  std::string text;
  std::string json;
};

TEST_CASE("every operation as text and as JSON") {
  const Case cases[] = {
      {ValueType::kInt, operation::Put{int64_t{-5}}, "int \"a b\" put -5", R"("operation":"put","value":"-5")"},
      {ValueType::kUint, operation::Put{uint64_t{18446744073709551615u}}, "uint \"a b\" put 18446744073709551615",
       R"("operation":"put","value":"18446744073709551615")"},
      {ValueType::kFloat, operation::Put{0.1}, "float \"a b\" put 0.1", R"("operation":"put","value":0.1)"},
      {ValueType::kString, operation::Put{absl::string_view("x\n\"y\"")}, R"(string "a b" put "x\n\"y\"")",
       R"("operation":"put","value":"x\n\"y\"")"},
      {ValueType::kSet, operation::Put{Texts{"a", "b"}}, R"(set "a b" put ["a","b"])",
       R"("operation":"put","value":["a","b"])"},
      {ValueType::kMap, operation::Put{Fields{{"c", "d"}}}, R"(map "a b" put {"c":"d"})",
       R"("operation":"put","value":{"c":"d"})"},
      {ValueType::kInt, operation::Delete{}, "int \"a b\" delete", R"("operation":"delete")"},
      {ValueType::kInt, operation::Delete{operation::Delete::Cause::kExpired}, "int \"a b\" expire",
       R"("operation":"expire")"},
      {ValueType::kInt, operation::Delete{operation::Delete::Cause::kEvicted}, "int \"a b\" evict",
       R"("operation":"evict")"},
      {ValueType::kInt, operation::IntIncrement{-3, 4}, "int \"a b\" increment by -3 to 4",
       R"("operation":"increment","delta":"-3","result":"4")"},
      {ValueType::kUint, operation::UintIncrement{3, true, 4}, "uint \"a b\" increment by -3 to 4",
       R"("operation":"increment","delta":"-3","result":"4")"},
      {ValueType::kFloat, operation::FloatIncrement{0.5, 4}, "float \"a b\" increment by 0.5 to 4",
       R"("operation":"increment","delta":0.5,"result":4)"},
      {ValueType::kString, operation::Append{"x"}, R"(string "a b" append "x")", R"("operation":"append","value":"x")"},
      {ValueType::kSet, operation::AddMembers{{"x"}}, R"(set "a b" add members ["x"])",
       R"("operation":"addMembers","members":["x"])"},
      {ValueType::kSet, operation::RemoveMembers{{"x"}}, R"(set "a b" remove members ["x"])",
       R"("operation":"removeMembers","members":["x"])"},
      {ValueType::kMap, operation::PutFields{{{"x", "y"}}}, R"(map "a b" put fields {"x":"y"})",
       R"("operation":"putFields","fields":{"x":"y"})"},
      {ValueType::kMap, operation::RemoveFields{{"x"}}, R"(map "a b" remove fields ["x"])",
       R"("operation":"removeFields","names":["x"])"},
  };
  for (const Case& c : cases) {
    const Transaction transaction = Make(c.type, c.operation);
    CHECK(TransactionText(transaction) == "7 2026-01-31T10:00:00.123456Z " + c.text + ", by spiffe://kvs/client/alice");
    CHECK(TransactionJson(transaction) == R"({"revision":"7","time":"2026-01-31T10:00:00.123456Z",)"
                                          R"("actor":"spiffe://kvs/client/alice","type":")" +
                                              std::string(TypeName(c.type)) +
                                              R"(","key":"a b","previousRevision":"3",)" + c.json + "}");
  }
}

TEST_CASE("the id of a request") {
  Transaction transaction = Make(ValueType::kInt, operation::Delete{});
  transaction.request.id = "an \"id\"";
  CHECK_THAT(TransactionText(transaction), ContainsText(R"(, by spiffe://kvs/client/alice, request "an \"id\"")"));
  CHECK_THAT(TransactionJson(transaction), ContainsText(R"("requestId":"an \"id\"","operation":"delete")"));
}

TEST_CASE("anonymous changes and parts of a batch") {
  Transaction transaction = Make(ValueType::kInt, operation::Delete{});
  transaction.actor = "";
  transaction.batch_remaining = 2;
  CHECK(TransactionText(transaction) == "7 2026-01-31T10:00:00.123456Z int \"a b\" delete, with the next 2");
  CHECK_THAT(TransactionJson(transaction), ContainsText(R"("actor":"anonymous")"));
  CHECK_THAT(TransactionJson(transaction), ContainsText(R"("batchRemaining":"2")"));
}

}  // namespace
}  // namespace kvs::cli
