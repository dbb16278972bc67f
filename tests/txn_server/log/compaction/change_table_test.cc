#include "txn_server/log/compaction/change_table.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/limits.h"
#include "tests/support/compaction_samples.h"
#include "tests/support/random_history.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

// Adds every transaction of a list.
void AddAll(ChangeTable& table, absl::string_view list) {
  TransactionListReader reader;
  reader.Reset(list);
  while (true) {
    const auto item = reader.Next();
    REQUIRE(item.status() == absl::OkStatus());
    if (!*item) return;
    table.Add((*item)->transaction, (*item)->entry);
  }
}

std::string FoldedList(ChangeTable& table) {
  REQUIRE(table.Fold() == absl::OkStatus());
  return ReadList(*table.Read());
}

// What the entries of a list amount to, which must not depend on where the table is folded in between.
Lines Sorted(const std::vector<std::string>& entries) {
  std::optional<Lines> lines;
  for (size_t fold_after = 0; fold_after <= entries.size(); ++fold_after) {
    ChangeTable table;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i == fold_after) REQUIRE(table.Fold() == absl::OkStatus());
      AddAll(table, entries[i]);
    }
    const Lines found = Describe(FoldedList(table));
    if (lines) CHECK(found == *lines);
    lines = found;
  }
  return *lines;
}

const operation::Put kPutInt{int64_t{1}};
const operation::Put kPutText{absl::string_view("text")};

TEST_CASE("changes come by type, then by the bytes of the key, then in their order") {
  CHECK(Sorted({Entry(1, 0, ValueType::kMap, "a", operation::PutFields{{{"f", "1"}}}),
                Entry(2, 0, ValueType::kString, "b", kPutText), Entry(3, 0, ValueType::kString, "\xc3\xa4", kPutText),
                Entry(4, 2, ValueType::kString, "b", operation::Append{"x"}),
                Entry(5, 0, ValueType::kInt, "z", kPutInt), Entry(6, 0, ValueType::kString, "a", kPutText),
                Entry(7, 4, ValueType::kString, "b", operation::Append{"y"})}) ==
        Lines{"int z 5<0 put", "string a 6<0 put", "string b 2<0 put", "string b 4<2 append", "string b 7<4 append",
              "string \xc3\xa4 3<0 put", "map a 1<0 fields"});
}

TEST_CASE("keys come in the order of their bytes, whatever they begin with and however long they are") {
  std::vector<std::string> keys;
  for (const std::string& shared : {std::string("user:0000:"), std::string("user:0001:"), std::string(20, '\0')}) {
    keys.push_back(shared);
    for (const std::string& tail :
         {std::string(1, '\0'), std::string(2, '\0'), std::string("\0a", 2), std::string("a"), std::string("a\0", 2),
          std::string("b23456"), std::string("b234567"), std::string("b2345678"), std::string("b23456780"),
          std::string("b23456789"), std::string(7, '\0'), std::string(8, '\0'), std::string(500, 'c'),
          std::string(501, 'c'), std::string("\xff"), std::string("\x7f")}) {
      keys.push_back(shared + tail);
    }
  }
  keys.push_back("us");
  std::sort(keys.begin(), keys.end());
  // All of them, and parts that have more of their beginning in common.
  for (const size_t count : {keys.size(), keys.size() / 2, size_t{17}, size_t{2}, size_t{1}}) {
    std::vector<std::string> some(keys.end() - static_cast<ptrdiff_t>(count), keys.end());
    std::shuffle(some.begin(), some.end(), std::mt19937_64(TestSeed()));
    INFO("KVS_SEED=" << TestSeed() << ", " << count << " keys");
    ChangeTable table;
    uint64_t revision = 0;
    for (const std::string& key : some) AddAll(table, Entry(++revision, 0, ValueType::kString, key, kPutText));
    std::vector<std::string> found;
    const std::string sorted = FoldedList(table);
    TransactionListReader reader;
    reader.Reset(sorted);
    for (auto item = reader.Next(); *item; item = reader.Next()) found.emplace_back((*item)->transaction.key);
    std::sort(some.begin(), some.end());
    CHECK(found == some);
  }
}

