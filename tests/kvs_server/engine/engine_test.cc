#include "kvs_server/engine/engine.h"

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "common/model/transaction_list.h"
#include "kvs_server/engine/verbs.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/kvs_server/support/scan_all.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

using Types = std::vector<ValueType>;
const Types kAllTypes(kValueTypes.begin(), kValueTypes.end());

class EngineFixture {
 protected:
  Outcome Put(const std::string& key, int64_t value, const std::string& actor = "") {
    return PutIf({}, key, value, actor);
  }
  Outcome PutIf(Precondition precondition, const std::string& key, int64_t value, const std::string& actor = "") {
    return engine_.Mutate<int64_t>(actor, key, {precondition, 0},
                                   [&](const int64_t*) -> absl::StatusOr<std::optional<Operation>> {
                                     ++evaluated_;
                                     return Operation(operation::Put{value});
                                   });
  }
  Outcome PutText(const std::string& key, const std::string& text) {
    return engine_.Mutate<StringValue>("", key, {},
                                       [&](const StringValue*) -> absl::StatusOr<std::optional<Operation>> {
                                         return Operation(operation::Put{absl::string_view(text)});
                                       });
  }
  Outcome Increment(const std::string& key, int64_t delta) {
    return engine_.Mutate<int64_t>("", key, {},
                                   [delta](const int64_t* current) -> absl::StatusOr<std::optional<Operation>> {
                                     auto result = verbs::Increment(current, delta);
                                     if (!result.ok()) return result.status();
                                     return std::move(result->operation);
                                   });
  }
  // The value goes to `value_`, nothing where the key is absent.
  Outcome Get(const std::string& key) {
    return engine_.Read<int64_t>(key, [this](const int64_t* value) {
      value_ = value ? std::optional<int64_t>(*value) : std::nullopt;
      return absl::OkStatus();
    });
  }
  // The types go to `types_`.
  Outcome Exists(const std::string& key, const Types& types = kAllTypes) {
    types_.clear();
    return engine_.Exists(key, types, &types_);
  }
  Outcome Delete(const std::string& key, const Types& types = kAllTypes, Precondition precondition = {}) {
    types_.clear();
    return engine_.Delete("", key, types, precondition, &types_);
  }

  // Every key of the store with its revision, in order.
  std::vector<std::string> Dump(Store& store) {
    std::vector<std::string> lines;
    for (const ViewedKey& key : ScanAll(store, ledger_.journal())) {
      lines.push_back(std::string(TypeName(key.type)) + " " + key.key + " " + std::to_string(key.revision));
    }
    return lines;
  }

  ManualLedger ledger_;
  Store store_{8};
  Engine engine_{&store_, &ledger_.journal()};
  std::optional<int64_t> value_;
  Types types_;
  std::atomic<int> evaluated_{0};  // puts whose verb was evaluated
};

TEST_CASE_METHOD(EngineFixture, "mutations get consecutive revisions, and wait for their own") {
  for (uint64_t revision = 1; revision <= 3; ++revision) {
    const Outcome outcome = Put("k", 5);
    CHECK(outcome.status.ok());
    CHECK(outcome.logged);
    CHECK(outcome.revision == revision);
    CHECK(outcome.latest_revision == revision);
    CHECK(outcome.observed_revision == revision);
  }
}

TEST_CASE_METHOD(EngineFixture, "a read sees a pending value and waits for it") {
  Put("k", 41);
  const Outcome outcome = Get("k");
  CHECK(value_ == 41);
  CHECK(outcome.revision == 1);
  CHECK(outcome.observed_revision == 1);
  CHECK_FALSE(outcome.logged);
}

TEST_CASE_METHOD(EngineFixture, "latest_revision is the newest durable one, or the key's own if that is newer") {
  Put("a", 1);
  Put("b", 1);
  ledger_.PersistUpTo(1);
  CHECK(Get("a").latest_revision == 1);
  CHECK(Get("b").latest_revision == 2);
  CHECK(Get("absent").latest_revision == 1);
  ledger_.Persist();
  CHECK(Get("a").latest_revision == 2);
  CHECK(Get("a").revision == 1);
}

TEST_CASE_METHOD(EngineFixture, "a read of an absent key waits for the newest delete that could have made it so") {
  CHECK(Get("k").observed_revision == 0);
  Put("k", 1);
  Delete("k");
  const Outcome outcome = Get("k");
  CHECK_FALSE(value_.has_value());
  CHECK(outcome.revision == 0);
  CHECK(outcome.observed_revision == 2);
}

