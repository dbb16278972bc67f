#include "kvs_server/store/store.h"

#include <map>
#include <random>
#include <string>
#include <utility>

#include "kvs_server/store/footprint.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

using operation::AddMembers;
using operation::Append;
using operation::Delete;
using operation::FloatIncrement;
using operation::IntIncrement;
using operation::Put;
using operation::PutFields;
using operation::RemoveFields;
using operation::RemoveMembers;
using operation::UintIncrement;

class StoreFixture {
 protected:
  // Applies the next transaction; the caller names the revision of the key's change before.
  absl::Status Apply(ValueType type, const std::string& key, uint64_t previous_revision, Operation operation,
                     int64_t expires_at_micros = 0) {
    Transaction transaction;
    transaction.revision = ++revision_;
    transaction.previous_revision = previous_revision;
    transaction.type = type;
    transaction.key = key;
    transaction.operation = std::move(operation);
    transaction.expires_at_micros = expires_at_micros;
    return store_.Apply(transaction);
  }

  // The entry of a key, null if it is absent.
  template <class T>
  const Entry<T>* Find(const std::string& key) {
    const size_t hash = HashKey(key);
    Shard& shard = store_.shard(hash);
    MutexLock lock(&shard.mutex());
    return shard.table<T>().Find(key, hash);
  }

  // When a string expires.
  int64_t ExpiryOf(const std::string& key) {
    const size_t hash = HashKey(key);
    Shard& shard = store_.shard(hash);
    MutexLock lock(&shard.mutex());
    return shard.table<StringValue>().ExpiryOf(shard.table<StringValue>().Find(key, hash));
  }

  uint64_t NewestDelete(const std::string& key) {
    Shard& shard = store_.shard(HashKey(key));
    MutexLock lock(&shard.mutex());
    return shard.newest_delete();
  }

  uint64_t revision_ = 0;
  Store store_{8};
};

TEST_CASE_METHOD(StoreFixture, "a put makes a key of each type") {
  REQUIRE(Apply(ValueType::kInt, "k", 0, Put{int64_t{-1}}).ok());
  REQUIRE(Apply(ValueType::kUint, "k", 0, Put{uint64_t{1}}).ok());
  REQUIRE(Apply(ValueType::kFloat, "k", 0, Put{0.5}).ok());
  REQUIRE(Apply(ValueType::kString, "k", 0, Put{absl::string_view("text")}).ok());
  REQUIRE(Apply(ValueType::kSet, "k", 0, Put{Texts{"a", "b"}}).ok());
  REQUIRE(Apply(ValueType::kMap, "k", 0, Put{Fields{{"name", "value"}}}).ok());
  CHECK(Find<int64_t>("k")->value == -1);
  CHECK(Find<uint64_t>("k")->value == 1);
  CHECK(Find<double>("k")->value == 0.5);
  CHECK(Find<StringValue>("k")->value == "text");
  CHECK(Find<SetValue>("k")->value.members() == SetValue::Members{"a", "b"});
  CHECK(*Find<MapValue>("k")->value.Find("name") == "value");
  CHECK(Find<int64_t>("k")->revision == 1);
  CHECK(Find<MapValue>("k")->revision == 6);
}

TEST_CASE_METHOD(StoreFixture, "an operation that is not a put makes an absent key from nothing") {
  REQUIRE(Apply(ValueType::kInt, "k", 0, IntIncrement{5, 5}).ok());
  REQUIRE(Apply(ValueType::kString, "k", 0, Append{"text"}).ok());
  REQUIRE(Apply(ValueType::kSet, "k", 0, AddMembers{{"a"}}).ok());
  REQUIRE(Apply(ValueType::kMap, "k", 0, PutFields{{{"name", "value"}}}).ok());
  CHECK(Find<int64_t>("k")->value == 5);
  CHECK(Find<StringValue>("k")->value == "text");
  CHECK(Find<SetValue>("k")->value.Contains("a"));
  CHECK(Find<MapValue>("k")->value.fields().size() == 1);
}

