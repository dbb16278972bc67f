// Room that is made by removing keys, with a clock that the test sets.

#include "kvs_server/engine/evictor.h"

#include <cmath>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "kvs_server/engine/engine.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

using MaybeOperation = absl::StatusOr<std::optional<Operation>>;

UsageLimits KeysAtMost(uint64_t max_keys) { return {.max_keys = max_keys, .policy = MemoryPolicy::kLru}; }

class EvictorFixture {
 protected:
  void Begin(const UsageLimits& limits, size_t shards = 8) {
    store_ = std::make_unique<Store>(shards, StoreBounds{.usage = limits});
    engine_ = std::make_unique<Engine>(store_.get(), &ledger_.journal());
  }
  void Pass(absl::Duration time) { now_ += time; }

  // For a change of one key.
  static auto HashesOf(const std::string& key) {
    return [&key] { return std::vector<size_t>{HashKey(key)}; };
  }
  Outcome Put(const std::string& key, int64_t ttl_micros = 0) {
    return engine_->WithRoom(HashesOf(key), [&] {
      return engine_->Mutate<int64_t>("ann", key, {{}, ttl_micros}, [](const int64_t*) -> MaybeOperation {
        return Operation(operation::Put{int64_t{7}});
      });
    });
  }
  Outcome PutText(const std::string& key, size_t size) {
    const std::string text(size, 'x');
    return engine_->WithRoom(HashesOf(key), [&] {
      return engine_->Mutate<StringValue>("", key, {}, [&text](const StringValue*) -> MaybeOperation {
        return Operation(operation::Put{absl::string_view(text)});
      });
    });
  }
  Outcome Append(const std::string& key, size_t size) {
    const std::string text(size, 'y');
    return engine_->WithRoom(HashesOf(key), [&] {
      return engine_->Mutate<StringValue>(
          "", key, {}, [&text](const StringValue*) -> MaybeOperation { return Operation(operation::Append{text}); });
    });
  }
  size_t SizeOfText(const std::string& key) {
    size_t size = 0;
    engine_->Read<StringValue>(key, [&size](const StringValue* value) {
      size = value ? value->size() : 0;
      return absl::OkStatus();
    });
    return size;
  }
  bool Has(const std::string& key) {
    bool has = false;
    engine_->Read<int64_t>(key, [&has](const int64_t* value) {
      has = value != nullptr;
      return absl::OkStatus();
    });
    return has;
  }
  Size Used() const { return store_->usage().total(); }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  ManualLedger ledger_{[this] {
    JournalOptions options;
    options.clock = [this] { return now_; };
    return options;
  }()};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Engine> engine_;
};

TEST_CASE_METHOD(EvictorFixture, "the key that was not used for the longest time goes, be it read or written") {
  Begin(KeysAtMost(4));
  for (const std::string key : {"a", "b", "c", "d"}) {
    Put(key);
    Pass(absl::Seconds(1));
  }
  CHECK(Has("a"));
  Pass(absl::Seconds(1));
  Put("b");
  Pass(absl::Seconds(1));
  CHECK(Put("e").status.ok());
  CHECK_FALSE(Has("c"));
  CHECK(Put("f").status.ok());
  CHECK_FALSE(Has("d"));
  for (const std::string key : {"a", "b", "e", "f"}) CHECK(Has(key));
  CHECK(Used().keys == 4);
  CHECK(engine_->evictions() == 2);
}

TEST_CASE_METHOD(EvictorFixture,
                 "an eviction is logged before what it makes room for, with its cause and nobody's name") {
  Begin(KeysAtMost(1));
  Put("a");
  CHECK(Put("b").revision == 3);
  ledger_.Receive();
  const auto logged = ledger_.Transactions();
  REQUIRE(logged.transactions_size() == 3);
  CHECK(logged.transactions(1).key() == "a");
  CHECK(logged.transactions(1).delete_().cause() == ::txn::v1::Delete::CAUSE_EVICTED);
  CHECK(logged.transactions(1).actor().empty());
  CHECK(logged.transactions(1).previous_revision() == 1);
  CHECK(logged.transactions(2).key() == "b");
}

