// The first half of what a snapshot costs: the changes of a stretch of the log are gathered by key and sorted.
#include <random>

#include "bench/micro/micro.h"
#include "common/model/transaction_list.h"
#include "txn_server/log/compaction/change_table.h"

namespace kvs::micro {
namespace {

constexpr uint64_t kFoldedKeys = 150'000;

// Puts of keys in no order, some of them several times.
std::string Log() {
  std::mt19937_64 random(1);
  std::vector<uint64_t> newest(kFoldedKeys, 0);
  std::string list;
  for (uint64_t revision = 1; revision <= kFoldedKeys; ++revision) {
    const uint64_t number = random() % kFoldedKeys;
    EncodedTransaction encoded(StringPut(revision, newest[number], KeyOf(number)));
    encoded.Stamp(revision, 1'700'000'000'000'000);
    newest[number] = revision;
    list += encoded.bytes();
  }
  return list;
}

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

}  // namespace
}  // namespace kvs::micro