TEST_CASE_METHOD(StoreFixture, "a change has the effect that was logged, not one that is computed again") {
  REQUIRE(Apply(ValueType::kInt, "k", 0, Put{int64_t{1}}).ok());
  REQUIRE(Apply(ValueType::kInt, "k", 1, IntIncrement{1, 77}).ok());
  CHECK(Find<int64_t>("k")->value == 77);
  CHECK(Find<int64_t>("k")->revision == 2);
}

TEST_CASE_METHOD(StoreFixture, "a delete removes the key and is remembered by its shard") {
  REQUIRE(Apply(ValueType::kInt, "k", 0, Put{int64_t{1}}).ok());
  CHECK(NewestDelete("k") == 0);
  REQUIRE(Apply(ValueType::kInt, "k", 1, Delete{}).ok());
  CHECK(Find<int64_t>("k") == nullptr);
  CHECK(NewestDelete("k") == 2);
  REQUIRE(Apply(ValueType::kInt, "k", 0, Put{int64_t{1}}).ok());
  CHECK(NewestDelete("k") == 2);
}

TEST_CASE_METHOD(StoreFixture, "a transaction whose change before is missing is DATA_LOSS and names its revision") {
  REQUIRE(Apply(ValueType::kInt, "k", 0, Put{int64_t{1}}).ok());
  for (const uint64_t previous : {0, 2}) {
    const absl::Status status = Apply(ValueType::kInt, "k", previous, Put{int64_t{2}});
    CHECK(absl::IsDataLoss(status));
    CHECK_THAT(std::string(status.message()), ContainsText("at revision " + std::to_string(revision_)));
  }
}

TEST_CASE_METHOD(StoreFixture, "a transaction whose change before was deleted is DATA_LOSS") {
  REQUIRE(Apply(ValueType::kInt, "k", 0, Put{int64_t{1}}).ok());
  REQUIRE(Apply(ValueType::kInt, "k", 1, Delete{}).ok());
  CHECK(absl::IsDataLoss(Apply(ValueType::kInt, "k", 2, Put{int64_t{1}})));
  CHECK(absl::IsDataLoss(Apply(ValueType::kInt, "k", 1, Put{int64_t{1}})));
}

TEST_CASE_METHOD(StoreFixture, "a key expires as its last change says") {
  const Operation put = Put{absl::string_view("text")};
  REQUIRE(Apply(ValueType::kString, "k", 0, put).ok());
  CHECK(ExpiryOf("k") == 0);
  REQUIRE(Apply(ValueType::kString, "k", 1, operation::SetExpiry{}, 500).ok());
  CHECK(ExpiryOf("k") == 500);
  REQUIRE(Apply(ValueType::kString, "k", 2, Append{"more"}, 500).ok());
  CHECK(ExpiryOf("k") == 500);
  REQUIRE(Apply(ValueType::kString, "k", 3, put, 700).ok());
  CHECK(ExpiryOf("k") == 700);
  REQUIRE(Apply(ValueType::kString, "k", 4, put).ok());
  CHECK(ExpiryOf("k") == 0);
  CHECK(Find<StringValue>("k")->value == "text");
  CHECK(absl::IsDataLoss(Apply(ValueType::kString, "absent", 0, operation::SetExpiry{}, 500)));
}

TEST_CASE_METHOD(StoreFixture, "a delete of an absent key is DATA_LOSS") {
  CHECK(absl::IsDataLoss(Apply(ValueType::kInt, "k", 0, Delete{})));
}

TEST_CASE_METHOD(StoreFixture, "an operation of another type is DATA_LOSS") {
  CHECK(absl::IsDataLoss(Apply(ValueType::kInt, "k", 0, Append{"text"})));
  CHECK(absl::IsDataLoss(Apply(ValueType::kUint, "k", 0, Put{int64_t{1}})));
  CHECK(absl::IsDataLoss(Apply(ValueType::kMap, "k", 0, AddMembers{{"a"}})));
}

