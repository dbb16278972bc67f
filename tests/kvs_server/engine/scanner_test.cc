#include "kvs_server/engine/scanner.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/model/key_state.h"
#include "kvs_server/engine/engine.h"
#include "tests/kvs_server/support/manual_ledger.h"
#include "tests/kvs_server/support/scan_all.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::server {
namespace {

using Keys = std::vector<std::string>;
using Place = std::pair<ValueType, std::string>;

JournalOptions WithClock(const std::atomic<int64_t>* micros) {
  JournalOptions options;
  options.clock = [micros] { return absl::FromUnixMicros(*micros); };
  return options;
}

// A store that is changed by transactions, and a model of it: one KeyState for each key.
class ScannerFixture {
 protected:
  void Apply(ValueType type, const std::string& key, Operation operation, int64_t expires_at_micros = 0) {
    KeyState& state = model_[{type, key}];
    Transaction transaction;
    transaction.revision = ++revision_;
    transaction.previous_revision = state.revision();
    transaction.type = type;
    transaction.key = key;
    transaction.operation = std::move(operation);
    transaction.expires_at_micros = expires_at_micros;
    REQUIRE(state.Apply(transaction).ok());
    REQUIRE(store_.Apply(transaction).ok());
    if (!state.present()) model_.erase({type, key});
  }
  void Put(const std::string& key, int64_t value = 1) { Apply(ValueType::kInt, key, operation::Put{value}); }
  void PutText(const std::string& key) { Apply(ValueType::kString, key, operation::Put{absl::string_view("text")}); }
  void Delete(const std::string& key, ValueType type = ValueType::kInt) { Apply(type, key, operation::Delete{}); }

  // Makes `count` keys with names of equal length, and names them.
  Keys PutMany(int count, const std::string& prefix = "key-") {
    Keys keys;
    for (int i = 0; i < count; ++i) keys.push_back(absl::StrCat(prefix, 100000 + i));
    for (const std::string& key : keys) Put(key);
    return keys;
  }

  Journal& journal() { return ledger_.journal(); }
  std::unique_ptr<Scanner> Open(Selection selection = {.types = {ValueType::kInt}},
                                uint64_t max_keys = Scanner::kNoLimit) {
    return OpenScanner(store_, journal(), std::move(selection), max_keys, [this] { ++overtaken_; });
  }
  static Keys NamesOf(const std::vector<ViewedKey>& viewed) {
    Keys keys;
    for (const ViewedKey& key : viewed) keys.push_back(key.key);
    return keys;
  }
  Keys List(Selection selection = {.types = {ValueType::kInt}}, uint64_t max_keys = Scanner::kNoLimit) {
    return NamesOf(ReadAll(*Open(std::move(selection), max_keys)));
  }
  Keys ListPrefix(const std::string& prefix) { return List({.prefix = prefix, .types = {ValueType::kInt}}); }

  // Reads so many keys, and no further.
  static Keys ReadSome(Scanner& scanner, size_t count) {
    Keys keys;
    const absl::Status status = scanner.Read(1000000, [&](ViewedKey&& key) {
      keys.push_back(key.key);
      return keys.size() < count;
    });
    CHECK(status.ok());
    return keys;
  }