TEST_CASE_METHOD(EvictorFixture, "what needs no room evicts nothing") {
  Begin(KeysAtMost(2));
  Put("a");
  Put("b");
  for (int i = 0; i < 10; ++i) CHECK(Put("a").status.ok());
  CHECK(Has("b"));
  CHECK(engine_->evictions() == 0);
}

TEST_CASE_METHOD(EvictorFixture, "keys whose time has come go before those that are used, as expired") {
  Begin(KeysAtMost(3));
  Put("old");
  Pass(absl::Hours(1));
  Put("due", 1'000'000);
  Put("new");
  Pass(absl::Seconds(2));
  CHECK(Put("more").status.ok());
  CHECK(Has("old"));
  CHECK(engine_->evictions() == 0);
  ledger_.Receive();
  CHECK(ledger_.Transactions().transactions(3).delete_().cause() == ::txn::v1::Delete::CAUSE_EXPIRED);
}

TEST_CASE_METHOD(EvictorFixture, "memory stays within its limit, whatever the sizes are") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  Begin({.max_memory_bytes = 100'000, .policy = MemoryPolicy::kLru});
  for (int i = 0; i < 3000; ++i) {
    CHECK(PutText("key-" + std::to_string(random() % 1000), random() % 5000).status.ok());
    CHECK(Used().bytes <= 100'000);
    ledger_.Persist();
  }
  CHECK(Used().bytes > 80'000);
}

TEST_CASE_METHOD(EvictorFixture, "a change does not evict the keys that it is about, however long they were not used") {
  Begin({.max_memory_bytes = 10'000, .policy = MemoryPolicy::kLru});
  PutText("log", 5000);
  Pass(absl::Seconds(1));
  PutText("other", 3000);
  CHECK(Append("log", 3000).status.ok());
  CHECK(SizeOfText("log") == 8000);
  CHECK(SizeOfText("other") == 0);
  CHECK(engine_->evictions() == 1);
  CHECK(Is(Append("log", 3000).status, errors::kMemoryFull));
  CHECK(SizeOfText("log") == 8000);
  CHECK(engine_->evictions() == 1);
}

TEST_CASE_METHOD(EvictorFixture, "what is larger than all there may be is refused, and nothing is evicted for it") {
  Begin({.max_memory_bytes = 10'000, .policy = MemoryPolicy::kLru});
  Put("a");
  const Outcome outcome = PutText("b", 10'000);
  CHECK(Is(outcome.status, errors::kMemoryFull));
  CHECK(outcome.observed_revision == 1);
  CHECK_FALSE(outcome.logged);
  CHECK(Has("a"));
}

TEST_CASE_METHOD(EvictorFixture, "what has no room beside the keys that it is about evicts nothing, and is told so") {
  Begin({.max_memory_bytes = 10'000, .policy = MemoryPolicy::kLru});
  PutText("log", 5000);
  PutText("other", 3000);
  const Outcome outcome = Append("log", 6000);
  CHECK(Is(outcome.status, errors::kMemoryFull));
  CHECK_THAT(std::string(outcome.status.message()),
             ContainsText("there is no room for it with all other keys evicted: raise the limit"));
  CHECK(SizeOfText("other") == 3000);
  CHECK(engine_->evictions() == 0);
}

TEST_CASE_METHOD(EvictorFixture, "one call removes a bounded number of keys, and a later one goes on") {
  Begin({.max_memory_bytes = 1'000'000, .policy = MemoryPolicy::kLru});
  int64_t keys = 0;
  while (engine_->evictions() == 0) Put("key-" + std::to_string(keys++));
  const uint64_t before = engine_->evictions();
  const absl::Status status = PutText("large", 900'000).status;
  CHECK(Is(status, errors::kMemoryFull));
  CHECK_THAT(std::string(status.message()), ContainsText("; try again: more keys are evicted then"));
  CHECK(engine_->evictions() == before + kMaxEvictionsAtOnce + 1);
  int attempts = 1;
  while (!PutText("large", 900'000).status.ok()) REQUIRE(++attempts < 100);
  CHECK(attempts > 2);
  CHECK(Used().bytes <= 1'000'000);
}

TEST_CASE_METHOD(EvictorFixture, "while the ledger takes nothing, nothing is evicted, and callers learn why") {
  Begin(KeysAtMost(1));
  Put("a");
  ledger_.Persist();
  ledger_.journal().SetState(LedgerState::kAway, "away");
  const Outcome outcome = Put("b");
  CHECK(Is(outcome.status, errors::kNotApplied));
  CHECK(outcome.observed_revision == 0);
  CHECK(Has("a"));
  CHECK(engine_->evictions() == 0);
}

TEST_CASE_METHOD(EvictorFixture, "more than there may be, as after a start with a lower limit, goes step by step") {
  Begin(KeysAtMost(10));
  for (uint64_t i = 1; i <= 1500; ++i) {
    const std::string key = "key-" + std::to_string(i);
    Transaction transaction;
    transaction.revision = i;
    transaction.key = key;
    transaction.operation = operation::Put{int64_t{7}};
    REQUIRE(store_->Apply(transaction).ok());
    ledger_.journal().Replayed(i, 1);
  }
  CHECK(Is(Put("new").status, errors::kTooManyKeys));
  CHECK(Put("new").status.ok());
  CHECK(Used().keys == 10);
}

TEST_CASE_METHOD(EvictorFixture, "threads that add at the same time stay within the limit, and are not refused") {
  Begin(KeysAtMost(1000));
  std::atomic<bool> is_exceeded{false};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3000; ++i) {
        if (!Put("key-" + std::to_string(t) + "-" + std::to_string(i)).status.ok()) ++refused;
        if (Used().keys > 1000) is_exceeded = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(is_exceeded);
  CHECK(refused == 0);
  CHECK(Used().keys > 980);
}

// A cache of `capacity` keys under a workload: the share of accesses that find their key.
class LruModel {
 public:
  explicit LruModel(size_t capacity) : capacity_(capacity) {}

  // Whether the key was there.
  bool Access(int key) {
    const auto it = places_.find(key);
    const bool is_hit = it != places_.end();
    if (is_hit) order_.erase(it->second);
    order_.push_front(key);
    places_[key] = order_.begin();
    if (places_.size() > capacity_) {
      places_.erase(order_.back());
      order_.pop_back();
    }
    return is_hit;
  }

 private:
  const size_t capacity_;
  std::list<int> order_;
  std::unordered_map<int, std::list<int>::iterator> places_;
};

class Workloads : public EvictorFixture {
 protected:
  static constexpr size_t kCapacity = 2000;
  static constexpr int kAccesses = 100'000;

  // next() returns the number of the key that is accessed.
  template <class Next>
  void Compare(Next next, double max_loss) {
    Begin(KeysAtMost(kCapacity), 4);
    LruModel model(kCapacity);
    int hits = 0;
    int model_hits = 0;
    for (int i = 0; i < kAccesses; ++i) {
      const int key = next();
      const std::string name = "key-" + std::to_string(key);
      if (Has(name)) {
        ++hits;
      } else {
        REQUIRE(Put(name).status.ok());
      }
      model_hits += model.Access(key);
      // Some twenty accesses in each unit of the time of use.
      Pass(absl::Microseconds(800));
      if (i % 1000 == 0) ledger_.Persist();
    }
    const double loss = 100.0 * (model_hits - hits) / kAccesses;
    INFO("true LRU " << 100.0 * model_hits / kAccesses << " % hits, " << loss << " points less with sampling");
    CHECK(loss < max_loss);
  }

  std::mt19937 random_{1};
};

TEST_CASE_METHOD(Workloads, "with accesses as Zipf has them, hits are within half a point of true LRU") {
  std::vector<double> weights;
  for (int i = 1; i <= 20'000; ++i) weights.push_back(1.0 / i);
  std::discrete_distribution<int> zipf(weights.begin(), weights.end());
  Compare([&] { return zipf(random_); }, 0.5);
}

TEST_CASE_METHOD(Workloads, "with some keys hot and all others cold, hits are within half a point of true LRU") {
  // The names of the hot ones stand together.
  Compare(
      [&] {
        return random_() % 10 < 8 ? static_cast<int>(random_() % 1000) : 10'000 + static_cast<int>(random_() % 90'000);
      },
      0.5);
}

}  // namespace
}  // namespace kvs::server
