#include "common/model/key_state.h"

#include <vector>

#include "common/model/transaction_codec.h"
#include "tests/support/catch.h"

namespace kvs {
namespace {

Transaction Change(uint64_t revision, uint64_t previous, ValueType type, Operation operation) {
  Transaction transaction;
  transaction.revision = revision;
  transaction.time_micros = static_cast<int64_t>(revision) * 10;
  transaction.previous_revision = previous;
  transaction.actor = "ann";
  transaction.type = type;
  transaction.key = "key";
  transaction.operation = std::move(operation);
  return transaction;
}

// What a state emits, applied to a new one.
struct Emitted {
  size_t transactions = 0;
  KeyState again;
  size_t largest_bytes = 0;
};

Emitted Emit(const KeyState& state) {
  Emitted emitted;
  state.ForEachTransaction("key", [&](const Transaction& transaction) {
    CHECK(transaction.key == "key");
    CHECK(transaction.revision == state.revision());
    CHECK(transaction.previous_revision == (emitted.transactions == 0 ? 0 : state.revision()));
    CHECK(transaction.batch_remaining == 0);
    CHECK(transaction.actor == "ann");
    CHECK(transaction.time_micros == static_cast<int64_t>(state.revision()) * 10);
    REQUIRE(emitted.again.Apply(transaction) == absl::OkStatus());
    emitted.largest_bytes = std::max(emitted.largest_bytes, EncodedTransaction(transaction).bytes().size());
    ++emitted.transactions;
  });
  return emitted;
}

void CheckRoundTrip(const KeyState& state, size_t transactions = 1) {
  const Emitted emitted = Emit(state);
  CHECK(emitted.transactions == transactions);
  REQUIRE(emitted.again.present());
  CHECK(emitted.again.revision() == state.revision());
  const bool same = emitted.again.value() == state.value();
  CHECK(same);
}

TEST_CASE("an absent key has no transactions") {
  const KeyState state;
  CHECK_FALSE(state.present());
  CHECK(state.revision() == 0);
  CHECK(Emit(state).transactions == 0);
}

TEST_CASE("a key of every type is put back by one transaction") {
  const struct {
    ValueType type;
    Operation first;
    Operation second;
  } cases[] = {
      {ValueType::kInt, operation::Put{int64_t{-5}}, operation::IntIncrement{1, -4}},
      {ValueType::kUint, operation::Put{uint64_t{5}}, operation::UintIncrement{2, true, 3}},
      {ValueType::kFloat, operation::Put{0.5}, operation::FloatIncrement{1, 1.5}},
      {ValueType::kString, operation::Put{absl::string_view("a")}, operation::Append{"b"}},
      {ValueType::kSet, operation::Put{Texts{"a", "b"}}, operation::RemoveMembers{{"a"}}},
      {ValueType::kSet, operation::AddMembers{{"a"}}, operation::AddMembers{{"b"}}},
      {ValueType::kMap, operation::Put{Fields{{"a", "1"}}}, operation::PutFields{{{"a", "2"}, {"b", ""}}}},
      {ValueType::kMap, operation::PutFields{{{"a", "1"}}}, operation::RemoveFields{{"a"}}},
  };
  for (const auto& c : cases) {
    INFO(TypeName(c.type));
    KeyState state;
    REQUIRE(state.Apply(Change(3, 0, c.type, c.first)) == absl::OkStatus());
    CheckRoundTrip(state);
    REQUIRE(state.Apply(Change(9, 3, c.type, c.second)) == absl::OkStatus());
    CHECK(state.revision() == 9);
    CheckRoundTrip(state);
    REQUIRE(state.Apply(Change(10, 9, c.type, operation::Delete{})) == absl::OkStatus());
    CHECK_FALSE(state.present());
    CHECK(Emit(state).transactions == 0);
    REQUIRE(state.Apply(Change(11, 0, c.type, c.first)) == absl::OkStatus());
    CheckRoundTrip(state);
  }
}

TEST_CASE("a key expires as its last change says, and all of its transactions say so") {
  KeyState state;
  Transaction put = Change(1, 0, ValueType::kSet, operation::Put{Texts{"a"}});
  put.expires_at_micros = 500;
  REQUIRE(state.Apply(put) == absl::OkStatus());
  CHECK(state.expires_at_micros() == 500);
  CHECK(Emit(state).again.expires_at_micros() == 500);
  Transaction later = Change(2, 1, ValueType::kSet, operation::SetExpiry{});
  later.expires_at_micros = 900;
  REQUIRE(state.Apply(later) == absl::OkStatus());
  CHECK(state.expires_at_micros() == 900);
  CheckRoundTrip(state);
  REQUIRE(state.Apply(Change(3, 2, ValueType::kSet, operation::AddMembers{{"b"}})) == absl::OkStatus());
  CHECK(state.expires_at_micros() == 0);

  const std::string large(kSnapshotPartBytes, 'x');
  Transaction parts = Change(4, 3, ValueType::kSet, operation::Put{Texts{"a", large}});
  parts.expires_at_micros = 500;
  REQUIRE(state.Apply(parts) == absl::OkStatus());
  size_t transactions = 0;
  state.ForEachTransaction("key", [&](const Transaction& transaction) {
    ++transactions;
    CHECK(transaction.expires_at_micros == 500);
  });
  CHECK(transactions == 2);
}

TEST_CASE("an emptied set or map exists until it is deleted") {
  KeyState set;
  REQUIRE(set.Apply(Change(1, 0, ValueType::kSet, operation::AddMembers{{"a"}})) == absl::OkStatus());
  REQUIRE(set.Apply(Change(2, 1, ValueType::kSet, operation::RemoveMembers{{"a"}})) == absl::OkStatus());
  CheckRoundTrip(set);
  KeyState map;
  REQUIRE(map.Apply(Change(1, 0, ValueType::kMap, operation::Put{Fields{}})) == absl::OkStatus());
  CheckRoundTrip(map);
}

TEST_CASE("a large collection goes on in further transactions of bounded size") {
  std::vector<std::string> names;
  for (int i = 0; i < 40'000; ++i) names.push_back(std::string(20, 'm') + std::to_string(100'000 + i));
  Texts members(names.begin(), names.end());
  KeyState set;
  REQUIRE(set.Apply(Change(4, 0, ValueType::kSet, operation::Put{members})) == absl::OkStatus());
  CheckRoundTrip(set, 40'000 * 26 / kSnapshotPartBytes + 1);
  CHECK(Emit(set).largest_bytes < 2 * kSnapshotPartBytes);

  const std::string large(700'000, 'x');
  KeyState map;
  REQUIRE(map.Apply(Change(4, 0, ValueType::kMap, operation::Put{Fields{{"a", large}, {"b", "1"}, {"c", large}}})) ==
          absl::OkStatus());
  // A field that is larger than a part has one of its own.
  CheckRoundTrip(map, 3);
}

TEST_CASE("a transaction that does not follow is data loss and names its revision") {
  KeyState state;
  REQUIRE(state.Apply(Change(3, 0, ValueType::kSet, operation::Put{Texts{"a"}})) == absl::OkStatus());
  for (const Transaction& bad : {Change(9, 2, ValueType::kSet, operation::AddMembers{{"b"}}),
                                 Change(9, 0, ValueType::kSet, operation::Put{Texts{}}),
                                 Change(9, 3, ValueType::kSet, operation::AddMembers{{"a"}}),
                                 Change(9, 3, ValueType::kSet, operation::RemoveMembers{{"b"}}),
                                 Change(9, 3, ValueType::kInt, operation::IntIncrement{1, 1}),
                                 Change(9, 2, ValueType::kSet, operation::Delete{})}) {
    KeyState copy = state;
    const absl::Status status = copy.Apply(bad);
    CHECK(absl::IsDataLoss(status));
    CHECK(std::string(status.message()).find("revision 9 (") != std::string::npos);
  }
  KeyState absent;
  CHECK(absl::IsDataLoss(absent.Apply(Change(9, 0, ValueType::kInt, operation::Delete{}))));
  CHECK(absl::IsDataLoss(absent.Apply(Change(9, 0, ValueType::kString, operation::SetExpiry{}))));
}

TEST_CASE("snapshots are sorted by type and then by the bytes of the key") {
  CHECK(Precedes(ValueType::kInt, "b", ValueType::kUint, "a"));
  CHECK_FALSE(Precedes(ValueType::kUint, "a", ValueType::kInt, "b"));
  CHECK(Precedes(ValueType::kInt, "a", ValueType::kInt, "b"));
  CHECK(Precedes(ValueType::kInt, "z", ValueType::kInt, "\xc3\xa4"));
  CHECK_FALSE(Precedes(ValueType::kInt, "a", ValueType::kInt, "a"));
}

}  // namespace
}  // namespace kvs