  std::atomic<int64_t> now_{1000};
  ManualLedger ledger_{WithClock(&now_)};
  Store store_{8, {.views = {.max_bytes = kMiB}}};
  std::map<Place, KeyState> model_;
  uint64_t revision_ = 0;
  std::atomic<int> overtaken_{0};
};

TEST_CASE_METHOD(ScannerFixture, "an empty store has no keys to list") {
  const auto scanner = Open();
  CHECK(scanner->revision() == 0);
  CHECK(ReadAll(*scanner).empty());
}

TEST_CASE_METHOD(ScannerFixture, "keys of all shards come in byte order") {
  const Keys keys = PutMany(3000);
  CHECK(List() == keys);
}

TEST_CASE_METHOD(ScannerFixture, "order is that of unsigned bytes") {
  for (const char* key : {"\xC3\xA9", "z", "a", "\x01", "aa"}) Put(key);
  CHECK(List() == Keys{"\x01", "a", "aa", "z", "\xC3\xA9"});
}

TEST_CASE_METHOD(ScannerFixture, "types come one after the other, each in byte order") {
  PutText("b");
  PutText("a");
  Put("c");
  const auto keys = ReadAll(*Open({.types = {ValueType::kInt, ValueType::kString, ValueType::kMap}}));
  CHECK(NamesOf(keys) == Keys{"c", "a", "b"});
  CHECK(keys[0].type == ValueType::kInt);
  CHECK(keys[1].type == ValueType::kString);
}

TEST_CASE_METHOD(ScannerFixture, "only the types asked for are listed") {
  PutText("a");
  Put("b");
  CHECK(List() == Keys{"b"});
  CHECK(List({.types = {}}).empty());
}

TEST_CASE_METHOD(ScannerFixture, "only keys that begin with the prefix are listed") {
  for (const char* key : {"host", "host:", "host:1", "host:2", "hosts", "a", "z"}) Put(key);
  CHECK(ListPrefix("host:") == Keys{"host:", "host:1", "host:2"});
  CHECK(ListPrefix("host") == Keys{"host", "host:", "host:1", "host:2", "hosts"});
  CHECK(ListPrefix("z") == Keys{"z"});
  CHECK(ListPrefix("host:3").empty());
}

TEST_CASE_METHOD(ScannerFixture, "a prefix of the greatest bytes has an end as well") {
  for (const char* key : {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF!", "a"}) Put(key);
  CHECK(ListPrefix("\xF4\x8F\xBF\xBF").size() == 2);
}

TEST_CASE_METHOD(ScannerFixture, "the first type begins at the start, the others come whole") {
  for (const char* key : {"a", "b", "c"}) {
    Put(key);
    PutText(key);
  }
  const std::vector<ValueType> both = {ValueType::kInt, ValueType::kString};
  CHECK(List({.types = both, .start = "b"}) == Keys{"b", "c", "a", "b", "c"});
  CHECK(List({.types = both, .start = "b", .start_is_included = false}) == Keys{"c", "a", "b", "c"});
  CHECK(List({.types = both, .start = "bb"}) == Keys{"c", "a", "b", "c"});
  CHECK(List({.types = both, .start = "", .start_is_included = false}).size() == 6);
  CHECK(List({.prefix = "b", .types = both, .start = "a", .start_is_included = false}) == Keys{"b", "b"});
  CHECK(List({.prefix = "b", .types = both, .start = "b", .start_is_included = false}) == Keys{"b"});
  CHECK(List({.prefix = "b", .types = both, .start = "c"}) == Keys{"b"});
}

TEST_CASE_METHOD(ScannerFixture, "a limit ends the list, and closes the view at once") {
  const Keys keys = PutMany(100);
  for (const size_t limit : {1, 16, 99, 100, 101}) {
    const auto scanner = Open({.types = {ValueType::kInt}}, limit);
    CHECK(ReadAll(*scanner).size() == std::min<size_t>(limit, 100));
    CHECK(store_.views().open() == 0);
  }
}

TEST_CASE_METHOD(ScannerFixture, "the number of steps at a time does not change the list") {
  const Keys keys = PutMany(1000);
  for (const size_t steps : {1, 7, 64, 1000}) {
    const auto scanner = Open();
    Keys listed;
    while (!scanner->is_done()) {
      REQUIRE(scanner
                  ->Read(steps,
                         [&](ViewedKey&& key) {
                           listed.push_back(key.key);
                           return true;
                         })
                  .ok());
    }
    CHECK(listed == keys);
  }
}

TEST_CASE_METHOD(ScannerFixture, "each key comes with its value, the revision of its last change, and its expiry") {
  Put("a");
  Put("b", 7);
  Apply(ValueType::kInt, "a", operation::Put{int64_t{-5}}, 5000);
  const auto keys = ReadAll(*Open());
  CHECK(keys[0].revision == 3);
  CHECK(keys[0].value == Value(int64_t{-5}));
  CHECK(keys[0].expires_at_micros == 5000);
  CHECK(keys[1].revision == 2);
  CHECK(keys[1].value == Value(int64_t{7}));
  CHECK(keys[1].expires_at_micros == 0);
}

TEST_CASE_METHOD(ScannerFixture, "without values there are none") {
  PutMany(100);
  const auto scanner = Open({.types = {ValueType::kInt}, .with_values = false});
  Delete("key-100050");
  const auto keys = ReadAll(*scanner);
  CHECK(keys.size() == 100);
  for (const ViewedKey& key : keys) CHECK_FALSE(key.value.has_value());
}

TEST_CASE_METHOD(ScannerFixture, "the revision is the newest of all, deletes included, and of what is durable") {
  Put("a");
  Put("b");
  CHECK(Open()->revision() == 2);
  Delete("b");
  CHECK(Open()->revision() == 3);
  // As after a start from a ledger whose newest change has left no key.
  journal().Replayed(9, 0);
  CHECK(Open()->revision() == 9);
}

TEST_CASE_METHOD(ScannerFixture, "what comes, changes or goes after the view was opened is not in it") {
  const Keys keys = PutMany(1000);
  const auto scanner = Open();
  const Keys first = ReadSome(*scanner, 100);
  for (const std::string& key : keys) {
    Put(key, 2);
    Put(key + "!", 2);
    Delete(key);
  }
  const auto rest = ReadAll(*scanner);
  CHECK(rest.size() == 900);
  for (size_t i = 0; i < rest.size(); ++i) {
    CHECK(rest[i].key == keys[100 + i]);
    CHECK(rest[i].value == Value(int64_t{1}));
    CHECK(rest[i].revision == 101 + i);
  }
}

TEST_CASE_METHOD(ScannerFixture,
                 "what has expired when the view is opened is absent, and what expires later is there") {
  Apply(ValueType::kInt, "a", operation::Put{int64_t{1}}, 1000);
  Apply(ValueType::kInt, "b", operation::Put{int64_t{1}}, 1001);
  Apply(ValueType::kInt, "c", operation::Put{int64_t{1}}, 1000);
  const auto scanner = Open();
  now_ = 2000;
  Delete("b");
  Delete("c");
  CHECK(NamesOf(ReadAll(*scanner)) == Keys{"b"});
}

TEST_CASE_METHOD(ScannerFixture, "keys that the scan has passed, or does not ask for, cost nothing") {
  const Keys keys = PutMany(2000);
  PutText("key-1");
  Put("other");
  const auto scanner = Open({.prefix = "key-", .types = {ValueType::kInt}});
  ReadSome(*scanner, 900);
  for (int i = 0; i < 900; ++i) Put(keys[i], 2);
  Delete("other");
  Delete("key-1", ValueType::kString);
  Put("key-200000");
  CHECK(store_.views().bytes() == 0);
  Put(keys[1999], 2);
  CHECK(store_.views().bytes() > 0);
  CHECK(ReadAll(*scanner).size() == 1100);
  CHECK(store_.views().bytes() == 0);
}

TEST_CASE_METHOD(ScannerFixture, "a key is kept once, however often it changes") {
  const Keys keys = PutMany(1000);
  const auto scanner = Open();
  Put(keys[999], 2);
  const size_t bytes = store_.views().bytes();
  for (int i = 0; i < 10; ++i) Put(keys[999], i);
  Delete(keys[999]);
  Put(keys[999], 5);
  CHECK(store_.views().bytes() == bytes);
  CHECK(ReadAll(*scanner).back().value == Value(int64_t{1}));
}

TEST_CASE_METHOD(ScannerFixture, "a view that keeps too much is overtaken, and closing it frees what it kept") {
  const Keys keys = PutMany(20000);
  auto idle = Open({.prefix = "key-100000", .types = {ValueType::kInt}});
  auto scanner = Open();
  for (const std::string& key : keys) Put(key, 2);
  CHECK(overtaken_ == 1);
  CHECK(Is(scanner->status(), errors::kScanOvertaken));
  CHECK(Is(scanner->Read(1, [](ViewedKey&&) { return true; }), errors::kScanOvertaken));
  CHECK(store_.views().bytes() < kMiB / 2);
  scanner.reset();
  CHECK(store_.views().open() == 1);
  CHECK(ReadAll(*idle).size() == 1);
  CHECK(store_.views().bytes() == 0);
}

// As a batch does while a scan waits for its locks.
TEST_CASE_METHOD(ScannerFixture, "of a view that was overtaken nothing is read, since its keys may be gone") {
  const std::string text(8 * kKiB, 'x');
  Keys keys;
  for (int i = 0; i < 300; ++i) keys.push_back(absl::StrCat("set-", 100 + i));
  for (const std::string& key : keys) Apply(ValueType::kSet, key, operation::Put{Texts{text}});
  const auto scanner = Open({.types = {ValueType::kSet}, .with_values = true});
  const auto read = [&scanner](size_t max_steps) {
    return scanner->Read(max_steps, [](ViewedKey&&) {
      FAIL_CHECK("nothing is to be shown");
      return true;
    });
  };
  REQUIRE(read(1).ok());
  SECTION("neither the large values that were left for later") {
    for (size_t i = 0; i < store_.shards().size(); ++i) REQUIRE(read(1).ok());
  }
  SECTION("nor keys of which only a part was kept") {
    for (const std::string& key : keys) Apply(ValueType::kSet, key, operation::AddMembers{{"another"}});
  }
  for (size_t i = keys.size(); i > 0; --i) Delete(keys[i - 1], ValueType::kSet);
  CHECK(overtaken_ == 1);
  CHECK(Is(read(1000), errors::kScanOvertaken));
}

TEST_CASE_METHOD(ScannerFixture, "what a view has kept is freed in pieces, and counts no more once it is closed") {
  const Keys keys = PutMany(3000);
  auto scanner = Open();
  for (const std::string& key : keys) Put(key, 2);
  CHECK(store_.views().bytes() > 0);
  const std::unique_ptr<View> view = Scanner::Close(std::move(scanner));
  CHECK(store_.views().bytes() == 0);
  CHECK(store_.views().open() == 0);
  int pieces = 1;
  while (view->FreeSome()) ++pieces;
  CHECK(pieces >= 10);
}

TEST_CASE_METHOD(ScannerFixture, "of several views the one that keeps the most is overtaken") {
  const Keys keys = PutMany(20000);
  const auto large = Open();
  for (int i = 0; i < 3000; ++i) Put(keys[i + 10000], 2);
  const auto small = Open();
  for (int i = 3000; i < 6000; ++i) Put(keys[i + 10000], 2);
  CHECK(overtaken_ == 1);
  CHECK_FALSE(large->status().ok());
  CHECK(small->status().ok());
  CHECK(ReadAll(*small).size() == 20000);
}

TEST_CASE_METHOD(ScannerFixture, "there may be so many views, and no more") {
  std::vector<std::unique_ptr<Scanner>> scanners;
  for (size_t i = 0; i < kMaxScans; ++i) scanners.push_back(Open());
  const auto refused = Scanner::Open(&store_, &journal(), {}, Scanner::kNoLimit, [] {});
  CHECK(Is(refused.status(), errors::kTooManyScans));
  CHECK(MetadataOf(refused.status(), "limit") == absl::StrCat(kMaxScans));
  scanners.pop_back();
  Open();
  scanners.clear();
  CHECK(store_.views().open() == 0);
}

TEST_CASE("the view that stands still makes room, and not one that is slow but goes on") {
  Store store(8, {.views = {.idle_timeout = absl::ZeroDuration()}});
  ManualLedger ledger;
  const auto open = [&] { return Scanner::Open(&store, &ledger.journal(), {}, Scanner::kNoLimit, [] {}); };
  std::vector<std::unique_ptr<Scanner>> scanners;
  for (size_t i = 0; i < kMaxScans; ++i) {
    scanners.push_back(*open());
    // Each stood still before, the earlier the longer ago.
    scanners.back()->SetStill(true);
    scanners.back()->SetStill(false);
  }
  CHECK(Is(open().status(), errors::kTooManyScans));
  scanners[5]->SetStill(true);
  scanners[3]->SetStill(true);
  REQUIRE(open().ok());
  for (size_t i = 0; i < kMaxScans; ++i) {
    const absl::Status status = scanners[i]->status();
    CHECK((i == 5 ? Is(status, errors::kScanStalled) : status.ok()));
  }
  // The one that was told to go has left its place already, and nobody else needs to.
  REQUIRE(open().ok());
  CHECK(scanners[3]->status().ok());
}

TEST_CASE_METHOD(ScannerFixture, "a large set is kept by what changes of it, and comes in parts") {
  std::vector<std::string> members;
  for (int i = 0; i < 200000; ++i) members.push_back(absl::StrCat("member-", 1000000 + i));
  Apply(ValueType::kSet, "large", operation::Put{Texts(members.begin(), members.end())});
  const Value before = model_[{ValueType::kSet, "large"}].value();
  const auto scanner = Open({.types = {ValueType::kSet}});
  size_t parts = 0;
  std::vector<ViewedKey> keys;
  while (!scanner->is_done()) {
    REQUIRE(scanner
                ->Read(1,
                       [&](ViewedKey&& key) {
                         ++parts;
                         Join(std::move(key), &keys);
                         return true;
                       })
                .ok());
    const std::string& member = members[(parts * 7919) % members.size()];
    const std::string added = member + "!";
    if (std::get<SetValue>(model_[{ValueType::kSet, "large"}].value()).Contains(added)) continue;
    Apply(ValueType::kSet, "large", operation::AddMembers{{added}});
    Apply(ValueType::kSet, "large", operation::RemoveMembers{{member}});
    CHECK(store_.views().bytes() < kMiB / 2);
    Apply(ValueType::kSet, "large", operation::AddMembers{{member}});
  }
  CHECK(parts > 100);
  REQUIRE(keys.size() == 1);
  CHECK(keys[0].value == before);
  CHECK(keys[0].revision == 1);
  CHECK(overtaken_ == 0);
}

TEST_CASE_METHOD(ScannerFixture, "a large value that is replaced moves to the view, and counts there") {
  const std::string text(kMiB / 2, 'x');
  Apply(ValueType::kString, "a", operation::Put{absl::string_view(text)});
  Apply(ValueType::kString, "b", operation::Put{absl::string_view(text)});
  const auto first = Open({.types = {ValueType::kString}});
  Delete("b", ValueType::kString);
  CHECK(store_.views().bytes() > kMiB / 2);
  const auto keys = ReadAll(*first);
  REQUIRE(keys.size() == 2);
  CHECK(keys[1].value == Value(text));
  CHECK(store_.views().bytes() == 0);
}

TEST_CASE_METHOD(ScannerFixture, "several views share the value that was removed") {
  const std::string text(1000, 'x');
  Apply(ValueType::kString, "a", operation::Put{absl::string_view(text)});
  const auto first = Open({.types = {ValueType::kString}});
  const auto second = Open({.types = {ValueType::kString}});
  Delete("a", ValueType::kString);
  CHECK(ReadAll(*first)[0].value == Value(text));
  CHECK(ReadAll(*second)[0].value == Value(text));
}

TEST_CASE("a shard whose keys end with what is read ahead is listed whole") {
  // Around multiples of the number of keys that are read ahead.
  ManualLedger ledger;
  for (const int count : {1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200}) {
    Store store(1);
    for (int i = 0; i < count; ++i) {
      const std::string key = std::to_string(1000 + i);
      Transaction transaction;
      transaction.revision = i + 1;
      transaction.key = key;
      transaction.operation = operation::Put{int64_t{1}};
      REQUIRE(store.Apply(transaction).ok());
    }
    CHECK(ScanAll(store, ledger.journal()).size() == static_cast<size_t>(count));
  }
}

// ---- Against the model. ----

// Random changes of a few keys of each type, some of which are large, with expiries.
class ModelFixture : public ScannerFixture {
 protected:
  size_t Below(size_t bound) { return random_() % bound; }
  int64_t Expiry() { return Below(4) == 0 ? now_ + static_cast<int64_t>(Below(50)) : 0; }

  Texts SomeTexts(size_t count) {
    Texts texts;
    for (size_t i = 0; i < count; ++i) texts.push_back(words_[Below(words_.size())]);
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    return texts;
  }
  static Fields AsFields(const Texts& names) {
    Fields fields;
    for (const absl::string_view name : names) fields.emplace_back(name, name);
    return fields;
  }
  size_t SomeSize() { return Below(5) == 0 ? 900 : Below(20); }

  Operation PutOf(ValueType type) {
    switch (type) {
      case ValueType::kInt:
        return operation::Put{static_cast<int64_t>(Below(100))};
      case ValueType::kUint:
        return operation::Put{static_cast<uint64_t>(Below(100))};
      case ValueType::kFloat:
        return operation::Put{static_cast<double>(Below(100))};
      case ValueType::kString:
        return operation::Put{absl::string_view(long_text_).substr(0, Below(3) == 0 ? 6000 : Below(20))};
      case ValueType::kSet:
        return operation::Put{SomeTexts(SomeSize())};
      case ValueType::kMap:
        return operation::Put{AsFields(SomeTexts(SomeSize()))};
    }
    std::abort();
  }

  // A change of an element or two, where the type has any.
  std::optional<Operation> ChangeOf(const Value& value) {
    Texts there;
    Texts missing;
    const Texts some = SomeTexts(1 + Below(3));
    if (const auto* set = std::get_if<SetValue>(&value)) {
      for (const absl::string_view text : some) (set->Contains(text) ? there : missing).push_back(text);
      if (!there.empty()) return operation::RemoveMembers{there};
      return operation::AddMembers{missing};
    }
    if (const auto* map = std::get_if<MapValue>(&value)) {
      for (const absl::string_view text : some) {
        if (map->Find(text)) there.push_back(text);
      }
      if (!there.empty() && Below(2) == 0) return operation::RemoveFields{there};
      Fields fields;
      for (const absl::string_view text : some) fields.emplace_back(text, words_[Below(words_.size())]);
      return operation::PutFields{fields};
    }
    if (std::holds_alternative<StringValue>(value)) return operation::Append{"+"};
    return std::nullopt;
  }

  void ChangeSomething() {
    now_ += static_cast<int64_t>(Below(3));
    const ValueType type = kValueTypes[Below(kValueTypeCount)];
    const std::string key = absl::StrCat(Below(2) == 0 ? "a" : "b", Below(60));
    const auto found = model_.find({type, key});
    // The writer removes first what has expired.
    if (found != model_.end() && IsExpired(found->second)) return Delete(key, type);
    if (found == model_.end()) return Apply(type, key, PutOf(type), Expiry());
    const size_t kind = Below(10);
    if (kind < 2) return Apply(type, key, operation::Delete{});
    if (kind < 4) return Apply(type, key, PutOf(type), Expiry());
    if (kind < 5 && !std::holds_alternative<int64_t>(found->second.value()) &&
        !std::holds_alternative<uint64_t>(found->second.value()) &&
        !std::holds_alternative<double>(found->second.value())) {
      return Apply(type, key, operation::SetExpiry{}, Expiry());
    }
    auto change = ChangeOf(found->second.value());
    Apply(type, key, change ? *std::move(change) : PutOf(type), found->second.expires_at_micros());
  }
  bool IsExpired(const KeyState& state) const {
    return state.expires_at_micros() != 0 && state.expires_at_micros() <= now_;
  }

  Selection SomeSelection() {
    Selection selection;
    for (const ValueType type : kValueTypes) {
      if (Below(3) != 0) selection.types.push_back(type);
    }
    if (Below(2) == 0) selection.prefix = "a";
    if (Below(2) == 0) selection.start = absl::StrCat(Below(2) == 0 ? "a" : "b", Below(60));
    selection.start_is_included = Below(2) == 0;
    selection.with_values = Below(4) != 0;
    return selection;
  }

  std::vector<ViewedKey> Expected(const Selection& selection) const {
    std::vector<ViewedKey> keys;
    for (const auto& [place, state] : model_) {
      const auto& [type, key] = place;
      if (!std::binary_search(selection.types.begin(), selection.types.end(), type)) continue;
      if (!absl::StartsWith(key, selection.prefix) || IsExpired(state)) continue;
      const bool is_before = key < selection.start || (key == selection.start && !selection.start_is_included);
      if (type == selection.types.front() && is_before) continue;
      ViewedKey viewed{type, key, state.revision(), state.expires_at_micros(), std::nullopt, false};
      if (selection.with_values) viewed.value = state.value();
      keys.push_back(std::move(viewed));
    }
    return keys;
  }

  static void CheckSame(const std::vector<ViewedKey>& actual, const std::vector<ViewedKey>& expected) {
    REQUIRE(NamesOf(actual) == NamesOf(expected));
    for (size_t i = 0; i < actual.size(); ++i) {
      INFO(TypeName(expected[i].type) << " " << expected[i].key);
      CHECK(actual[i].type == expected[i].type);
      CHECK(actual[i].revision == expected[i].revision);
      CHECK(actual[i].expires_at_micros == expected[i].expires_at_micros);
      CHECK((actual[i].value == expected[i].value));
      CHECK_FALSE(actual[i].more);
    }
  }

  // A scan under way, and what it has to show.
  struct Scan {
    std::unique_ptr<Scanner> scanner;
    std::vector<ViewedKey> expected;
    std::vector<ViewedKey> actual;
  };

  std::mt19937 random_;
  const std::string long_text_ = std::string(6000, 'x');
  const Keys words_ = [] {
    Keys words;
    for (int i = 0; i < 1500; ++i) words.push_back(absl::StrCat("word ", 1000 + i));
    return words;
  }();
};

TEST_CASE_METHOD(ModelFixture, "whatever changes meanwhile, each scan shows the moment at which it began") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  random_.seed(seed);
  std::vector<Scan> scans;
  int finished = 0;
  for (int i = 0; i < 30000; ++i) {
    ChangeSomething();
    if (scans.size() < 4 && Below(20) == 0) {
      const Selection selection = SomeSelection();
      scans.push_back({Open(selection), Expected(selection), {}});
    }
    for (size_t s = 0; s < scans.size();) {
      Scan& scan = scans[s];
      const absl::Status status = scan.scanner->Read(Below(12), [&](ViewedKey&& key) {
        Join(std::move(key), &scan.actual);
        return Below(8) != 0;
      });
      if (!status.ok()) {
        CHECK(Is(status, errors::kScanOvertaken));
        scans.erase(scans.begin() + static_cast<ptrdiff_t>(s));
        continue;
      }
      if (!scan.scanner->is_done()) {
        ++s;
        continue;
      }
      CheckSame(scan.actual, scan.expected);
      ++finished;
      scans.erase(scans.begin() + static_cast<ptrdiff_t>(s));
    }
  }
  CHECK(finished > 100);
  scans.clear();
  CHECK(store_.views().open() == 0);
  CHECK(store_.views().bytes() == 0);
}

TEST_CASE("while others move amounts between keys, every scan has the same sum") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  constexpr int kAccounts = 500;
  constexpr int64_t kTotal = kAccounts * int64_t{100};
  ManualLedger ledger;
  Store store(8);
  Engine engine(&store, &ledger.journal());
  Keys accounts;
  for (int i = 0; i < kAccounts; ++i) accounts.push_back(absl::StrCat("account-", 1000 + i));
  const auto set_to = [](int64_t amount) {
    return [amount](const int64_t*) -> absl::StatusOr<std::optional<Operation>> {
      return Operation(operation::Put{amount});
    };
  };
  std::vector<int64_t> amounts(kAccounts, 100);
  for (const std::string& account : accounts) {
    const size_t hash = HashKey(account);
    Unit unit = engine.Begin("", {&hash, 1});
    Outcome outcome = unit.Mutate<int64_t>(account, hash, {}, set_to(100));
    REQUIRE(outcome.status.ok());
    unit.Commit(&outcome);
  }
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::mt19937 random(seed);
    while (!stop) {
      const size_t from = random() % kAccounts;
      const size_t to = (from + 1 + random() % (kAccounts - 1)) % kAccounts;
      const size_t hashes[] = {HashKey(accounts[from]), HashKey(accounts[to])};
      Unit unit = engine.Begin("", hashes);
      unit.Mutate<int64_t>(accounts[from], hashes[0], {}, set_to(--amounts[from]));
      Outcome outcome = unit.Mutate<int64_t>(accounts[to], hashes[1], {}, set_to(++amounts[to]));
      unit.Commit(&outcome);
      ledger.Persist();
    }
  });
  for (int round = 0; round < 200; ++round) {
    int64_t sum = 0;
    const auto keys = ScanAll(store, ledger.journal(), {.types = {ValueType::kInt}});
    for (const ViewedKey& key : keys) sum += std::get<int64_t>(*key.value);
    CHECK(keys.size() == kAccounts);
    CHECK(sum == kTotal);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace kvs::server
