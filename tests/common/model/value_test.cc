#include "common/model/value.h"

#include <map>
#include <random>
#include <set>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs {
namespace {

TEST_CASE("every type has its own name and its alternative of Value") {
  std::set<absl::string_view> names;
  for (const ValueType type : kValueTypes) CHECK(names.insert(TypeName(type)).second);
  CHECK(names == std::set<absl::string_view>{"float", "int", "map", "set", "string", "uint"});
  CHECK(TypeOf(Value(int64_t{0})) == ValueType::kInt);
  CHECK(TypeOf(Value(uint64_t{0})) == ValueType::kUint);
  CHECK(TypeOf(Value(0.0)) == ValueType::kFloat);
  CHECK(TypeOf(Value(std::string())) == ValueType::kString);
  CHECK(TypeOf(Value(SetValue())) == ValueType::kSet);
  CHECK(TypeOf(Value(MapValue())) == ValueType::kMap);
  CHECK(std::is_same_v<ValueOf<ValueType::kInt>, int64_t>);
  CHECK(std::is_same_v<ValueOf<ValueType::kMap>, MapValue>);
}

TEST_CASE("a set tells whether a member was new or there") {
  SetValue set;
  CHECK(set.Insert("b"));
  CHECK_FALSE(set.Insert("b"));
  CHECK(set.Insert("a"));
  CHECK(set.Insert(""));
  CHECK(set.bytes() == 2);
  CHECK(set.Contains("a"));
  CHECK_FALSE(set.Contains("c"));
  CHECK(set.Erase("b"));
  CHECK_FALSE(set.Erase("b"));
  CHECK(set.bytes() == 1);
  CHECK(std::vector<std::string>(set.members().begin(), set.members().end()) == std::vector<std::string>{"", "a"});
}

TEST_CASE("a map tells whether a field was new or there, and replaces values") {
  MapValue map;
  CHECK(map.Put("name", "value"));
  CHECK(map.bytes() == 9);
  CHECK_FALSE(map.Put("name", "v"));
  CHECK(map.bytes() == 5);
  CHECK_FALSE(map.Put("name", "a longer value"));
  CHECK(map.bytes() == 18);
  REQUIRE(map.Find("name") != nullptr);
  CHECK(*map.Find("name") == "a longer value");
  CHECK(map.Find("other") == nullptr);
  CHECK(map.Erase("name"));
  CHECK_FALSE(map.Erase("name"));
  CHECK(map.bytes() == 0);
  CHECK(map.fields().empty());
}

TEST_CASE("members and fields are kept in byte order, with NUL and bytes above 127") {
  const std::string texts[] = {std::string("\0", 1), std::string("\0a", 2), "A", "a", "aa", "\x7f", "\xc3\xa9", "\xff"};
  SetValue set;
  MapValue map;
  for (size_t i = std::size(texts); i-- > 0;) {
    set.Insert(texts[i]);
    map.Put(texts[i], "");
  }
  CHECK(std::vector<std::string>(set.members().begin(), set.members().end()) ==
        std::vector<std::string>(std::begin(texts), std::end(texts)));
  size_t i = 0;
  for (const auto& [name, value] : map.fields()) CHECK(name == texts[i++]);
}

TEST_CASE("equality looks at the contents and not at the way to them") {
  SetValue a;
  SetValue b;
  a.Insert("x");
  a.Insert("y");
  b.Insert("y");
  b.Insert("z");
  CHECK_FALSE(a == b);
  b.Erase("z");
  b.Insert("x");
  CHECK(a == b);

  MapValue c;
  MapValue d;
  c.Put("x", "1");
  d.Put("x", "2");
  CHECK_FALSE(c == d);
  d.Put("x", "1");
  CHECK(c == d);
}

TEST_CASE("sets and maps agree with those of the standard library, and count their bytes, under random operations") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  const auto text = [&](size_t alphabet) {
    return std::string(random() % 4, static_cast<char>('a' + random() % alphabet));
  };
  SetValue set;
  MapValue map;
  std::set<std::string> expected_set;
  std::map<std::string, std::string> expected_map;
  for (int step = 0; step < 20000; ++step) {
    const std::string key = text(8);
    switch (random() % 4) {
      case 0:
        REQUIRE(set.Insert(key) == expected_set.insert(key).second);
        break;
      case 1:
        REQUIRE(set.Erase(key) == (expected_set.erase(key) > 0));
        break;
      case 2: {
        const std::string value(random() % 50, 'v');
        REQUIRE(map.Put(key, value) == expected_map.insert_or_assign(key, value).second);
        break;
      }
      case 3:
        REQUIRE(map.Erase(key) == (expected_map.erase(key) > 0));
        break;
    }
    size_t set_bytes = 0;
    for (const std::string& member : expected_set) set_bytes += member.size();
    REQUIRE(set.bytes() == set_bytes);
    size_t map_bytes = 0;
    for (const auto& [name, value] : expected_map) map_bytes += name.size() + value.size();
    REQUIRE(map.bytes() == map_bytes);
    REQUIRE(set.Contains(key) == (expected_set.count(key) > 0));
    REQUIRE((map.Find(key) != nullptr) == (expected_map.count(key) > 0));
  }
  CHECK(std::equal(set.members().begin(), set.members().end(), expected_set.begin(), expected_set.end()));
  CHECK(std::equal(map.fields().begin(), map.fields().end(), expected_map.begin(), expected_map.end()));
}

TEST_CASE("what a collection takes on the heap follows its elements, and is nothing when it is empty") {
  SetValue set;
  MapValue map;
  CHECK(HeapBytesOf(set) == 0);
  CHECK(HeapBytesOf(map) == 0);
  set.Insert("a");
  map.Put("a", "b");
  const size_t short_member = HeapBytesOf(set);
  const size_t short_field = HeapBytesOf(map);
  CHECK(short_member > 0);
  CHECK(short_field > short_member);
  const std::string text(100, 'x');
  set.Insert(text);
  CHECK(HeapBytesOf(set) == 2 * short_member + TextHeapBytes(100));
  CHECK_FALSE(set.Insert(text));
  CHECK(HeapBytesOf(set) == 2 * short_member + TextHeapBytes(100));
  map.Put("a", text);
  CHECK(HeapBytesOf(map) == short_field + TextHeapBytes(100));
  map.Put("a", "c");
  CHECK(HeapBytesOf(map) == short_field);
  for (int i = 0; i < 100; ++i) {
    set.Insert("member-" + std::to_string(i));
    map.Put(text + std::to_string(i), text);
  }
  CHECK(HeapBytesOf(map) > 100 * 200);
  for (int i = 0; i < 100; ++i) {
    set.Erase("member-" + std::to_string(i));
    map.Erase(text + std::to_string(i));
  }
  set.Erase(text);
  CHECK(HeapBytesOf(set) == short_member);
  CHECK(HeapBytesOf(map) == short_field);
  set.Erase("a");
  map.Erase("a");
  CHECK(HeapBytesOf(set) == 0);
  CHECK(HeapBytesOf(map) == 0);
}

}  // namespace
}  // namespace kvs