TEST_CASE_METHOD(EngineFixture, "a read of a key of another type waits for a delete too") {
  PutText("k", "text");
  Delete("k");
  CHECK(Get("k").observed_revision == 2);
}

TEST_CASE_METHOD(EngineFixture, "a mutation that changes nothing takes no revision, and waits for what it saw") {
  Put("k", 5);
  const Outcome outcome = Increment("k", 0);
  CHECK_FALSE(outcome.logged);
  CHECK(outcome.revision == 1);
  CHECK(outcome.observed_revision == 1);
  CHECK(ledger_.journal().status().latest_revision == 1);
}

TEST_CASE_METHOD(EngineFixture, "a mutation that fails changes nothing, and waits for what it saw") {
  Put("k", std::numeric_limits<int64_t>::max());
  const Outcome outcome = Increment("k", 1);
  CHECK(Is(outcome.status, errors::kOverflow));
  CHECK_FALSE(outcome.logged);
  CHECK(outcome.observed_revision == 1);
  Get("k");
  CHECK(value_ == std::numeric_limits<int64_t>::max());
  CHECK(ledger_.journal().status().latest_revision == 1);
}

// What is there, as the error of a precondition tells it; "none" where it tells nothing.
std::string FailureOf(const Outcome& outcome) {
  kvs::v1::PreconditionFailure failure;
  const auto payload = outcome.status.GetPayload(kPreconditionFailureTypeUrl);
  return payload && failure.ParseFromString(std::string(*payload)) ? failure.ShortDebugString() : "none";
}

TEST_CASE_METHOD(EngineFixture,
                 "a precondition that fails keeps the verb from being evaluated, and takes no revision") {
  Put("k", 5);
  evaluated_ = 0;
  const Outcome outcome = PutIf(Precondition::MustNotExist(), "k", 6);
  CHECK(Is(outcome.status, errors::kKeyExists));
  CHECK(FailureOf(outcome) == "current_revision: 1 current_value { int_value: 5 }");
  CHECK(evaluated_ == 0);
  CHECK_FALSE(outcome.logged);
  CHECK(outcome.observed_revision == 1);
  CHECK(ledger_.journal().status().latest_revision == 1);
}

TEST_CASE_METHOD(EngineFixture, "a precondition that holds lets the mutation happen") {
  CHECK(PutIf(Precondition::MustNotExist(), "k", 1).revision == 1);
  CHECK(PutIf(Precondition::MustExist(), "k", 2).revision == 2);
  CHECK(PutIf(Precondition::RevisionEquals(2), "k", 3).revision == 3);
  CHECK(PutIf(Precondition::RevisionEquals(0), "other", 4).revision == 4);
  CHECK(evaluated_ == 4);
}

TEST_CASE_METHOD(EngineFixture, "a precondition that fails at an absent key waits for the delete that made it so") {
  Put("k", 5);
  Delete("k");
  for (const Precondition precondition : {Precondition::MustExist(), Precondition::RevisionEquals(1)}) {
    const Outcome outcome = PutIf(precondition, "k", 6);
    CHECK(FailureOf(outcome) == "current_revision: 0");
    CHECK(outcome.observed_revision == 2);
  }
}

TEST_CASE_METHOD(EngineFixture, "a precondition that fails is told even while the journal refuses changes") {
  Put("k", 5);
  ledger_.journal().SetState(LedgerState::kAway, "gone");
  CHECK(Is(PutIf(Precondition::MustNotExist(), "k", 6).status, errors::kKeyExists));
  CHECK(Is(PutIf(Precondition::MustExist(), "k", 6).status, errors::kNotApplied));
}

TEST_CASE_METHOD(EngineFixture, "a delete from one type has the precondition of any mutation") {
  PutText("k", "text");
  const Types text = {ValueType::kString};
  Outcome outcome = Delete("k", text, Precondition::RevisionEquals(7));
  CHECK(Is(outcome.status, errors::kRevisionMismatch));
  CHECK(FailureOf(outcome) == "current_revision: 1 current_value { string_value: \"text\" }");
  CHECK(types_.empty());
  outcome = Delete("k", {ValueType::kInt}, Precondition::MustExist());
  CHECK(Is(outcome.status, errors::kKeyNotFound));
  CHECK(FailureOf(outcome) == "current_revision: 0");
  CHECK(Delete("k", text, Precondition::RevisionEquals(1)).revision == 2);
  CHECK(types_ == text);
}

