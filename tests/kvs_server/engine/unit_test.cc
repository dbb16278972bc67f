#include "kvs_server/engine/unit.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs_server/engine/engine.h"
#include "kvs_server/engine/verbs.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/support/catch.h"

namespace kvs::server {
namespace {

using MaybeOperation = absl::StatusOr<std::optional<Operation>>;

class UnitFixture {
 protected:
  // A unit with methods for its operations, over these keys. Keys and texts outlive it.
  class Operations {
   public:
    Operations(Engine* engine, const std::vector<std::string>& keys) : unit_(engine->Begin("ann", Hashes(keys))) {}

    Outcome Put(absl::string_view key, int64_t value, Precondition precondition = {}) {
      return unit_.Mutate<int64_t>(key, HashKey(key), {precondition}, [value](const int64_t*) -> MaybeOperation {
        return Operation(operation::Put{value});
      });
    }
    Outcome Increment(absl::string_view key, int64_t delta) {
      return unit_.Mutate<int64_t>(key, HashKey(key), {}, [delta](const int64_t* current) -> MaybeOperation {
        auto result = verbs::Increment(current, delta);
        if (!result.ok()) return result.status();
        return std::move(result->operation);
      });
    }
    Outcome PutText(absl::string_view key, absl::string_view text) {
      return unit_.Mutate<StringValue>(key, HashKey(key), {}, [text](const StringValue*) -> MaybeOperation {
        return Operation(operation::Put{text});
      });
    }
    Outcome Delete(absl::string_view key, const std::vector<ValueType>& types) {
      std::vector<ValueType> deleted;
      return unit_.Delete(key, HashKey(key), types, {}, &deleted);
    }
    std::optional<int64_t> Get(absl::string_view key, Outcome* outcome = nullptr) {
      std::optional<int64_t> found;
      const Outcome read = unit_.Read<int64_t>(key, HashKey(key), [&found](const int64_t* value) {
        if (value) found = *value;
        return absl::OkStatus();
      });
      if (outcome) *outcome = read;
      return found;
    }
    Outcome Commit() {
      Outcome outcome;
      unit_.Commit(&outcome);
      return outcome;
    }
    Unit& unit() { return unit_; }

   private:
    static std::vector<size_t> Hashes(const std::vector<std::string>& keys) {
      std::vector<size_t> hashes;
      for (const std::string& key : keys) hashes.push_back(HashKey(key));
      return hashes;
    }
    Unit unit_;
  };

  std::optional<int64_t> Get(const std::string& key) { return Operations(&engine_, {key}).Get(key); }

