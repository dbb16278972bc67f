#include "common/model/transaction_codec.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"
#include "txn/v1/transaction.pb.h"

namespace kvs {
namespace {

namespace pb = txn::v1;

constexpr int64_t kLeastInt = std::numeric_limits<int64_t>::min();
constexpr int64_t kGreatestInt = std::numeric_limits<int64_t>::max();
constexpr uint64_t kGreatestUint = std::numeric_limits<uint64_t>::max();

Transaction Of(ValueType type, Operation operation) {
  Transaction transaction;
  transaction.revision = 7;
  transaction.time_micros = 1'700'000'000'000'000;
  transaction.previous_revision = 3;
  transaction.actor = "spiffe://kvs/client/ann";
  transaction.type = type;
  transaction.key = "key";
  transaction.operation = std::move(operation);
  return transaction;
}

std::string Encode(const Transaction& transaction) {
  EncodedTransaction encoded(transaction);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  return encoded.bytes();
}

pb::TransactionList ParseList(const std::string& bytes) {
  pb::TransactionList list;
  REQUIRE(list.ParseFromString(bytes));
  return list;
}

// Into a transaction that has something everywhere, of which nothing may stay.
absl::StatusOr<Transaction> Decoded(const std::string& bytes) {
  Transaction transaction = Of(ValueType::kMap, operation::PutFields{{{"name", "value"}}});
  transaction.batch_remaining = 5;
  transaction.expires_at_micros = 1'800'000'000'000'000;
  transaction.request = {"before", Answer{1, 2, "answer"}};
  if (absl::Status status = DecodeTransaction(bytes, &transaction); !status.ok()) return status;
  return transaction;
}

// Doubles are compared by their bits: -0.0 is not 0.0 here.
bool Same(double a, double b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

bool Same(const ValueView& a, const ValueView& b) {
  if (a.index() != b.index()) return false;
  if (const auto* number = std::get_if<double>(&a)) return Same(*number, std::get<double>(b));
  return a == b;
}

struct SameOperation {
  const Operation& other;

  bool operator()(const operation::Put& a) const { return Same(a.value, std::get<operation::Put>(other).value); }
  bool operator()(const operation::Delete& a) const { return a.cause == std::get<operation::Delete>(other).cause; }
  bool operator()(const operation::IntIncrement& a) const {
    const auto& b = std::get<operation::IntIncrement>(other);
    return a.delta == b.delta && a.result == b.result;
  }
  bool operator()(const operation::UintIncrement& a) const {
    const auto& b = std::get<operation::UintIncrement>(other);
    return a.delta == b.delta && a.decrement == b.decrement && a.result == b.result;
  }
  bool operator()(const operation::FloatIncrement& a) const {
    const auto& b = std::get<operation::FloatIncrement>(other);
    return Same(a.delta, b.delta) && Same(a.result, b.result);
  }
  bool operator()(const operation::Append& a) const { return a.text == std::get<operation::Append>(other).text; }
  bool operator()(const operation::AddMembers& a) const {
    return a.members == std::get<operation::AddMembers>(other).members;
  }
  bool operator()(const operation::RemoveMembers& a) const {
    return a.members == std::get<operation::RemoveMembers>(other).members;
  }
  bool operator()(const operation::PutFields& a) const {
    return a.fields == std::get<operation::PutFields>(other).fields;
  }
  bool operator()(const operation::RemoveFields& a) const {
    return a.names == std::get<operation::RemoveFields>(other).names;
  }
  bool operator()(const operation::SetExpiry& a) const {
    const auto& b = std::get<operation::SetExpiry>(other);
    return a.number.has_value() == b.number.has_value() && (!a.number || Same(*a.number, *b.number));
  }
};

bool Same(const Operation& a, const Operation& b) { return a.index() == b.index() && std::visit(SameOperation{b}, a); }

void CheckRoundTrip(const Transaction& transaction) {
  INFO("operation " << transaction.operation.index() << " of " << TypeName(transaction.type));
  const pb::TransactionList list = ParseList(Encode(transaction));
  REQUIRE(list.transactions_size() == 1);
  // Generated code writes the same bytes, but that it leaves out a time of 0.
  CHECK((transaction.time_micros == 0 || list.SerializeAsString() == Encode(transaction)));
  const std::string bytes = list.transactions(0).SerializeAsString();
  const auto decoded = Decoded(bytes);
  INFO(decoded.status().ToString());
  REQUIRE(decoded.ok());
  CHECK(decoded->revision == transaction.revision);
  CHECK(decoded->time_micros == transaction.time_micros);
  CHECK(decoded->previous_revision == transaction.previous_revision);
  CHECK((decoded->actor == transaction.actor));
  CHECK(decoded->type == transaction.type);
  CHECK((decoded->key == transaction.key));
  CHECK(decoded->batch_remaining == transaction.batch_remaining);
  CHECK(decoded->expires_at_micros == transaction.expires_at_micros);
  CHECK(Same(decoded->operation, transaction.operation));
  CHECK((decoded->request.id == transaction.request.id));
  CHECK(decoded->request.answer.has_value() == transaction.request.answer.has_value());
}

TEST_CASE("numbers survive storing at their limits") {
  for (const int64_t value : {int64_t{0}, int64_t{1}, int64_t{-1}, kLeastInt, kGreatestInt}) {
    CheckRoundTrip(Of(ValueType::kInt, operation::Put{value}));
    for (const int64_t delta : {int64_t{0}, int64_t{-1}, kLeastInt, kGreatestInt}) {
      CheckRoundTrip(Of(ValueType::kInt, operation::IntIncrement{delta, value}));
    }
  }
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, kGreatestUint}) {
    CheckRoundTrip(Of(ValueType::kUint, operation::Put{value}));
    for (const bool decrement : {false, true}) {
      CheckRoundTrip(Of(ValueType::kUint, operation::UintIncrement{kGreatestUint, decrement, value}));
    }
  }
  using Limits = std::numeric_limits<double>;
  for (const double value : {0.0, -0.0, 1.5, -1.5, 0.1, Limits::max(), Limits::lowest(), Limits::min(),
                             Limits::denorm_min(), Limits::epsilon()}) {
    CheckRoundTrip(Of(ValueType::kFloat, operation::Put{value}));
    CheckRoundTrip(Of(ValueType::kFloat, operation::FloatIncrement{-value, value}));
  }
}

TEST_CASE("texts survive storing at their limits and with any byte") {
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) all_bytes.push_back(static_cast<char>(byte));
  const std::string largest(kMaxValueBytes, 'x');
  for (const std::string& text : {std::string(), std::string("a"), std::string("\0", 1), all_bytes, largest}) {
    CheckRoundTrip(Of(ValueType::kString, operation::Put{absl::string_view(text)}));
    CheckRoundTrip(Of(ValueType::kString, operation::Append{text}));
    CheckRoundTrip(Of(ValueType::kSet, operation::AddMembers{{text}}));
    CheckRoundTrip(Of(ValueType::kSet, operation::RemoveMembers{{text}}));
    CheckRoundTrip(Of(ValueType::kMap, operation::PutFields{{{"name", text}}}));
    CheckRoundTrip(Of(ValueType::kMap, operation::RemoveFields{{text}}));
  }
}