TEST_CASE("changes of keys with a long beginning in common stay in their order") {
  const std::string shared(300, 's');
  std::vector<std::string> entries;
  uint64_t revision = 0;
  std::map<std::string, uint64_t> newest;
  for (int round = 0; round < 3; ++round) {
    for (const char* end : {"", "a", "ab", "abcdefgh", "abcdefghi", "abcdefgz"}) {
      uint64_t& last = newest[shared + end];
      ++revision;
      entries.push_back(last == 0 ? Entry(revision, 0, ValueType::kString, shared + end, kPutText)
                                  : Entry(revision, last, ValueType::kString, shared + end, operation::Append{"x"}));
      last = revision;
    }
  }
  Lines expected;
  for (const auto& [key, last] : newest) {
    expected.push_back(absl::StrCat("string ", key, " ", last - 12, "<0 put"));
    for (const uint64_t step : {6, 0}) {
      expected.push_back(absl::StrCat("string ", key, " ", last - step, "<", last - step - 6, " append"));
    }
  }
  CHECK(Sorted(entries) == expected);
}

TEST_CASE("what tells the whole state of a key replaces what was before, and names the revision before the run") {
  CHECK(Sorted({Entry(8, 5, ValueType::kInt, "a", operation::IntIncrement{1, 2}),
                Entry(9, 8, ValueType::kInt, "a", operation::IntIncrement{1, 3})}) == Lines{"int a 9<5 increment"});
  CHECK(Sorted({Entry(8, 5, ValueType::kString, "a", operation::Append{"x"}),
                Entry(9, 8, ValueType::kString, "a", kPutText),
                Entry(10, 9, ValueType::kString, "a", operation::Append{"y"})}) ==
        Lines{"string a 9<5 put", "string a 10<9 append"});
  CHECK(Sorted({Entry(8, 5, ValueType::kSet, "a", operation::AddMembers{{"x"}}),
                Entry(9, 8, ValueType::kSet, "a", operation::Delete{})}) == Lines{"set a 9<5 delete"});
  CHECK(Sorted({Entry(8, 5, ValueType::kSet, "a", operation::Delete{}),
                Entry(9, 0, ValueType::kSet, "a", operation::AddMembers{{"x"}})}) ==
        Lines{"set a 8<5 delete", "set a 9<0 add"});
  CHECK(Sorted({Entry(8, 5, ValueType::kInt, "a", operation::Delete{}),
                Entry(9, 0, ValueType::kInt, "a", operation::IntIncrement{1, 1})}) == Lines{"int a 9<5 increment"});
}

TEST_CASE("a key that came and went within the run is forgotten") {
  ChangeTable table;
  CHECK(table.empty());
  AddAll(table, Entry(1, 0, ValueType::kInt, "a", kPutInt));
  CHECK_FALSE(table.empty());
  AddAll(table, Entry(2, 1, ValueType::kInt, "a", operation::Delete{}));
  CHECK(FoldedList(table).empty());
  CHECK(table.empty());
}

TEST_CASE("a change that does not follow from what is known of its key is data loss") {
  const std::string first = Entry(1, 0, ValueType::kInt, "a", kPutInt);
  const struct {
    std::vector<std::string> entries;
    std::string revision;
  } cases[] = {
      {{first, Entry(3, 2, ValueType::kInt, "a", kPutInt)}, "revision 3"},
      {{first, Entry(4, 0, ValueType::kInt, "a", kPutInt)}, "revision 4"},
      {{Entry(5, 4, ValueType::kInt, "a", operation::Delete{}), Entry(6, 5, ValueType::kInt, "a", kPutInt)},
       "revision 6"},
      {{Entry(5, 4, ValueType::kInt, "a", kPutInt), Entry(6, 5, ValueType::kInt, "a", kPutInt),
        Entry(8, 7, ValueType::kInt, "a", kPutInt)},
       "revision 8"},
  };
  for (const auto& c : cases) {
    for (size_t fold_after = 0; fold_after <= c.entries.size(); ++fold_after) {
      ChangeTable table;
      absl::Status status;
      for (size_t i = 0; i < c.entries.size(); ++i) {
        if (i == fold_after) status.Update(table.Fold());
        AddAll(table, c.entries[i]);
      }
      status.Update(table.Fold());
      CHECK(absl::IsDataLoss(status));
      CHECK_THAT(std::string(status.message()), ContainsText(c.revision));
    }
  }
  // The same key of another type is another key.
  ChangeTable table;
  AddAll(table, first + Entry(3, 2, ValueType::kUint, "a", operation::Put{uint64_t{1}}));
  CHECK(table.Fold() == absl::OkStatus());
}

