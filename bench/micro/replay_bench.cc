// The replay as kvs_server does it: frames are parsed, and their transactions decoded and applied.
#include "bench/micro/micro.h"
#include "common/crc32c.h"
#include "common/model/transaction_list.h"
#include "kvs_server/store/store.h"

namespace kvs::micro {
namespace {

constexpr uint64_t kPerFrame = 1000;

std::string Frame(uint64_t first_revision) {
  std::string list;
  for (uint64_t i = 0; i < kPerFrame; ++i) {
    EncodedTransaction encoded(StringPut(first_revision + i, 0, KeyOf(first_revision + i)));
    encoded.Stamp(first_revision + i, 1'700'000'000'000'000);
    list += encoded.bytes();
  }
  return list;
}

template <class Apply>
void ForEachIn(const std::string& frame, Apply apply) {
  TransactionListReader list;
  list.Reset(frame);
  while (true) {
    const auto item = list.Next();
    if (!item.ok()) std::abort();
    if (!*item) break;
    apply((*item)->transaction);
  }
  benchmark::DoNotOptimize(ExtendCrc32c(0, frame));
}

void DecodeFrames(benchmark::State& state) {
  const std::string frame = Frame(1);
  for (auto _ : state) {
    ForEachIn(frame, [](const Transaction& transaction) { benchmark::DoNotOptimize(transaction.revision); });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPerFrame));
}
const Benchmark kDecodeFrames("replay/decode_1000", DecodeFrames);

void ApplyFrames(benchmark::State& state) {
  server::Store store(64);
  uint64_t revision = 1;
  for (auto _ : state) {
    state.PauseTiming();
    const std::string frame = Frame(revision);
    revision += kPerFrame;
    state.ResumeTiming();
    ForEachIn(frame, [&store](const Transaction& transaction) {
      if (!store.Apply(transaction).ok()) std::abort();
    });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPerFrame));
}
const Benchmark kApply("replay/apply_1000", ApplyFrames);

}  // namespace
}  // namespace kvs::micro