TEST_CASE("collections survive storing, empty ones too") {
  const std::string longest(kMaxKeyBytes, 'n');
  for (const Texts& texts : {Texts{}, Texts{""}, Texts{"a", "b"}, Texts{"", "a", longest}}) {
    CheckRoundTrip(Of(ValueType::kSet, operation::Put{texts}));
    CheckRoundTrip(Of(ValueType::kSet, operation::AddMembers{texts}));
    CheckRoundTrip(Of(ValueType::kSet, operation::RemoveMembers{texts}));
    CheckRoundTrip(Of(ValueType::kMap, operation::RemoveFields{texts}));
  }
  for (const Fields& fields : {Fields{}, Fields{{"", ""}}, Fields{{"a", "1"}, {longest, ""}}}) {
    CheckRoundTrip(Of(ValueType::kMap, operation::Put{fields}));
    CheckRoundTrip(Of(ValueType::kMap, operation::PutFields{fields}));
  }
}

TEST_CASE("a delete survives storing for every type") {
  for (const ValueType type : kValueTypes) {
    CheckRoundTrip(Of(type, operation::Delete{}));
    CheckRoundTrip(Of(type, operation::Delete{operation::Delete::Cause::kExpired}));
    CheckRoundTrip(Of(type, operation::Delete{operation::Delete::Cause::kEvicted}));
  }
}

TEST_CASE("a new expiry survives storing for every type") {
  for (const int64_t value : {int64_t{0}, kLeastInt}) {
    CheckRoundTrip(Of(ValueType::kInt, operation::SetExpiry{value}));
  }
  CheckRoundTrip(Of(ValueType::kUint, operation::SetExpiry{kGreatestUint}));
  CheckRoundTrip(Of(ValueType::kFloat, operation::SetExpiry{-0.0}));
  for (const ValueType type : {ValueType::kString, ValueType::kSet, ValueType::kMap}) {
    CheckRoundTrip(Of(type, operation::SetExpiry{}));
  }
}