TEST_CASE("the table knows about what it takes in memory") {
  ChangeTable table;
  CHECK(table.memory_bytes() == 0);
  const std::string text(1000, 'x');
  uint64_t revision = 0;
  const auto put = [&](int number) {
    ++revision;
    AddAll(table, Entry(revision, 0, ValueType::kString, absl::StrCat("key-", number),
                        operation::Put{absl::string_view(text)}));
  };
  const auto remove = [&](int number, uint64_t put_revision) {
    ++revision;
    AddAll(table, Entry(revision, put_revision, ValueType::kString, absl::StrCat("key-", number), operation::Delete{}));
  };
  size_t before = 0;
  for (int i = 0; i < 100; ++i) {
    put(i);
    const size_t grown = table.memory_bytes() - before;
    CHECK(grown >= text.size());
    CHECK(grown < 2 * text.size() + 500);
    before = table.memory_bytes();
  }
  // All are of use.
  REQUIRE(table.Fold() == absl::OkStatus());
  CHECK(table.memory_bytes() == before);
  // Of half of them, all that is left is of use, and what is not takes no memory.
  for (int i = 0; i < 60; ++i) remove(i, static_cast<uint64_t>(i) + 1);
  REQUIRE(table.Fold() == absl::OkStatus());
  CHECK(table.memory_bytes() < before / 2);
  CHECK(table.memory_bytes() > 40 * text.size());
  for (int i = 60; i < 100; ++i) remove(i, static_cast<uint64_t>(i) + 1);
  REQUIRE(table.Fold() == absl::OkStatus());
  CHECK(table.memory_bytes() == 0);
  CHECK(table.empty());
  put(1);
  table.Clear();
  CHECK(table.memory_bytes() == 0);
  CHECK(table.empty());
  CHECK(FoldedList(table).empty());
}

TEST_CASE("chunks are of about a frame's target size, also where one key has many changes") {
  const std::string text(100'000, 'x');
  std::string list;
  for (uint64_t revision = 1; revision <= 300; ++revision) {
    list += Entry(revision, revision - 1, ValueType::kString, "key", operation::Append{text});
  }
  list += Entry(301, 0, ValueType::kString, "other", kPutText);
  ChangeTable table;
  AddAll(table, list);
  REQUIRE(table.Fold() == absl::OkStatus());
  const std::vector<std::string> chunks = ReadChunks(*table.Read());
  std::string all;
  for (const std::string& chunk : chunks) {
    CHECK(chunk.size() <= 2 * kTargetFrameBytes + 2 * text.size());
    all += chunk;
  }
  const bool same = all == list;
  CHECK(same);
}

TEST_CASE("a table stands for the run that it was made of, wherever it was folded in between") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  for (const int fold_every : {1, 7, 100, 10'000}) {
    INFO("folded every " << fold_every);
    RandomHistory history(seed);
    std::string before;
    for (int i = 0; i < 300; ++i) before += history.Next();
    const std::string snapshot = history.state().Snapshot();
    ChangeTable table;
    for (int i = 1; i <= 1000; ++i) {
      AddAll(table, history.Next());
      if (i % fold_every == 0) REQUIRE(table.Fold() == absl::OkStatus());
    }
    const auto state = StateOf(snapshot + FoldedList(table));
    REQUIRE(state.status() == absl::OkStatus());
    CHECK(state->KeySnapshot() == history.state().KeySnapshot());
  }
}

}  // namespace
}  // namespace kvs::txn