TEST_CASE_METHOD(EngineFixture, "a delete from several types needs the key in one of them, or in none") {
  CHECK(FailureOf(Delete("k", kAllTypes, Precondition::MustExist())) == "current_revision: 0");
  CHECK(Delete("k", kAllTypes, Precondition::MustNotExist()).status.ok());
  PutText("k", "text");
  Put("k", 5);
  const Outcome outcome = Delete("k", kAllTypes, Precondition::MustNotExist());
  CHECK(Is(outcome.status, errors::kKeyExists));
  CHECK(FailureOf(outcome) == "current_revision: 2");
  CHECK(outcome.observed_revision == 2);
  CHECK(types_.empty());
  CHECK(Delete("k", kAllTypes, Precondition::MustExist()).revision == 4);
  CHECK(types_.size() == 2);
}

TEST_CASE_METHOD(EngineFixture, "a delete from several types that failed waits for a delete that it saw") {
  PutText("k", "text");
  Put("k", 5);
  Delete("k", {ValueType::kInt});
  const Outcome outcome = Delete("k", kAllTypes, Precondition::MustNotExist());
  CHECK(FailureOf(outcome) == "current_revision: 1");
  CHECK(outcome.observed_revision == 3);
}

TEST_CASE_METHOD(EngineFixture, "a mutation that the journal refuses changes nothing, and its error need not wait") {
  Put("k", 5);
  ledger_.journal().SetState(LedgerState::kAway, "gone");
  for (const Outcome& outcome : {Put("k", 6), Put("new", 1), Delete("k")}) {
    CHECK(Is(outcome.status, errors::kNotApplied));
    CHECK(outcome.observed_revision == 0);
    CHECK_FALSE(outcome.logged);
  }
  Get("k");
  CHECK(value_ == 5);
  CHECK(Get("new").revision == 0);
  CHECK(ledger_.journal().status().latest_revision == 1);
}

TEST_CASE_METHOD(EngineFixture, "what is logged names actor, key, type, operation and the key's change before") {
  Put("k", 5, "spiffe://kvs/client/ann");
  PutText("other", "text");
  Increment("k", 2);
  ledger_.Persist();
  const auto logged = ledger_.Transactions();
  CHECK(logged.transactions(0).actor() == "spiffe://kvs/client/ann");
  CHECK(logged.transactions(0).previous_revision() == 0);
  CHECK(logged.transactions(0).put().int_value() == 5);
  CHECK(logged.transactions(1).type() == ::txn::v1::STORE_TYPE_STRING);
  CHECK(logged.transactions(2).actor().empty());
  CHECK(logged.transactions(2).key() == "k");
  CHECK(logged.transactions(2).previous_revision() == 1);
  CHECK(logged.transactions(2).int_increment().result() == 7);
  CHECK(logged.transactions(2).time_micros() >= logged.transactions(0).time_micros());
}

TEST_CASE_METHOD(EngineFixture, "Exists tells the types and the newest of their revisions") {
  Put("k", 1);
  PutText("k", "text");
  Put("k", 2);
  const Outcome outcome = Exists("k");
  CHECK(types_ == Types{ValueType::kInt, ValueType::kString});
  CHECK(outcome.revision == 3);
  CHECK(Exists("k", {ValueType::kString}).revision == 2);
}

TEST_CASE_METHOD(EngineFixture, "Exists waits for all that it saw, deletes included") {
  PutText("k", "text");
  Put("k", 1);
  CHECK(Exists("k", {ValueType::kString}).observed_revision == 1);
  CHECK(Exists("k", {ValueType::kInt, ValueType::kString}).observed_revision == 2);
  Delete("k", {ValueType::kInt});
  CHECK(Exists("k", {ValueType::kInt, ValueType::kString}).observed_revision == 3);
  CHECK(types_ == Types{ValueType::kString});
  CHECK(Exists("k", {ValueType::kString}).observed_revision == 1);
  CHECK(Exists("k", {ValueType::kInt}).observed_revision == 3);
}

