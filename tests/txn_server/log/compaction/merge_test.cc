#include "txn_server/log/compaction/merge.h"

#include "tests/support/compaction_samples.h"

namespace kvs::txn {
namespace {

struct Merged {
  absl::Status status;
  std::string list;
  uint64_t keys = 0;
};

// `requests` are those of the changes.
Merged MergeLists(std::vector<std::unique_ptr<SnapshotCursor>> sources,
                  const std::vector<RememberedRequest>& requests = {}) {
  Merged merged;
  RequestWindow window;
  for (const RememberedRequest& request : requests) window.Add(request);
  merged.status = Merge(std::move(sources), &window, [&](const SnapshotEntry& entry) {
    merged.list += std::string(entry.bytes);
    if (entry.begins_key) ++merged.keys;
    if (entry.type) CHECK(Describe(entry.bytes).at(0).find(std::string(TypeName(*entry.type)) + " ") == 0);
    return absl::OkStatus();
  });
  return merged;
}

std::vector<std::unique_ptr<SnapshotCursor>> Sources(std::vector<std::vector<std::string>> sources) {
  std::vector<std::unique_ptr<SnapshotCursor>> cursors;
  for (auto& source : sources) cursors.push_back(Lists(std::move(source)));
  return cursors;
}

std::string Put(uint64_t revision, absl::string_view key, uint64_t previous = 0) {
  return Entry(revision, previous, ValueType::kString, key, operation::Put{absl::string_view("text")});
}
std::string Append(uint64_t revision, uint64_t previous, absl::string_view key, absl::string_view text) {
  return Entry(revision, previous, ValueType::kString, key, operation::Append{text});
}
std::string Delete(uint64_t revision, uint64_t previous, absl::string_view key) {
  return Entry(revision, previous, ValueType::kString, key, operation::Delete{});
}

TEST_CASE("nothing merged is nothing") {
  CHECK(MergeLists({}).list.empty());
  std::vector<std::unique_ptr<SnapshotCursor>> none;
  none.push_back(nullptr);
  CHECK(MergeLists(std::move(none)).list.empty());
  const Merged merged = MergeLists(Sources({{}, {}, {""}}));
  CHECK(merged.status == absl::OkStatus());
  CHECK(merged.list.empty());
}

TEST_CASE("remembered requests come before the keys, those of the snapshot and those of the changes") {
  const RememberedRequest first{3, 30, "ann", "1", {11, 1, "one"}};
  const RememberedRequest second{4, 40, "ann", "2", {12, 4, "two"}};
  const RememberedRequest third{6, 60, "", "3", {13, 1, ""}};
  const std::string a = Put(2, "a");
  const Merged merged = MergeLists(Sources({{Encode(first), Encode(second) + a}, {Append(6, 2, "a", "x")}}), {third});
  CHECK(merged.status == absl::OkStatus());
  const std::string requests = Encode(first) + Encode(second) + Encode(third);
  CHECK(merged.list == requests + Entry(6, 0, ValueType::kString, "a", operation::Put{absl::string_view("textx")}));
  CHECK(merged.keys == 1);
  CHECK(MergeLists(Sources({{Encode(first)}})).list == Encode(first));
}

TEST_CASE("a remembered request behind a key is damage") {
  const RememberedRequest request{3, 30, "ann", "1", {11, 1, "one"}};
  CHECK(absl::IsDataLoss(MergeLists(Sources({{Put(2, "a") + Encode(request) + Put(1, "b")}})).status));
}

TEST_CASE("a key of the snapshot that nothing changed is copied as it is") {
  // Also in parts, and across chunks.
  const std::string a = Entry(4, 0, ValueType::kSet, "a", operation::Put{Texts{"x"}});
  const std::string more = Entry(4, 4, ValueType::kSet, "a", operation::AddMembers{{"y"}});
  const std::string b = Entry(2, 0, ValueType::kSet, "b", operation::Put{Texts{}});
  const Merged merged = MergeLists(Sources({{a, more + b}, {}}));
  CHECK(merged.status == absl::OkStatus());
  CHECK(merged.list == a + more + b);
  CHECK(merged.keys == 2);
}

TEST_CASE("changes are folded into the snapshot, oldest source first") {
  const Merged merged =
      MergeLists(Sources({{Put(1, "a") + Put(2, "b"), Put(3, "d")},
                          {Append(4, 1, "a", "1") + Put(5, "c"), Delete(6, 3, "d")},
                          {Append(7, 4, "a", "2") + Delete(8, 2, "b"), Delete(9, 5, "c") + Put(10, "e")}}));
  CHECK(merged.status == absl::OkStatus());
  CHECK(Describe(merged.list) == Lines{"string a 7<0 put", "string e 10<0 put"});
  CHECK(merged.keys == 2);
  const auto state = StateOf(merged.list);
  REQUIRE(state.ok());
  CHECK(std::get<StringValue>(state->Find(ValueType::kString, "a")->value()) == "text12");
}

TEST_CASE("the types come in their order, each with its keys from the beginning") {
  const std::string z = Entry(1, 0, ValueType::kInt, "z", operation::Put{int64_t{1}});
  const std::string a = Entry(2, 0, ValueType::kUint, "a", operation::Put{uint64_t{1}});
  std::vector<std::unique_ptr<SnapshotCursor>> sources;
  sources.push_back(nullptr);
  sources.push_back(Lists({a}));
  sources.push_back(Lists({z}));
  CHECK(Describe(MergeLists(std::move(sources)).list) == Lines{"int z 1<0 put", "uint a 2<0 put"});
}

TEST_CASE("a change without what it follows, or keys out of order, are data loss") {
  CHECK(absl::IsDataLoss(MergeLists(Sources({{}, {Append(4, 1, "a", "1")}})).status));
  CHECK(absl::IsDataLoss(MergeLists(Sources({{Put(1, "a")}, {Append(4, 2, "a", "1")}})).status));
  CHECK(absl::IsDataLoss(MergeLists(Sources({{Put(1, "a")}, {Put(4, "a", 0)}})).status));
  CHECK(absl::IsDataLoss(MergeLists(Sources({{}, {Delete(4, 0, "a")}})).status));
  CHECK(absl::IsDataLoss(MergeLists(Sources({{Put(1, "b"), Put(2, "a")}})).status));
  CHECK(absl::IsDataLoss(MergeLists(Sources({{}, {Put(1, "b") + Put(2, "a")}})).status));
  CHECK(absl::IsDataLoss(MergeLists(Sources({{Put(1, "b")}, {Put(2, "c") + Put(3, "a")}})).status));
  CHECK(absl::IsDataLoss(MergeLists(Sources({{"rubbish"}})).status));
  // A member that was there before.
  const std::string set = Entry(1, 0, ValueType::kSet, "a", operation::Put{Texts{"x"}});
  const std::string add = Entry(2, 1, ValueType::kSet, "a", operation::AddMembers{{"x"}});
  CHECK(absl::IsDataLoss(MergeLists(Sources({{set}, {add}})).status));
}

TEST_CASE("an error of a source or of the sink ends the merge") {
  class Broken : public SnapshotCursor {
   public:
    absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
      if (reads_++ == 0) return SnapshotChunk{first_};
      return absl::UnavailableError("the disk is away");
    }

   private:
    const std::string first_ = Put(1, "a");
    int reads_ = 0;
  };
  std::vector<std::unique_ptr<SnapshotCursor>> sources;
  sources.push_back(std::make_unique<Broken>());
  CHECK(absl::IsUnavailable(MergeLists(std::move(sources)).status));

  for (const bool changed : {false, true}) {
    int entries = 0;
    RequestWindow requests;
    const absl::Status status = Merge(Sources({{Put(1, "a") + Put(2, "b")}, {changed ? Append(3, 1, "a", "x") : ""}}),
                                      &requests, [&](const SnapshotEntry&) {
                                        ++entries;
                                        return absl::AbortedError("enough");
                                      });
    CHECK(absl::IsAborted(status));
    CHECK(entries == 1);
  }
}

}  // namespace
}  // namespace kvs::txn