  ManualLedger ledger_;
  Store store_{8};
  Engine engine_{&store_, &ledger_.journal()};
};

TEST_CASE_METHOD(UnitFixture, "nothing happens before the commit, and nothing at all without it") {
  {
    Operations operations(&engine_, {"a"});
    CHECK(operations.Put("a", 1).status.ok());
    CHECK_FALSE(operations.Put("a", 2).logged);
    CHECK(ledger_.journal().status().latest_revision == 0);
  }
  CHECK(Get("a") == std::nullopt);
  CHECK(ledger_.journal().status().latest_revision == 0);
}

TEST_CASE_METHOD(UnitFixture, "a commit logs one record and applies it") {
  Outcome first;
  Outcome second;
  Outcome third;
  {
    Operations operations(&engine_, {"a", "b"});
    first = operations.Put("a", 1);
    second = operations.Put("b", 2);
    third = operations.Increment("a", 10);
    Outcome read;
    CHECK(operations.Get("a", &read) == 11);
    const Outcome outcome = operations.Commit();
    CHECK(outcome.status.ok());
    CHECK(outcome.logged);
    CHECK(outcome.observed_revision == 3);
    CHECK(outcome.latest_revision == 3);
    CHECK(operations.unit().Resolve(first.revision) == 1);
    CHECK(operations.unit().Resolve(second.revision) == 2);
    CHECK(operations.unit().Resolve(third.revision) == 3);
    CHECK(operations.unit().Resolve(read.revision) == 3);
    CHECK(operations.unit().Resolve(0) == 0);
    CHECK(operations.unit().Resolve(7) == 7);
  }
  CHECK(Get("a") == 11);
  CHECK(Get("b") == 2);
  ledger_.Receive();
  const auto logged = ledger_.Transactions();
  REQUIRE(logged.transactions_size() == 3);
  CHECK(ledger_.FrameCounts() == std::vector<uint32_t>{3});
  const uint64_t previous[] = {0, 0, 1};
  for (int i = 0; i < 3; ++i) {
    CHECK(logged.transactions(i).revision() == 1u + i);
    CHECK(logged.transactions(i).previous_revision() == previous[i]);
    CHECK(logged.transactions(i).batch_remaining() == 2u - i);
    CHECK(logged.transactions(i).actor() == "ann");
  }
}

TEST_CASE_METHOD(UnitFixture, "a unit that changes nothing logs nothing") {
  Operations operations(&engine_, {"a"});
  CHECK(operations.Increment("a", 0).status.ok());
  const Outcome outcome = operations.Commit();
  CHECK(outcome.status.ok());
  CHECK_FALSE(outcome.logged);
  CHECK(ledger_.journal().status().latest_revision == 0);
}

TEST_CASE_METHOD(UnitFixture, "a key that was deleted in a unit is absent, and begins anew") {
  Operations operations(&engine_, {"a"});
  operations.Put("a", 5);
  CHECK(operations.Delete("a", {ValueType::kInt, ValueType::kSet}).status.ok());
  Outcome read;
  CHECK(operations.Get("a", &read) == std::nullopt);
  CHECK(read.revision == 0);
  operations.Increment("a", 3);
  CHECK(operations.Get("a") == 3);
  CHECK(operations.Commit().observed_revision == 3);
  ledger_.Receive();
  CHECK(ledger_.Transactions().transactions(1).previous_revision() == 1);
  CHECK(ledger_.Transactions().transactions(2).previous_revision() == 0);
}

TEST_CASE_METHOD(UnitFixture, "keys of different types do not meet in a unit") {
  Operations operations(&engine_, {"a"});
  operations.PutText("a", "text");
  CHECK(operations.Get("a") == std::nullopt);
  operations.Put("a", 1);
  CHECK(operations.Delete("a", {ValueType::kString}).status.ok());
  CHECK(operations.Get("a") == 1);
}

TEST_CASE_METHOD(UnitFixture, "reads in a unit wait for what they saw") {
  engine_.Mutate<int64_t>("", "a", {},
                          [](const int64_t*) -> MaybeOperation { return Operation(operation::Put{int64_t{1}}); });
  Operations operations(&engine_, {"a", "b"});
  Outcome read;
  operations.Get("a", &read);
  CHECK(read.observed_revision == 1);
  operations.Get("b", &read);
  CHECK(read.observed_revision == 0);
}

TEST_CASE_METHOD(UnitFixture, "a commit that the journal refuses changes nothing") {
  ledger_.journal().SetState(LedgerState::kAway, "gone");
  {
    Operations operations(&engine_, {"a"});
    operations.Put("a", 1);
    const Outcome outcome = operations.Commit();
    CHECK(Is(outcome.status, errors::kNotApplied));
    CHECK_FALSE(outcome.logged);
    CHECK(outcome.observed_revision == 0);
  }
  CHECK(Get("a") == std::nullopt);
}

TEST_CASE_METHOD(UnitFixture, "a record over its limit changes nothing, while one of a single change has none") {
  const std::string large(kMaxRecordBytes, 'x');
  {
    Operations operations(&engine_, {"a"});
    operations.PutText("a", large);
    operations.Put("a", 1);
    const Outcome outcome = operations.Commit();
    CHECK(Is(outcome.status, errors::kBatchTooLarge));
    CHECK_FALSE(outcome.logged);
  }
  CHECK(Get("a") == std::nullopt);
  Operations operations(&engine_, {"a"});
  operations.PutText("a", large);
  CHECK(operations.Commit().logged);
}

TEST_CASE_METHOD(UnitFixture, "units over the same keys in any order take turns") {
  const std::vector<std::string> keys = {"a", "b", "c", "d", "e", "f", "g", "h"};
  const auto add = [&](bool reverse) {
    for (int i = 0; i < 500; ++i) {
      auto order = keys;
      if (reverse) std::reverse(order.begin(), order.end());
      Operations operations(&engine_, order);
      for (const std::string& key : order) operations.Increment(key, 1);
      operations.Commit();
    }
  };
  std::thread other([&] { add(true); });
  add(false);
  other.join();
  for (const std::string& key : keys) CHECK(Get(key) == 1000);
}

TEST_CASE_METHOD(UnitFixture, "a key whose time has come is absent in a unit, and what changes it removes it first") {
  const auto put = [&](absl::string_view key, int64_t ttl_micros) {
    MutationOptions options;
    options.ttl_micros = ttl_micros;
    engine_.Mutate<int64_t>("", key, options,
                            [](const int64_t*) -> MaybeOperation { return Operation(operation::Put{int64_t{5}}); });
  };
  put("a", 1);
  put("b", 1'000'000'000);
  const int64_t now = ledger_.journal().NowMicros();
  while (ledger_.journal().NowMicros() <= now + 1) std::this_thread::yield();
  {
    Operations operations(&engine_, {"a", "b"});
    Outcome read;
    CHECK(operations.Get("a", &read) == std::nullopt);
    CHECK(read.observed_revision == 1);
    CHECK(operations.Get("b") == 5);
    operations.Increment("a", 3);
    operations.Increment("a", 4);
    CHECK(operations.Get("a") == 7);
    CHECK(operations.Commit().observed_revision == 5);
  }
  CHECK(Get("a") == 7);
  ledger_.Receive();
  const auto logged = ledger_.Transactions();
  REQUIRE(logged.transactions_size() == 5);
  CHECK(logged.transactions(2).delete_().cause() == ::txn::v1::Delete::CAUSE_EXPIRED);
  CHECK(logged.transactions(2).previous_revision() == 1);
  CHECK(logged.transactions(3).previous_revision() == 0);
  CHECK(logged.transactions(4).previous_revision() == 4);
  for (int i = 2; i < 5; ++i) CHECK(logged.transactions(i).batch_remaining() == 4u - i);
}

TEST_CASE_METHOD(UnitFixture, "no count sees half of a unit") {
  std::vector<std::string> keys;
  for (int i = 0; i < 500; ++i) keys.push_back("key " + std::to_string(i));
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    for (int round = 0; round < 200; ++round) {
      {
        Operations operations(&engine_, keys);
        for (const std::string& key : keys) operations.Put(key, 1);
        operations.Commit();
      }
      Operations operations(&engine_, keys);
      for (const std::string& key : keys) operations.Delete(key, {ValueType::kInt});
      operations.Commit();
      ledger_.Persist();
    }
    is_over = true;
  });
  uint64_t half = 0;
  for (unsigned pause = 0; !is_over; ++pause) {
    // At any moment, not just when the writer has released the locks.
    for (unsigned i = 0; i < pause * 997 % 10000; ++i) is_over.load();
    const uint64_t count = store_.CountKeys().keys[0];
    if (count != 0 && count != keys.size()) half = count;
  }
  writer.join();
  CHECK(half == 0);
}

class LimitedUnit : public UnitFixture {
 protected:
  // With room for so many more keys, or bytes.
  void Limit(const UsageLimits& limits) {
    limited_ = std::make_unique<Store>(8, StoreBounds{.usage = limits});
    limited_engine_ = std::make_unique<Engine>(limited_.get(), &ledger_.journal());
  }
  Engine* engine() { return limited_engine_.get(); }
  Size Used() { return limited_->usage().total(); }