TEST_CASE_METHOD(StoreFixture, "an operation that cannot have had its effect is DATA_LOSS") {
  REQUIRE(Apply(ValueType::kSet, "s", 0, AddMembers{{"a"}}).ok());
  REQUIRE(Apply(ValueType::kMap, "m", 0, PutFields{{{"a", ""}}}).ok());
  CHECK(absl::IsDataLoss(Apply(ValueType::kSet, "s", 1, AddMembers{{"a"}})));
  CHECK(absl::IsDataLoss(Apply(ValueType::kSet, "s", 1, RemoveMembers{{"b"}})));
  CHECK(absl::IsDataLoss(Apply(ValueType::kMap, "m", 2, RemoveFields{{"b"}})));
}

TEST_CASE_METHOD(StoreFixture, "keys are counted by type, with the newest revision") {
  REQUIRE(Apply(ValueType::kInt, "a", 0, Put{int64_t{1}}).ok());
  REQUIRE(Apply(ValueType::kInt, "b", 0, Put{int64_t{1}}).ok());
  REQUIRE(Apply(ValueType::kMap, "a", 0, Put{Fields{}}).ok());
  REQUIRE(Apply(ValueType::kInt, "b", 2, Delete{}).ok());
  const Store::Sizes sizes = store_.CountKeys();
  CHECK(sizes.keys == std::array<uint64_t, kValueTypeCount>{1, 0, 0, 0, 0, 1});
  CHECK(sizes.newest_revision == 4);
}

// What the entries of a type take, one by one.
template <class T>
int64_t BytesOfAll(Store& store) {
  size_t bytes = 0;
  for (Shard& shard : store.shards()) {
    MutexLock lock(&shard.mutex());
    const Table<T>& table = shard.table<T>();
    for (auto it = table.Seek("", true); it != table.end(); ++it) bytes += Footprint(**it);
  }
  return static_cast<int64_t>(bytes);
}

TEST_CASE_METHOD(StoreFixture, "the bytes of each type are those of its entries, and none when all are gone") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  std::map<std::pair<ValueType, std::string>, uint64_t> revisions;
  const auto change = [&](ValueType type, const std::string& key, Operation operation) {
    uint64_t& revision = revisions[{type, key}];
    const bool expires = !std::holds_alternative<Delete>(operation) && random() % 3 == 0;
    REQUIRE(Apply(type, key, revision, std::move(operation), expires ? 1'000'000 + random() % 1000 : 0).ok());
    revision = revision_;
  };
  for (int i = 0; i < 5000; ++i) {
    const ValueType type = kValueTypes[random() % kValueTypeCount];
    const std::string key(1 + random() % 40, static_cast<char>('a' + random() % 26));
    const std::string text(random() % 40, static_cast<char>('a' + random() % 26));
    const bool exists = revisions.count({type, key}) != 0;
    if (exists && random() % 4 == 0) {
      change(type, key, Delete{});
      revisions.erase({type, key});
      continue;
    }
    switch (type) {
      case ValueType::kInt:
        change(type, key, Put{int64_t{7}});
        break;
      case ValueType::kUint:
        change(type, key, Put{uint64_t{7}});
        break;
      case ValueType::kFloat:
        change(type, key, Put{7.5});
        break;
      case ValueType::kString:
        change(type, key, Append{text});
        break;
      case ValueType::kSet:
        change(type, key, Put{Texts{"a", "b" + text}});
        break;
      case ValueType::kMap:
        change(type, key, PutFields{{{text, text}, {text + "b", text}}});
        break;
    }
  }
  const Usage& usage = store_.usage();
  CHECK(usage.of(ValueType::kInt).bytes == BytesOfAll<int64_t>(store_));
  CHECK(usage.of(ValueType::kUint).bytes == BytesOfAll<uint64_t>(store_));
  CHECK(usage.of(ValueType::kFloat).bytes == BytesOfAll<double>(store_));
  CHECK(usage.of(ValueType::kString).bytes == BytesOfAll<StringValue>(store_));
  CHECK(usage.of(ValueType::kSet).bytes == BytesOfAll<SetValue>(store_));
  CHECK(usage.of(ValueType::kMap).bytes == BytesOfAll<MapValue>(store_));
  CHECK(usage.total().keys == static_cast<int64_t>(revisions.size()));
  for (const auto& [key, revision] : revisions) REQUIRE(Apply(key.first, key.second, revision, Delete{}).ok());
  CHECK(usage.total() == Size());
}

