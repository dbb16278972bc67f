// The store: finding keys, and changing them.
#include <random>
#include <utility>

#include "bench/micro/micro.h"
#include "kvs_server/store/store.h"

namespace kvs::micro {
namespace {

using server::HashKey;
using server::Shard;
using server::Store;

constexpr uint64_t kKeys = 1'000'000;
constexpr size_t kShards = 64;

// A store with all keys, and what their revisions are. Made once, since that takes longer than what is measured.
struct Filled {
  Filled() {
    for (uint64_t i = 0; i < kKeys; ++i) {
      keys.push_back(KeyOf(i));
      revisions.push_back(++revision);
      if (!store.Apply(IntPut(revision, 0, keys.back())).ok()) std::abort();
    }
  }
  static Filled& Get() {
    static auto* const filled = new Filled;
    return *filled;
  }

  Store store{kShards};
  uint64_t revision = 0;
  std::vector<std::string> keys;
  std::vector<uint64_t> revisions;
};

void Find(benchmark::State& state) {
  Filled& filled = Filled::Get();
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const std::string& key = filled.keys[random() % kKeys];
    const size_t hash = HashKey(key);
    Shard& shard = filled.store.shard(hash);
    const MutexLock lock(&shard.mutex());
    benchmark::DoNotOptimize(shard.table<int64_t>().Find(key, hash));
  }
  state.SetItemsProcessed(state.iterations());
}
const Benchmark kFind("store/find", Find);

void Overwrite(benchmark::State& state) {
  Filled& filled = Filled::Get();
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const uint64_t i = random() % kKeys;
    const uint64_t previous = std::exchange(filled.revisions[i], ++filled.revision);
    if (!filled.store.Apply(IntPut(filled.revision, previous, filled.keys[i])).ok()) std::abort();
  }
  state.SetItemsProcessed(state.iterations());
}
const Benchmark kOverwrite("store/overwrite", Overwrite);

// New keys, in a random order of names, into a store that grows from nothing.
void Insert(benchmark::State& state) {
  Store store(kShards);
  uint64_t revision = 0;
  for (auto _ : state) {
    ++revision;
    const std::string key = KeyOf(revision * 0x9E3779B97F4A7C15 % 1'000'000'000'000);
    if (!store.Apply(IntPut(revision, 0, key)).ok()) break;
  }
  state.SetItemsProcessed(state.iterations());
}
const Benchmark kInsert("store/insert", Insert);

}  // namespace
}  // namespace kvs::micro