TEST_CASE_METHOD(EngineFixture, "Delete removes several types in one record with consecutive revisions") {
  Put("k", 1);
  PutText("k", "text");
  const Outcome outcome = Delete("k");
  CHECK(types_ == Types{ValueType::kInt, ValueType::kString});
  CHECK(outcome.revision == 4);
  CHECK(outcome.observed_revision == 4);
  ledger_.Persist();
  const auto logged = ledger_.Transactions();
  CHECK(logged.transactions(2).revision() == 3);
  CHECK(logged.transactions(2).previous_revision() == 1);
  CHECK(logged.transactions(2).batch_remaining() == 1);
  CHECK(logged.transactions(3).revision() == 4);
  CHECK(logged.transactions(3).previous_revision() == 2);
  CHECK(logged.transactions(3).batch_remaining() == 0);
  CHECK(logged.transactions(3).time_micros() == logged.transactions(2).time_micros());
}

TEST_CASE_METHOD(EngineFixture, "Delete leaves the types that it was not asked for") {
  Put("k", 1);
  PutText("k", "text");
  Delete("k", {ValueType::kString, ValueType::kSet});
  CHECK(types_ == Types{ValueType::kString});
  Exists("k");
  CHECK(types_ == Types{ValueType::kInt});
}

TEST_CASE_METHOD(EngineFixture, "Delete of what is absent logs nothing, and waits for the delete before") {
  Put("k", 1);
  Delete("k");
  const Outcome outcome = Delete("k");
  CHECK(types_.empty());
  CHECK_FALSE(outcome.logged);
  CHECK(outcome.revision == 0);
  CHECK(outcome.observed_revision == 2);
  CHECK(ledger_.journal().status().latest_revision == 2);
}

TEST_CASE_METHOD(EngineFixture, "Count waits for the newest change") {
  std::array<uint64_t, kValueTypeCount> keys{};
  CHECK(engine_.Count(&keys).observed_revision == 0);
  Put("a", 1);
  Put("b", 1);
  PutText("a", "text");
  Delete("b");
  const Outcome outcome = engine_.Count(&keys);
  CHECK(keys == std::array<uint64_t, kValueTypeCount>{1, 0, 0, 1, 0, 0});
  CHECK(outcome.observed_revision == 4);
  CHECK(outcome.latest_revision == 4);
}

// One key moves from shard to shard, deleted before it is made again: there are never two.
class MovingKey {
 public:
  void Run(Engine& engine, ManualLedger& ledger) {
    for (int i = 0; !stop_; i = (i + 1) % 100) {
      const std::string key = "key-" + std::to_string(i);
      engine.Mutate<int64_t>("", key, {}, [](const int64_t*) -> absl::StatusOr<std::optional<Operation>> {
        return Operation(operation::Put{int64_t{1}});
      });
      Types deleted;
      engine.Delete("", key, {ValueType::kInt}, {}, &deleted);
      ledger.Persist();
    }
  }
  void Stop() { stop_ = true; }

 private:
  std::atomic<bool> stop_{false};
};

TEST_CASE_METHOD(EngineFixture, "a count is that of one moment while keys come and go") {
  Store wide(500);
  Engine engine(&wide, &ledger_.journal());
  MovingKey key;
  std::thread mover([&] { key.Run(engine, ledger_); });
  uint64_t most = 0;
  std::array<uint64_t, kValueTypeCount> counted{};
  for (int i = 0; i < 5000; ++i) {
    engine.Count(&counted);
    most = std::max(most, counted[0]);
  }
  key.Stop();
  mover.join();
  CHECK(most <= 1);
}

TEST_CASE_METHOD(EngineFixture, "threads write one history, and its replay gives the same state") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  constexpr int kThreads = 4, kEach = 2000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(seed + t);
      for (int i = 0; i < kEach; ++i) {
        const std::string key = "key-" + std::to_string(random() % 50);
        Types ignored;
        switch (random() % 4) {
          case 0:
            Put(key, static_cast<int64_t>(random()));
            break;
          case 1:
            Increment(key, 1);
            break;
          case 2:
            PutText(key, "text");
            break;
          case 3:
            engine_.Delete("", key, kAllTypes, {}, &ignored);
            break;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ledger_.Persist();
  Store replayed(3);
  uint64_t revision = 0;
  const std::string logged = ledger_.Transactions().SerializeAsString();
  TransactionListReader list;
  list.Reset(logged);
  for (auto item = list.Next(); item.ok() && *item; item = list.Next()) {
    REQUIRE((*item)->transaction.revision == ++revision);
    REQUIRE(replayed.Apply((*item)->transaction).ok());
  }
  CHECK(Dump(replayed) == Dump(store_));
}

}  // namespace
}  // namespace kvs::server