TEST_CASE("limits are not looked at when a history is applied") {
  Store store(8, {.usage = {.max_memory_bytes = 1, .max_keys = 1}});
  for (const std::string key : {"a", "b", "c"}) {
    Transaction transaction;
    transaction.revision = 1;
    transaction.key = key;
    transaction.operation = Put{int64_t{7}};
    REQUIRE(store.Apply(transaction).ok());
  }
  CHECK(store.usage().total().keys == 3);
}

TEST_CASE("a sample of a shard has keys of all types, each as often as its share of the keys is") {
  Store store(1);
  uint64_t revision = 0;
  const auto put = [&](const std::string& key, Operation operation, ValueType type) {
    Transaction transaction;
    transaction.revision = ++revision;
    transaction.time_micros = static_cast<int64_t>(revision) << 14;
    transaction.type = type;
    transaction.key = key;
    transaction.operation = std::move(operation);
    REQUIRE(store.Apply(transaction).ok());
  };
  for (int i = 0; i < 90; ++i) put("int-" + std::to_string(i), Put{int64_t{7}}, ValueType::kInt);
  for (int i = 0; i < 10; ++i) put("text-" + std::to_string(i), Put{absl::string_view("x")}, ValueType::kString);
  Shard& shard = store.shards()[0];
  MutexLock lock(&shard.mutex());
  std::map<ValueType, int> seen;
  shard.Sample(10, [&](const Shard::KeyUse& use) {
    seen[use.type]++;
    CHECK(use.last_use == use.revision);
    CHECK(shard.UseOf(use.type, use.key, use.hash).revision == use.revision);
  });
  CHECK(seen == std::map<ValueType, int>{{ValueType::kInt, 9}, {ValueType::kString, 1}});
  CHECK(shard.UseOf(ValueType::kInt, "text-1", HashKey("text-1")).revision == 0);
}

TEST_CASE_METHOD(StoreFixture, "the last transaction of a request remembers it, and a cleared store does not") {
  Transaction transaction;
  transaction.revision = 1;
  transaction.key = "k";
  transaction.operation = Put{int64_t{1}};
  transaction.batch_remaining = 1;
  transaction.request.id = "r";
  REQUIRE(store_.Apply(transaction).ok());
  CHECK_FALSE(store_.requests().Find("", "r"));
  transaction.revision = 2;
  transaction.previous_revision = 1;
  transaction.batch_remaining = 0;
  transaction.request.answer = Answer{42, 2, "answer"};
  REQUIRE(store_.Apply(transaction).ok());
  const auto found = store_.requests().Find("", "r");
  REQUIRE(found);
  CHECK(found->first_revision == 1);
  CHECK(found->revision == 2);
  CHECK(found->command_hash == 42);
  CHECK(found->response == "answer");
  store_.Clear();
  CHECK_FALSE(store_.requests().Find("", "r"));
}

TEST_CASE_METHOD(StoreFixture, "a cleared store is as a new one") {
  for (const std::string key : {"a", "b", "c", "d", "e"}) {
    REQUIRE(Apply(ValueType::kInt, key, 0, Put{int64_t{1}}).ok());
    REQUIRE(Apply(ValueType::kMap, key, 0, Put{Fields{{"name", "value"}}}).ok());
    REQUIRE(Apply(ValueType::kInt, key, revision_ - 1, Delete{}).ok());
  }
  store_.Clear();
  CHECK(store_.CountKeys().newest_revision == 0);
  CHECK(store_.usage().total() == Size());
  for (const uint64_t count : store_.CountKeys().keys) CHECK(count == 0);
  CHECK(Find<MapValue>("a") == nullptr);
  for (const std::string key : {"a", "b", "c", "d", "e"}) CHECK(NewestDelete(key) == 0);
  revision_ = 0;
  REQUIRE(Apply(ValueType::kMap, "a", 0, PutFields{{{"other", "field"}}}).ok());
  CHECK(Find<MapValue>("a")->value.fields().size() == 1);
  CHECK(store_.CountKeys().keys[5] == 1);
}