  std::unique_ptr<Store> limited_;
  std::unique_ptr<Engine> limited_engine_;
};

TEST_CASE_METHOD(LimitedUnit, "of two limits that are reached the one is named that fewer other keys would not help") {
  const std::vector<std::string> keys = {"a", "b", "c"};
  const auto put = [&](size_t first, size_t count, int64_t value) {
    Operations operations(engine(), keys);
    for (size_t i = first; i < first + count; ++i) operations.Put(keys[i], value);
    return operations.Commit().status;
  };
  const size_t one = [&] {
    Limit({.max_keys = 2});
    REQUIRE(put(0, 1, 1).ok());
    return static_cast<size_t>(Used().bytes);
  }();
  Limit({.max_memory_bytes = 2 * one, .max_keys = 2});
  REQUIRE(put(0, 2, 1).ok());
  CHECK(Is(put(2, 1, 1), errors::kTooManyKeys));
  // There is never memory for two more, while there may be two keys.
  Limit({.max_memory_bytes = one, .max_keys = 2});
  REQUIRE(put(0, 1, 1).ok());
  CHECK(Is(put(1, 2, 1), errors::kMemoryFull));
  // There may never be three.
  Limit({.max_memory_bytes = one, .max_keys = 2});
  CHECK(Is(put(0, 3, 1), errors::kTooManyKeys));
}

TEST_CASE_METHOD(LimitedUnit, "a unit is within the limits as a whole, or refused as a whole") {
  Limit({.max_keys = 2});
  const std::vector<std::string> keys = {"a", "b", "c"};
  {
    Operations operations(engine(), keys);
    for (const std::string& key : keys) CHECK(operations.Put(key, 1).status.ok());
    const Outcome outcome = operations.Commit();
    CHECK(Is(outcome.status, errors::kTooManyKeys));
    CHECK(MetadataOf(outcome.status, "used") == "0");
    CHECK(MetadataOf(outcome.status, "limit") == "2");
    CHECK(outcome.lacks.keys == 3);
    CHECK_FALSE(outcome.logged);
  }
  CHECK(Used() == Size());
  CHECK(ledger_.journal().status().latest_revision == 0);
  // What it takes away is room for what it adds, in any order.
  Operations operations(engine(), keys);
  for (const std::string& key : keys) operations.Put(key, 1);
  operations.Delete("b", {ValueType::kInt});
  CHECK(operations.Commit().status.ok());
  CHECK(Used().keys == 2);
}

TEST_CASE_METHOD(LimitedUnit, "memory may be used to the last byte, and not beyond") {
  int64_t one = 0;
  {
    Limit({.max_memory_bytes = 1'000'000});
    Operations operations(engine(), {"a"});
    operations.Put("a", 1);
    CHECK(operations.Commit().status.ok());
    one = Used().bytes;
    CHECK(one > 0);
  }
  Limit({.max_memory_bytes = static_cast<uint64_t>(2 * one)});
  for (const std::string key : {"a", "b", "c"}) {
    Operations operations(engine(), {key});
    operations.Put(key, 1);
    const Outcome outcome = operations.Commit();
    CHECK(outcome.status.ok() == (key != "c"));
    if (key == "c") CHECK(Is(outcome.status, errors::kMemoryFull));
    if (key == "c") CHECK(outcome.observed_revision == ledger_.journal().latest_revision());
  }
  CHECK(Used().bytes == 2 * one);
  // What was taken for the refused one is free again.
  Operations(engine(), {"a"}).Get("a");
  {
    Operations operations(engine(), {"a"});
    operations.Delete("a", {ValueType::kInt});
    CHECK(operations.Commit().status.ok());
  }
  Operations operations(engine(), {"c"});
  operations.Put("c", 1);
  CHECK(operations.Commit().status.ok());
}

TEST_CASE_METHOD(LimitedUnit, "room that the journal did not let be used is given back") {
  Limit({.max_keys = 1});
  ledger_.journal().SetState(LedgerState::kAway, "away");
  for (int i = 0; i < 3; ++i) {
    Operations operations(engine(), {"a"});
    operations.Put("a", 1);
    CHECK(Is(operations.Commit().status, errors::kNotApplied));
  }
  ledger_.journal().SetState(LedgerState::kConnected, "");
  Operations operations(engine(), {"a"});
  operations.Put("a", 1);
  CHECK(operations.Commit().status.ok());
}

}  // namespace
}  // namespace kvs::server