TEST_CASE("what every transaction carries survives storing at its limits") {
  Transaction transaction = Of(ValueType::kInt, operation::Delete{});
  const std::string longest(kMaxKeyBytes, 'k');
  transaction.key = longest;
  transaction.actor = "";
  transaction.revision = kGreatestUint;
  transaction.time_micros = kGreatestInt;
  transaction.previous_revision = kGreatestUint - 1;
  transaction.batch_remaining = std::numeric_limits<uint32_t>::max();
  transaction.expires_at_micros = kGreatestInt;
  CheckRoundTrip(transaction);
  transaction.revision = 1;
  transaction.time_micros = 0;
  transaction.previous_revision = 0;
  transaction.batch_remaining = 0;
  transaction.expires_at_micros = 0;
  CheckRoundTrip(transaction);
  transaction.time_micros = -1;
  CheckRoundTrip(transaction);
}

TEST_CASE("an entry begins with the tag of the list, its length, revision and time") {
  const std::string text(300, 'x');  // a length of two bytes
  for (const absl::string_view value : {absl::string_view("x"), absl::string_view(text)}) {
    const Transaction transaction = Of(ValueType::kString, operation::Put{value});
    EncodedTransaction encoded(transaction);
    encoded.Stamp(0x0102030405060708, 0x1112131415161718);
    const std::string& bytes = encoded.bytes();
    CHECK(bytes[0] == 0x0A);
    size_t length = bytes[1] & 0x7F;
    size_t at = 2;
    if (bytes[1] & 0x80) length |= static_cast<size_t>(bytes[at++]) << 7;
    CHECK(length == bytes.size() - at);
    CHECK(bytes.substr(at, 18) == std::string("\x09\x08\x07\x06\x05\x04\x03\x02\x01"
                                              "\x11\x18\x17\x16\x15\x14\x13\x12\x11"));
  }
}

TEST_CASE("the last stamp counts, and a stamp changes nothing else") {
  const Transaction transaction = Of(ValueType::kInt, operation::Put{int64_t{5}});
  EncodedTransaction encoded(transaction);
  encoded.Stamp(kGreatestUint, kLeastInt);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  CHECK(encoded.bytes() == Encode(transaction));
  encoded.Stamp(8, 9);
  CHECK(encoded.bytes().size() == Encode(transaction).size());
  const pb::TransactionList list = ParseList(encoded.bytes());
  CHECK(list.transactions(0).revision() == 8);
  CHECK(list.transactions(0).time_micros() == 9);
  CHECK(list.transactions(0).put().int_value() == 5);
}

TEST_CASE("the revision before is filled in with the revision, where it is one of the same record") {
  Transaction transaction = Of(ValueType::kInt, operation::Put{int64_t{5}});
  transaction.previous_revision = 77;
  for (const uint64_t distance : {1, 2, 9999}) {
    for (const uint64_t revision : {uint64_t{10000}, uint64_t{1} << 42, ~uint64_t{0}}) {
      EncodedTransaction encoded(transaction, distance);
      const size_t bytes = encoded.bytes().size();
      encoded.Stamp(5, 6);
      encoded.Stamp(revision, 7);
      CHECK(encoded.bytes().size() == bytes);
      const pb::TransactionList list = ParseList(encoded.bytes());
      REQUIRE(list.transactions_size() == 1);
      CHECK(list.transactions(0).revision() == revision);
      CHECK(list.transactions(0).time_micros() == 7);
      CHECK(list.transactions(0).previous_revision() == revision - distance);
      CHECK(list.transactions(0).put().int_value() == 5);
      CHECK(list.transactions(0).GetReflection()->GetUnknownFields(list.transactions(0)).empty());
    }
  }
}

TEST_CASE("the bytes of several transactions joined are one list") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937_64 random(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.emplace_back(random() % 400, static_cast<char>(random()));
  std::string joined;
  for (size_t i = 0; i < texts.size(); ++i) {
    Transaction transaction = Of(ValueType::kString, operation::Append{texts[i]});
    transaction.revision = 100 + i;
    transaction.time_micros = static_cast<int64_t>(i);
    joined += Encode(transaction);
  }
  const pb::TransactionList list = ParseList(joined);
  REQUIRE(list.transactions_size() == static_cast<int>(texts.size()));
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string bytes = list.transactions(static_cast<int>(i)).SerializeAsString();
    const auto decoded = Decoded(bytes);
    REQUIRE(decoded.ok());
    CHECK(decoded->revision == 100 + i);
    CHECK(decoded->time_micros == static_cast<int64_t>(i));
    CHECK((std::get<operation::Append>(decoded->operation).text == texts[i]));
  }
}