TEST_CASE_METHOD(StoreFixture, "the keys of a snapshot come in any order of revisions") {
  revision_ = 8;
  REQUIRE(Apply(ValueType::kInt, "k", 0, Put{int64_t{1}}).ok());
  revision_ = 4;
  REQUIRE(Apply(ValueType::kUint, "k", 0, Put{uint64_t{1}}).ok());
  CHECK(store_.CountKeys().newest_revision == 9);
  CHECK(Find<int64_t>("k")->revision == 9);
  CHECK(Find<uint64_t>("k")->revision == 5);
  // A large collection goes on at its own revision.
  revision_ = 2;
  REQUIRE(Apply(ValueType::kSet, "k", 0, Put{Texts{"a"}}).ok());
  revision_ = 2;
  REQUIRE(Apply(ValueType::kSet, "k", 3, AddMembers{{"b"}}).ok());
  CHECK(Find<SetValue>("k")->value.members().size() == 2);
  CHECK(Find<SetValue>("k")->revision == 3);
}

TEST_CASE("every number of shards holds every key") {
  for (const size_t shard_count : {1, 3, 64, 1000}) {
    Store store(shard_count);
    for (uint64_t i = 1; i <= 500; ++i) {
      const std::string key = "key-" + std::to_string(i);
      Transaction transaction;
      transaction.revision = i;
      transaction.key = key;
      transaction.operation = Put{int64_t{7}};
      REQUIRE(store.Apply(transaction).ok());
    }
    CHECK(store.shards().size() == shard_count);
    CHECK(store.CountKeys().keys[0] == 500);
  }
}

TEST_CASE("keys spread evenly over the shards") {
  Store store(64);
  std::map<Shard*, int> keys;
  for (int i = 0; i < 64000; ++i) keys[&store.shard(HashKey("key-" + std::to_string(i)))]++;
  CHECK(keys.size() == 64);
  for (const auto& [shard, count] : keys) {
    CHECK(count > 700);
    CHECK(count < 1300);
  }
}

// Random histories against a reference that knows the operations by heart.
TEST_CASE_METHOD(StoreFixture, "the state after a random history is that of the reference") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  std::map<std::string, std::pair<int64_t, uint64_t>> reference;  // value and revision
  for (int i = 0; i < 20000; ++i) {
    const std::string key = "key-" + std::to_string(random() % 200);
    const auto it = reference.find(key);
    const auto [value, previous] = it == reference.end() ? std::pair<int64_t, uint64_t>() : it->second;
    const int64_t operand = random() % 1000;
    if (it != reference.end() && random() % 3 == 0) {
      REQUIRE(Apply(ValueType::kInt, key, previous, Delete{}).ok());
      reference.erase(key);
    } else if (random() % 2 == 0) {
      REQUIRE(Apply(ValueType::kInt, key, previous, Put{operand}).ok());
      reference[key] = {operand, revision_};
    } else {
      REQUIRE(Apply(ValueType::kInt, key, previous, IntIncrement{operand, value + operand}).ok());
      reference[key] = {value + operand, revision_};
    }
  }
  CHECK(store_.CountKeys().keys[0] == reference.size());
  for (const auto& [key, expected] : reference) {
    REQUIRE(Find<int64_t>(key) != nullptr);
    CHECK(Find<int64_t>(key)->value == expected.first);
    CHECK(Find<int64_t>(key)->revision == expected.second);
  }
}

}  // namespace
}  // namespace kvs::server
