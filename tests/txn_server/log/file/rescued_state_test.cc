#include "txn_server/log/file/rescued_state.h"

#include "common/model/transaction_codec.h"
#include "tests/support/catch.h"
#include "tests/support/sample_frames.h"
#include "tests/support/text_state.h"

namespace kvs::txn {
namespace {

using TransactionMessage = ::txn::v1::Transaction;

TransactionMessage Set(uint64_t revision, uint64_t previous) {
  TransactionMessage transaction = SampleTransaction(revision);
  transaction.clear_put();
  transaction.set_type(::txn::v1::STORE_TYPE_SET);
  transaction.set_key("set");
  transaction.set_previous_revision(previous);
  return transaction;
}

TransactionMessage Add(uint64_t revision, uint64_t previous, const std::string& member) {
  TransactionMessage transaction = Set(revision, previous);
  transaction.mutable_add_members()->add_texts(member);
  return transaction;
}

TransactionMessage Remove(uint64_t revision, uint64_t previous, const std::string& member) {
  TransactionMessage transaction = Set(revision, previous);
  transaction.mutable_remove_members()->add_texts(member);
  return transaction;
}

TransactionMessage PutText(uint64_t revision, uint64_t previous, const std::string& key, const std::string& text) {
  TransactionMessage transaction = SampleTransaction(revision, text);
  transaction.set_key(key);
  transaction.set_previous_revision(previous);
  return transaction;
}

std::string Bytes(const std::vector<TransactionMessage>& transactions) {
  ::txn::v1::TransactionList list;
  for (const TransactionMessage& transaction : transactions) *list.add_transactions() = transaction;
  return list.SerializeAsString();
}

void AddTo(RescuedState& state, const std::vector<TransactionMessage>& transactions) {
  const std::string bytes = Bytes(transactions);
  REQUIRE(state.Add(Frame{1, 1, bytes}) == absl::OkStatus());
}

// The transactions of the state's snapshot.
::txn::v1::TransactionList ListOf(const RescuedState& state) {
  ::txn::v1::TransactionList all;
  const auto snapshot = state.Snapshot();
  while (true) {
    const auto chunk = snapshot->Next();
    REQUIRE(chunk.status() == absl::OkStatus());
    if (!*chunk) break;
    ::txn::v1::TransactionList part;
    REQUIRE(part.ParseFromString(std::string((*chunk)->transactions)));
    all.MergeFrom(part);
  }
  CHECK(static_cast<uint64_t>(all.transactions_size()) == state.transactions());
  return all;
}

std::vector<std::string> Members(const RescuedState& state) {
  const auto list = ListOf(state);
  REQUIRE(list.transactions_size() == 1);
  const auto& members = list.transactions(0).put().set_value().texts();
  return {members.begin(), members.end()};
}

TEST_CASE("a history without holes gives the state that it has, and no doubt") {
  RescuedState state;
  AddTo(state, {PutText(1, 0, "b", "x"), PutText(2, 0, "a", "y"), PutText(3, 1, "b", "z"), Add(4, 0, "m"),
                Add(5, 4, "n"), Remove(6, 5, "m")});
  const auto list = ListOf(state);
  REQUIRE(list.transactions_size() == 3);
  CHECK(list.transactions(0).key() == "a");
  CHECK(list.transactions(1).put().string_value() == "z");
  CHECK(list.transactions(1).revision() == 3);
  CHECK(list.transactions(2).put().set_value().texts(0) == "n");
  CHECK(state.DoubtfulKeys().empty());
  CHECK(state.time_micros() == 1'700'000'000'000'006);
}

TEST_CASE("a value that was set as a whole behind a hole is right again") {
  RescuedState state;
  AddTo(state, {PutText(1, 0, "key", "x"), PutText(9, 5, "key", "z")});
  CHECK(state.DoubtfulKeys().empty());
  CHECK(ListOf(state).transactions(0).put().string_value() == "z");
  CHECK(ListOf(state).transactions(0).revision() == 9);
}

TEST_CASE("a collection of which a change is missing is doubtful and has the others") {
  RescuedState state;
  AddTo(state, {Add(1, 0, "a"), Add(9, 5, "z")});
  CHECK(Members(state) == std::vector<std::string>{"a", "z"});
  const auto doubtful = state.DoubtfulKeys();
  REQUIRE(doubtful.size() == 1);
  CHECK(doubtful[0].type == ValueType::kSet);
  CHECK(doubtful[0].key == "set");
  CHECK(doubtful[0].revision == 9);
  AddTo(state, {Add(10, 9, "b")});
  CHECK(state.DoubtfulKeys().size() == 1);
}

TEST_CASE("a change that does not fit what there is is left out") {
  RescuedState state;
  AddTo(state, {Add(1, 0, "a"), Remove(9, 5, "b")});
  CHECK(Members(state) == std::vector<std::string>{"a"});
  CHECK(state.DoubtfulKeys().size() == 1);
}

TEST_CASE("a key of which only a change in part was found is doubtful, and absent") {
  RescuedState state;
  SECTION("a removal of what is not known") { AddTo(state, {Remove(9, 5, "b")}); }
  SECTION("an expiry of what is not known") {
    TransactionMessage expires = Set(9, 5);
    expires.mutable_set_expiry();
    expires.set_expires_at_micros(1'800'000'000'000'000);
    AddTo(state, {expires});
  }
  CHECK(ListOf(state).transactions_size() == 0);
  const auto doubtful = state.DoubtfulKeys();
  REQUIRE(doubtful.size() == 1);
  CHECK(doubtful[0].key == "set");
  CHECK(doubtful[0].revision == 9);
  AddTo(state, {Add(10, 9, "c")});
  CHECK(Members(state) == std::vector<std::string>{"c"});
  CHECK(state.DoubtfulKeys().size() == 1);
}

TEST_CASE("a delete ends all doubt, also of a key that is not known") {
  RescuedState state;
  TransactionMessage gone = Set(9, 5);
  gone.mutable_delete_()->set_cause(::txn::v1::Delete::CAUSE_REQUESTED);
  AddTo(state, {gone});
  CHECK(ListOf(state).transactions_size() == 0);
  AddTo(state, {Add(10, 0, "a"), Add(12, 11, "b")});
  CHECK(state.DoubtfulKeys().size() == 1);
  gone.set_revision(13);
  gone.set_previous_revision(12);
  AddTo(state, {gone});
  CHECK(state.DoubtfulKeys().empty());
  CHECK(ListOf(state).transactions_size() == 0);
}

TEST_CASE("a snapshot adds what is newer") {
  RescuedState state;
  AddTo(state, {PutText(1, 0, "a", "log"), PutText(8, 0, "b", "log")});
  state.BeginSnapshot();
  const std::string bytes = Bytes({PutText(5, 0, "a", "snapshot"), PutText(6, 0, "b", "snapshot")});
  REQUIRE(state.AddFromSnapshot(bytes, false) == absl::OkStatus());
  CHECK(state.snapshot_keys() == 2);
  CHECK(ListOf(state).transactions(0).put().string_value() == "snapshot");
  CHECK(ListOf(state).transactions(1).put().string_value() == "log");
  CHECK(state.DoubtfulKeys().empty());
}

// The first part of a collection in a snapshot.
TransactionMessage Begin(uint64_t revision, const std::string& member) {
  TransactionMessage first = Set(revision, 0);
  first.mutable_put()->mutable_set_value()->add_texts(member);
  return first;
}

TEST_CASE("the parts of a large collection in a snapshot are put together") {
  RescuedState state;
  state.BeginSnapshot();
  REQUIRE(state.AddFromSnapshot(Bytes({Begin(7, "a"), Add(7, 7, "b"), Add(7, 7, "c")}), false) == absl::OkStatus());
  CHECK(Members(state) == std::vector<std::string>{"a", "b", "c"});
  CHECK(state.DoubtfulKeys().empty());
  CHECK(state.snapshot_keys() == 1);
}

TEST_CASE("a collection of which a part of the snapshot is missing is doubtful, until another snapshot has all of it") {
  RescuedState state;
  state.BeginSnapshot();
  std::vector<std::string> expected;
  SECTION("the first part") {
    REQUIRE(state.AddFromSnapshot(Bytes({Add(7, 7, "b"), Add(7, 7, "c")}), true) == absl::OkStatus());
    expected = {"b", "c"};
  }
  SECTION("one in the middle") {
    REQUIRE(state.AddFromSnapshot(Bytes({Begin(7, "a")}), false) == absl::OkStatus());
    REQUIRE(state.AddFromSnapshot(Bytes({Add(7, 7, "c")}), true) == absl::OkStatus());
    expected = {"a", "c"};
  }
  SECTION("the last part") {
    REQUIRE(state.AddFromSnapshot(Bytes({Begin(7, "a")}), false) == absl::OkStatus());
    REQUIRE(state.AddFromSnapshot("", true) == absl::OkStatus());
    expected = {"a"};
  }
  CHECK(Members(state) == expected);
  CHECK(state.DoubtfulKeys().size() == 1);
  state.BeginSnapshot();
  REQUIRE(state.AddFromSnapshot(Bytes({Begin(7, "a"), Add(7, 7, "b"), Add(7, 7, "c")}), false) == absl::OkStatus());
  CHECK(Members(state) == std::vector<std::string>{"a", "b", "c"});
  CHECK(state.DoubtfulKeys().empty());
}

TEST_CASE("what is missing of a snapshot casts no doubt on a key that is newer in the log") {
  RescuedState state;
  AddTo(state, {Add(9, 0, "z")});
  state.BeginSnapshot();
  REQUIRE(state.AddFromSnapshot(Bytes({Begin(7, "a")}), false) == absl::OkStatus());
  REQUIRE(state.AddFromSnapshot(Bytes({Add(7, 7, "b")}), true) == absl::OkStatus());
  CHECK(Members(state) == std::vector<std::string>{"z"});
  CHECK(state.DoubtfulKeys().empty());
}

TEST_CASE("rescued requests are remembered, in their order, from snapshots and from the log") {
  RescuedState state;
  TransactionMessage put = PutText(5, 0, "a", "text");
  put.mutable_request()->set_id("5");
  put.mutable_request()->mutable_answer()->set_revisions(1);
  AddTo(state, {put});
  const std::string snapshot = Encode(RememberedRequest{3, 1'700'000'000'000'000, "ann", "3", {11, 2, "answer"}});
  state.BeginSnapshot();
  REQUIRE(state.AddFromSnapshot(snapshot, /*behind_loss=*/false) == absl::OkStatus());
  const auto list = ListOf(state);
  REQUIRE(list.requests_size() == 2);
  CHECK(list.requests(0).revision() == 3);
  CHECK(list.requests(0).request().answer().response() == "answer");
  CHECK(list.requests(1).revision() == 5);
  CHECK(list.requests(1).request().id() == "5");
  CHECK(list.transactions_size() == 1);
  CHECK_FALSE(list.transactions(0).has_request());
}

}  // namespace
}  // namespace kvs::txn