TEST_CASE("a transaction keeps the request that it was made by") {
  Transaction transaction = Of(ValueType::kInt, operation::Put{int64_t{5}});
  const std::string without = Encode(transaction);
  CHECK(!ParseList(without).transactions(0).has_request());
  CHECK(!RequestOf(transaction));
  transaction.request.id = "id-1";
  std::string bytes = ParseList(Encode(transaction)).transactions(0).SerializeAsString();
  auto decoded = Decoded(bytes);
  REQUIRE(decoded.ok());
  CHECK((decoded->request.id == "id-1"));
  CHECK(!decoded->request.answer);
  CHECK(!RequestOf(*decoded));
  transaction.request.answer = Answer{kGreatestUint, 7, ""};
  bytes = ParseList(Encode(transaction)).transactions(0).SerializeAsString();
  decoded = Decoded(bytes);
  REQUIRE(decoded.ok());
  const auto request = RequestOf(*decoded);
  REQUIRE(request);
  CHECK(request->revision == 7);
  CHECK(request->first_revision() == 1);
  CHECK(request->time_micros == transaction.time_micros);
  CHECK((request->actor == transaction.actor));
  CHECK((request->id == "id-1"));
  CHECK(request->answer.command_hash == kGreatestUint);
  CHECK((request->answer.response == ""));
}

TEST_CASE("a remembered request is an entry of a list of its own kind") {
  const std::string response("\0\xff answer", 9);
  const RememberedRequest request{300, kLeastInt, "ann", "id", {5, 300, response}};
  const std::string bytes = Encode(request);
  CHECK(bytes[0] == 0x12);
  const pb::TransactionList list = ParseList(bytes);
  CHECK(list.transactions_size() == 0);
  REQUIRE(list.requests_size() == 1);
  CHECK(list.SerializeAsString() == bytes);
  const std::string message = list.requests(0).SerializeAsString();
  const auto decoded = DecodeRequest(message);
  REQUIRE(decoded.ok());
  CHECK(decoded->revision == 300);
  CHECK(decoded->time_micros == kLeastInt);
  CHECK((decoded->actor == "ann"));
  CHECK((decoded->id == "id"));
  CHECK(decoded->answer.command_hash == 5);
  CHECK(decoded->answer.revisions == 300);
  CHECK((decoded->answer.response == response));
}

TEST_CASE("a remembered request that could not have been written is DATA_LOSS and says what is wrong") {
  pb::TransactionList list = ParseList(Encode(RememberedRequest{300, 1, "ann", "id", {5, 300, "answer"}}));
  pb::RememberedRequest& stored = *list.mutable_requests(0);
  const char* what = "";
  SECTION("without an id") {
    stored.mutable_request()->clear_id();
    what = "a request without an id";
  }
  SECTION("without an answer") {
    stored.mutable_request()->clear_answer();
    what = "a request without an answer";
  }
  SECTION("with more revisions than there were") {
    stored.mutable_request()->mutable_answer()->set_revisions(301);
    what = "a request of no known revisions";
  }
  const std::string bytes = stored.SerializeAsString();
  const auto decoded = DecodeRequest(bytes);
  CHECK(decoded.status().code() == absl::StatusCode::kDataLoss);
  CHECK(decoded.status().message().find(what) != absl::string_view::npos);
}

pb::Transaction Stored() { return ParseList(Encode(Of(ValueType::kInt, operation::Put{int64_t{5}}))).transactions(0); }

