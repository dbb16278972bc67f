#include "kvs_server/store/table.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kvs_server/store/store.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

using Keys = std::vector<std::string>;

class TableFixture {
 protected:
  // Few hashes make keys collide, as they may.
  size_t Hash(const std::string& key) const { return HashKey(key) % hashes_; }

  Entry<StringValue>* Find(const std::string& key) { return table_.Find(key, Hash(key)); }
  Entry<StringValue>* Insert(const std::string& key) { return table_.Insert(key, Hash(key)); }
  void Erase(const std::string& key) { table_.Erase(Find(key), Hash(key)); }

  Keys Scan(const std::string& after, bool inclusive, size_t max_keys = 1000) const {
    Keys keys;
    for (auto it = table_.Seek(after, inclusive); it != table_.end() && keys.size() < max_keys; ++it) {
      keys.emplace_back((*it)->key());
    }
    return keys;
  }

  size_t hashes_ = ~size_t{0};
  Table<StringValue> table_;
};

TEST_CASE_METHOD(TableFixture, "an empty table finds and lists nothing") {
  CHECK(Find("a") == nullptr);
  CHECK(Scan("", true).empty());
  CHECK(table_.size() == 0);
}

TEST_CASE_METHOD(TableFixture, "a new entry has its key, an empty value and no revision") {
  const Entry<StringValue>* entry = Insert("visits");
  CHECK(std::string(entry->key()) == "visits");
  CHECK(entry->value.empty());
  CHECK(entry->revision == 0);
  CHECK(Find("visits") == entry);
  CHECK(table_.size() == 1);
}

TEST_CASE("fetching ahead changes nothing, whatever is there") {
  Table<int64_t> table;
  table.PrefetchSlot(5);
  table.PrefetchEntry(5);
  table.PrefetchValue(5);
  table.Insert("a", 5)->value = 7;
  for (const size_t hash : {5, 6}) {
    table.PrefetchSlot(hash);
    table.PrefetchEntry(hash);
    table.PrefetchValue(hash);
  }
  CHECK(table.Find("a", 5)->value == 7);
  CHECK(table.Find("b", 5) == nullptr);
}

TEST_CASE("a new number is zero") {
  Table<int64_t> table;
  CHECK(table.Insert("n", HashKey("n"))->value == 0);
}

TEST_CASE_METHOD(TableFixture, "keys of one and of 1,024 bytes are kept whole") {
  const std::string longest(1024, 'k');
  Insert("k");
  Insert(longest);
  CHECK(std::string(Find(longest)->key()) == longest);
  CHECK(Scan("", true) == Keys{"k", longest});
}

TEST_CASE_METHOD(TableFixture, "keys with the same hash are told apart") {
  hashes_ = 1;
  Insert("a")->value = "of a";
  Insert("b")->value = "of b";
  CHECK(Find("a")->value == "of a");
  CHECK(Find("c") == nullptr);
  Erase("a");
  CHECK(Find("a") == nullptr);
  CHECK(Find("b")->value == "of b");
}

TEST_CASE_METHOD(TableFixture, "entries expire in the order of their times, until they are erased or kept") {
  const auto first = [this] { return std::string(table_.expiries().by_time().begin()->second->key()); };
  for (const char* key : {"a", "b", "c", "d"}) Insert(key);
  CHECK(table_.expiries().by_time().empty());
  CHECK(table_.ExpiryOf(Find("a")) == 0);
  table_.SetExpiry(Find("a"), 300);
  table_.SetExpiry(Find("b"), 100);
  table_.SetExpiry(Find("c"), 200);
  CHECK(table_.ExpiryOf(Find("a")) == 300);
  CHECK(table_.ExpiryOf(Find("d")) == 0);
  CHECK(first() == "b");
  table_.SetExpiry(Find("b"), 400);
  CHECK(first() == "c");
  Erase("c");
  CHECK(first() == "a");
  table_.SetExpiry(Find("a"), 0);
  CHECK_FALSE(Find("a")->expires());
  CHECK(first() == "b");
  CHECK(table_.expiries().by_time().begin()->first == 400);
  table_.Clear();
  CHECK(table_.expiries().by_time().empty());
}

TEST_CASE_METHOD(TableFixture, "a cleared table is as a new one") {
  for (int i = 0; i < 1000; ++i) Insert("key-" + std::to_string(i))->value = "value";
  table_.Clear();
  CHECK(table_.size() == 0);
  CHECK(Find("key-1") == nullptr);
  CHECK(Scan("", true).empty());
  CHECK(Insert("key-1")->value.empty());
  CHECK(Scan("", true) == Keys{"key-1"});
  table_.Clear();
  table_.Clear();
  CHECK(table_.size() == 0);
}

TEST_CASE_METHOD(TableFixture, "a scan lists keys in the order of their unsigned bytes") {
  for (const char* key : {"z", "\xC3\xA9", "a\x01", "a", "\x7F", "aa"}) Insert(key);
  CHECK(Scan("", true) == Keys{"a", "a\x01", "aa", "z", "\x7F", "\xC3\xA9"});
}

