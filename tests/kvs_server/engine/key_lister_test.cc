#include "kvs_server/engine/key_lister.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace kvs::server {
namespace {

using Keys = std::vector<std::string>;

class ListerFixture {
 protected:
  void Put(const std::string& key, ValueType type = ValueType::kInt) {
    const operation::Put put{type == ValueType::kInt ? ValueView(int64_t{1}) : ValueView(absl::string_view("text"))};
    Apply(type, key, put);
  }
  void Delete(const std::string& key, ValueType type = ValueType::kInt) { Apply(type, key, operation::Delete{}); }

  // Makes `count` keys with names of equal length, and names them.
  Keys PutMany(int count, const std::string& prefix = "key-") {
    Keys keys;
    for (int i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(100000 + i));
    for (const std::string& key : keys) Put(key);
    return keys;
  }

  // Everything that a lister tells, as "type key", in order.
  Keys List(KeyLister& lister, size_t chunk_keys = 1000) {
    Keys keys;
    for (;;) {
      const KeyLister::Chunk chunk = lister.Next(chunk_keys, 0);
      CHECK(chunk.keys.size() <= chunk_keys);
      observed_ = chunk.observed_revision;
      if (chunk.keys.empty()) return keys;
      for (const auto& key : chunk.keys) {
        keys.push_back((types_.size() == 1 ? "" : std::string(TypeName(key.type)) + " ") + key.key);
      }
    }
  }
  Keys List(const std::string& prefix = "", size_t chunk_keys = 1000) {
    KeyLister lister(&store_, prefix, types_);
    return List(lister, chunk_keys);
  }

  Store store_{8};
  std::vector<ValueType> types_{ValueType::kInt};
  uint64_t observed_ = 0;  // of the last chunk

 private:
  void Apply(ValueType type, const std::string& key, Operation operation) {
    uint64_t& last = last_change_[{type, key}];
    Transaction transaction;
    transaction.revision = ++revision_;
    transaction.previous_revision = last;
    transaction.type = type;
    transaction.key = key;
    last = std::holds_alternative<operation::Delete>(operation) ? 0 : revision_;
    transaction.operation = std::move(operation);
    REQUIRE(store_.Apply(transaction).ok());
  }

  uint64_t revision_ = 0;
  std::map<std::pair<ValueType, std::string>, uint64_t> last_change_;
};

TEST_CASE_METHOD(ListerFixture, "an empty store has no keys to list") {
  CHECK(List().empty());
  CHECK(observed_ == 0);
}

TEST_CASE_METHOD(ListerFixture, "keys of all shards come in byte order") {
  const Keys keys = PutMany(3000);
  CHECK(List() == keys);
}

TEST_CASE_METHOD(ListerFixture, "order is that of unsigned bytes") {
  for (const char* key : {"\xC3\xA9", "z", "a", "\x01", "aa"}) Put(key);
  CHECK(List() == Keys{"\x01", "a", "aa", "z", "\xC3\xA9"});
}

TEST_CASE_METHOD(ListerFixture, "types come one after the other, each in byte order") {
  types_ = {ValueType::kInt, ValueType::kString, ValueType::kMap};
  Put("b", ValueType::kString);
  Put("a", ValueType::kString);
  Put("c", ValueType::kInt);
  CHECK(List() == Keys{"int c", "string a", "string b"});
}

TEST_CASE_METHOD(ListerFixture, "only the types asked for are listed") {
  Put("a", ValueType::kString);
  Put("b");
  CHECK(List() == Keys{"b"});
  types_ = {};
  CHECK(List().empty());
}

TEST_CASE_METHOD(ListerFixture, "only keys that begin with the prefix are listed") {
  for (const char* key : {"host", "host:", "host:1", "host:2", "hosts", "a", "z"}) Put(key);
  CHECK(List("host:") == Keys{"host:", "host:1", "host:2"});
  CHECK(List("host") == Keys{"host", "host:", "host:1", "host:2", "hosts"});
  CHECK(List("z") == Keys{"z"});
  CHECK(List("host:3").empty());
}

TEST_CASE_METHOD(ListerFixture, "a prefix of the greatest bytes has an end as well") {
  for (const char* key : {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF!", "a"}) Put(key);
  CHECK(List("\xF4\x8F\xBF\xBF").size() == 2);
}

TEST_CASE_METHOD(ListerFixture, "the length of chunks does not change the list") {
  const Keys keys = PutMany(1000);
  for (const size_t chunk_keys : {1, 7, 64, 999, 1000, 1001}) CHECK(List("", chunk_keys) == keys);
}

TEST_CASE("a shard whose keys end with what is read ahead is listed whole") {
  // Around multiples of the number of keys that are read ahead.
  for (const int count : {1, 63, 64, 65, 127, 128, 129, 200}) {
    Store store(1);
    for (int i = 0; i < count; ++i) {
      const std::string key = std::to_string(1000 + i);
      Transaction transaction;
      transaction.revision = i + 1;
      transaction.key = key;
      transaction.operation = operation::Put{int64_t{1}};
      REQUIRE(store.Apply(transaction).ok());
    }
    KeyLister lister(&store, "", {ValueType::kInt});
    CHECK(lister.Next(1000, 0).keys.size() == static_cast<size_t>(count));
    CHECK(lister.Next(1000, 0).keys.empty());
  }
}

TEST_CASE_METHOD(ListerFixture, "each key comes with the revision of its last change") {
  Put("a");
  Put("b");
  Put("a");
  KeyLister lister(&store_, "", types_);
  const auto chunk = lister.Next(10, 0);
  CHECK(chunk.keys[0].revision == 3);
  CHECK(chunk.keys[1].revision == 2);
}

TEST_CASE_METHOD(ListerFixture, "a chunk tells the newest revision that it shows") {
  PutMany(10);  // revisions 1 to 10, in byte order
  KeyLister lister(&store_, "", types_);
  CHECK(lister.Next(3, 0).observed_revision == 3);
  CHECK(lister.Next(3, 0).observed_revision == 6);
}

TEST_CASE_METHOD(ListerFixture, "a chunk tells of deletes, since what is missing was observed as well") {
  Put("a");
  Put("b");
  Delete("b");
  List();
  CHECK(observed_ == 3);
  Delete("a");
  CHECK(List().empty());
  CHECK(observed_ == 4);
}

TEST_CASE_METHOD(ListerFixture, "a list goes on over keys that are deleted under it") {
  const Keys keys = PutMany(1000);
  KeyLister lister(&store_, "", types_);
  const auto first = lister.Next(100, 0);
  for (const std::string& key : keys) Delete(key);
  const Keys rest = List(lister);
  CHECK(std::is_sorted(rest.begin(), rest.end()));
  CHECK((rest.empty() || rest.front() > first.keys.back().key));
}

TEST_CASE_METHOD(ListerFixture, "while others write, no key is listed twice and none that stays is missed") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  const Keys stable = PutMany(2000, "stay-");
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::mt19937 random(seed);
    std::vector<bool> present(2000);
    while (!stop) {
      const size_t i = random() % present.size();
      const std::string key = (i % 2 ? "stay-1" : "go-") + std::to_string(i) + "!";
      present[i] ? Delete(key) : Put(key);
      present[i] = !present[i];
    }
  });
  for (int round = 0; round < 20; ++round) {
    const Keys listed = List("", 50);
    CHECK(std::is_sorted(listed.begin(), listed.end()));
    CHECK(std::adjacent_find(listed.begin(), listed.end()) == listed.end());
    CHECK(std::includes(listed.begin(), listed.end(), stable.begin(), stable.end()));
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace kvs::server
