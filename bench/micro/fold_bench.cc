// What a snapshot costs, without its files: the changes of a stretch of the log are gathered, sorted by key, and merged
// with the snapshot before.
#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "bench/micro/micro.h"
#include "common/model/transaction_list.h"
#include "txn_server/log/compaction/change_table.h"
#include "txn_server/log/compaction/merge.h"

namespace kvs::micro {
namespace {

constexpr uint64_t kFoldedKeys = 150'000;

void AddPut(uint64_t number, uint64_t revision, uint64_t previous_revision, std::string* list) {
  EncodedTransaction encoded(StringPut(revision, previous_revision, KeyOf(number)));
  encoded.Stamp(revision, 1'700'000'000'000'000);
  *list += encoded.bytes();
}

// Puts of keys in no order, some of them several times; `newest` has the revision of each before and after.
std::string Log(std::vector<uint64_t> newest = std::vector<uint64_t>(kFoldedKeys, 0)) {
  std::mt19937_64 random(1);
  std::string list;
  const uint64_t first = *std::max_element(newest.begin(), newest.end()) + 1;
  for (uint64_t revision = first; revision < first + kFoldedKeys; ++revision) {
    uint64_t& before = newest[random() % kFoldedKeys];
    AddPut(static_cast<uint64_t>(&before - newest.data()), revision, before, &list);
    before = revision;
  }
  return list;
}

// A snapshot of all keys, as blocks of about a frame's size.
class Snapshot : public txn::SnapshotCursor {
 public:
  explicit Snapshot(const std::vector<std::string>& blocks) : blocks_(blocks) {}
  absl::StatusOr<std::optional<txn::SnapshotChunk>> Next() override {
    if (next_ == blocks_.size()) return std::nullopt;
    return txn::SnapshotChunk{blocks_[next_++]};
  }

  // Of keys whose revisions are their numbers and one.
  static std::vector<std::string> Blocks() {
    std::vector<std::string> blocks;
    for (uint64_t number = 0; number < kFoldedKeys; ++number) {
      if (number % 500 == 0) blocks.emplace_back();
      AddPut(number, number + 1, 0, &blocks.back());
    }
    return blocks;
  }

 private:
  const std::vector<std::string>& blocks_;
  size_t next_ = 0;
};

void Gather(const std::string& log, txn::ChangeTable* table) {
  TransactionListReader list;
  list.Reset(log);
  while (true) {
    const auto item = list.Next();
    if (!item.ok()) std::abort();
    if (!*item) return;
    table->Add((*item)->transaction, (*item)->entry);
  }
}

void GatherChanges(benchmark::State& state) {
  const std::string log = Log();
  for (auto _ : state) {
    txn::ChangeTable table;
    Gather(log, &table);
    benchmark::DoNotOptimize(table.memory_bytes());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kFoldedKeys));
}
const Benchmark kGather("fold/gather_150000", GatherChanges);

void SortChanges(benchmark::State& state) {
  const std::string log = Log();
  for (auto _ : state) {
    state.PauseTiming();
    txn::ChangeTable table;
    Gather(log, &table);
    state.ResumeTiming();
    if (!table.Fold().ok()) std::abort();
    const auto sorted = table.Read();
    while (true) {
      const auto chunk = sorted->Next();
      if (!chunk.ok()) std::abort();
      if (!*chunk) break;
      benchmark::DoNotOptimize((*chunk)->transactions.size());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kFoldedKeys));
}
const Benchmark kSort("fold/sort_150000", SortChanges);

void MergeChanges(benchmark::State& state) {
  const std::vector<std::string> snapshot = Snapshot::Blocks();
  std::vector<uint64_t> newest(kFoldedKeys);
  std::iota(newest.begin(), newest.end(), 1);
  txn::ChangeTable table;
  Gather(Log(std::move(newest)), &table);
  if (!table.Fold().ok()) std::abort();
  for (auto _ : state) {
    std::vector<std::unique_ptr<txn::SnapshotCursor>> sources;
    sources.push_back(std::make_unique<Snapshot>(snapshot));
    sources.push_back(table.Read());
    RequestWindow requests;
    size_t bytes = 0;
    const auto sink = [&bytes](const txn::SnapshotEntry& entry) {
      bytes += entry.bytes.size();
      return absl::OkStatus();
    };
    if (!txn::Merge(std::move(sources), &requests, sink).ok()) std::abort();
    benchmark::DoNotOptimize(bytes);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kFoldedKeys));
}
const Benchmark kMerge("fold/merge_150000", MergeChanges);

}  // namespace
}  // namespace kvs::micro