TEST_CASE("a stored transaction that could not have been written is DATA_LOSS and says what is wrong") {
  pb::Transaction stored = Stored();
  REQUIRE(Decoded(stored.SerializeAsString()).ok());
  const char* what = "";
  SECTION("without a revision") {
    stored.clear_revision();
    what = "no revision";
  }
  SECTION("without a key") {
    stored.clear_key();
    what = "no key";
  }
  SECTION("without a type") {
    stored.clear_type();
    what = "no known type";
  }
  SECTION("of a type of a later version") {
    stored.set_type(static_cast<pb::StoreType>(99));
    what = "no known type";
  }
  SECTION("without an operation") {
    stored.clear_operation();
    what = "no known operation";
  }
  SECTION("with an operation of a later version") {
    stored.clear_operation();
    std::string bytes = stored.SerializeAsString();
    bytes += "\xa2\x06\x01x";  // field 100
    REQUIRE(stored.ParseFromString(bytes));
    what = "no known operation";
  }
  SECTION("with a put without a value") {
    stored.mutable_put()->clear_kind();
    what = "a value of no known type";
  }
  SECTION("with an expiry of a number without its type") {
    stored.mutable_set_expiry()->mutable_number();
    what = "a value of no known type";
  }
  SECTION("with a delete without a cause") {
    stored.mutable_delete_()->clear_cause();
    what = "a delete of no known cause";
  }
  SECTION("with a delete for a cause of a later version") {
    stored.mutable_delete_()->set_cause(static_cast<pb::Delete::Cause>(99));
    what = "a delete of no known cause";
  }
  SECTION("with a request without an id") {
    stored.mutable_request()->mutable_answer()->set_revisions(1);
    what = "a request without an id";
  }
  SECTION("with a request of no revisions") {
    stored.mutable_request()->set_id("id");
    stored.mutable_request()->mutable_answer();
    what = "a request of no known revisions";
  }
  const std::string bytes = stored.SerializeAsString();
  const auto decoded = Decoded(bytes);
  CHECK(decoded.status().code() == absl::StatusCode::kDataLoss);
  CHECK(decoded.status().message().find(what) != absl::string_view::npos);
}

TEST_CASE("what a later version adds to a stored transaction is passed over") {
  const std::string later =
      "\xa0\x06\x07"  // field 100, a varint
      "\xa9\x06"
      "12345678"  // field 101, fixed64
      "\xb2\x06\x03"
      "abc"  // field 102, bytes
      "\xbd\x06"
      "1234";  // field 103, fixed32
  const std::string bytes = later + Stored().SerializeAsString() + later;
  const auto decoded = Decoded(bytes);
  REQUIRE(decoded.ok());
  CHECK(decoded->revision == 7);
  CHECK(std::get<int64_t>(std::get<operation::Put>(decoded->operation).value) == 5);
}

TEST_CASE("bytes that are no stored transaction are DATA_LOSS, wherever they end and whatever is wrong") {
  Transaction transaction = Of(ValueType::kMap, operation::PutFields{{{"name", "value"}, {"other", ""}}});
  transaction.request = {"id", Answer{1, 1, "answer"}};
  const std::string whole = ParseList(Encode(transaction)).transactions(0).SerializeAsString();
  REQUIRE(Decoded(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    // A cut between two fields leaves a message, which lacks one.
    CHECK(Decoded(cut).ok() == (pb::Transaction().ParseFromString(cut) && size > whole.find("other")));
  }
  for (const std::string& bad : {std::string("\x00\x01", 2), std::string("\x08\x01"), std::string("\x0b\x0c"),
                                 std::string("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                                 std::string("\xff\xff\xff\xff\xff\x01\x01"), std::string("\x32\xff")}) {
    CHECK(Decoded(whole + bad).status().message() == "a stored transaction has bytes that cannot be read");
  }
}

// Generated code is what says which bytes are a message.
TEST_CASE("of a stored transaction that was changed, what is decoded is what generated code reads") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937_64 random(seed);
  const std::vector<Operation> operations = {
      operation::Put{int64_t{-5}},
      operation::Put{uint64_t{500}},
      operation::Put{0.5},
      operation::Put{absl::string_view("text")},
      operation::Put{Texts{"a", "b"}},
      operation::Put{Fields{{"a", "1"}, {"b", ""}}},
      operation::Delete{},
      operation::IntIncrement{1, 2},
      operation::UintIncrement{1, true, 2},
      operation::FloatIncrement{1, 2},
      operation::Append{"text"},
      operation::AddMembers{{"a"}},
      operation::RemoveMembers{{"a", "b"}},
      operation::PutFields{{{"a", "1"}}},
      operation::RemoveFields{{"a"}},
      operation::SetExpiry{ValueView(int64_t{5})},
  };
  int agreed = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = ParseList(Encode(Of(ValueType::kInt, operations[random() % operations.size()])))
                            .transactions(0)
                            .SerializeAsString();
    bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto decoded = Decoded(bytes);
    if (!decoded.ok()) continue;
    pb::Transaction stored;
    REQUIRE(stored.ParseFromString(bytes));
    CHECK(decoded->revision == stored.revision());
    CHECK(decoded->time_micros == stored.time_micros());
    CHECK(decoded->previous_revision == stored.previous_revision());
    CHECK(decoded->expires_at_micros == stored.expires_at_micros());
    CHECK((decoded->key == stored.key()));
    CHECK((decoded->actor == stored.actor()));
    CHECK(decoded->batch_remaining == stored.batch_remaining());
    ++agreed;
  }
  CHECK(agreed > 1000);
}

}  // namespace
}  // namespace kvs