TEST_CASE_METHOD(TableFixture, "a scan begins after a key, or at it where that is included") {
  for (const char* key : {"a", "c", "e"}) Insert(key);
  CHECK(Scan("c", true) == Keys{"c", "e"});
  CHECK(Scan("c", false) == Keys{"e"});
  CHECK(Scan("b", true) == Keys{"c", "e"});
  CHECK(Scan("b", false) == Keys{"c", "e"});
  CHECK(Scan("e", false).empty());
}

TEST_CASE_METHOD(TableFixture, "a scan ends when it is told to") {
  for (const char* key : {"a", "b", "c"}) Insert(key);
  CHECK(Scan("", true, 2) == Keys{"a", "b"});
}

// Random changes, compared with std::map after each.
class RandomTable : public TableFixture {
 protected:
  void Run(int operations, int keys) {
    for (int i = 0; i < operations; ++i) {
      const std::string key = "key-" + std::to_string(random_() % keys);
      Entry<StringValue>* entry = Find(key);
      const auto expected = reference_.find(key);
      REQUIRE((entry != nullptr) == (expected != reference_.end()));
      if (entry) REQUIRE(entry->value == expected->second);
      Change(key, entry, i);
      if (i % 1000 == 0) CompareScans(key);
    }
    CompareScans("");
  }

  unsigned seed() const { return seed_; }

 private:
  void Change(const std::string& key, Entry<StringValue>* entry, int i) {
    if (entry && random_() % 2 == 0) {
      Erase(key);
      reference_.erase(key);
      return;
    }
    if (!entry) entry = Insert(key);
    // Longer than what a std::string keeps inside itself, so that a leak or a copy of freed memory is seen.
    entry->value = reference_[key] = "a value that needs memory of its own, " + std::to_string(i);
  }

  void CompareScans(const std::string& after) {
    Keys expected;
    for (auto it = reference_.upper_bound(after); it != reference_.end(); ++it) expected.push_back(it->first);
    REQUIRE(Scan(after, false, ~size_t{0}) == expected);
    REQUIRE(table_.size() == reference_.size());
  }

  const uint64_t seed_ = TestSeed();
  std::mt19937 random_{seed_};
  std::map<std::string, std::string> reference_;
};

TEST_CASE_METHOD(RandomTable, "a table agrees with std::map over 100,000 random changes") {
  INFO("KVS_SEED=" << seed());
  Run(100000, 5000);
}

TEST_CASE_METHOD(RandomTable, "a table agrees with std::map where nearly all hashes collide") {
  INFO("KVS_SEED=" << seed());
  hashes_ = 7;
  Run(20000, 300);
}

TEST_CASE_METHOD(TableFixture, "samples go round, so that every entry has its turn") {
  std::map<std::string, int> seen;
  const auto see = [&seen](const Entry<StringValue>& entry, size_t) { seen[std::string(entry.key())]++; };
  table_.Sample(3, see);
  CHECK(seen.empty());
  for (int i = 0; i < 100; ++i) Insert("key-" + std::to_string(i));
  for (int i = 0; i < 20; ++i) table_.Sample(10, see);
  CHECK(seen.size() == 100);
  for (const auto& [key, times] : seen) CHECK(times == 2);
  seen.clear();
  table_.Sample(1000, see);
  CHECK(seen.size() == 100);
}

TEST_CASE_METHOD(TableFixture, "a sample goes on behind an entry that was erased") {
  std::vector<std::string> seen;
  const auto see = [&](const Entry<StringValue>& entry, size_t hash) {
    seen.emplace_back(entry.key());
    CHECK(hash == Hash(seen.back()));
  };
  for (int i = 0; i < 20; ++i) Insert("key-" + std::to_string(i));
  table_.Sample(20, see);
  const std::vector<std::string> order = std::exchange(seen, {});
  table_.Sample(5, see);
  Erase(order[5]);
  Erase(order[6]);
  table_.Sample(13, see);
  // Those behind it may have moved.
  std::vector<std::string> expected = order;
  expected.erase(expected.begin() + 5, expected.begin() + 7);
  std::sort(expected.begin() + 5, expected.end());
  std::sort(seen.begin() + 5, seen.end());
  CHECK(seen == expected);
  table_.Sample(1, see);
  CHECK(seen.back() == order[0]);
  for (const std::string& key : order) {
    if (Find(key)) Erase(key);
  }
  seen.clear();
  table_.Sample(5, see);
  CHECK(seen.empty());
  Insert("again");
  table_.Sample(5, see);
  CHECK(seen == std::vector<std::string>{"again"});
  table_.Clear();
  Insert("other");
  table_.Sample(1, see);
  CHECK(seen.back() == "other");
}

TEST_CASE("times of use compare across years, in units of 16 milliseconds") {
  const int64_t now = 1'800'000'000'000'000;
  CHECK(UseTime(now) == UseTime(now / 16384 * 16384));
  CHECK(UseTime(now) - UseTime(now - int64_t{100} * 16384) == 100);
  const int64_t year = int64_t{365} * 86400 * 1'000'000;
  CHECK(UseTime(now) - UseTime(now - 2 * year) > UseTime(now) - UseTime(now - year));
}

}  // namespace
}  // namespace kvs::server
