// Transactions to and from their stored form.
#include "bench/micro/micro.h"
#include "common/model/transaction_list.h"

namespace kvs::micro {
namespace {

void Encode(benchmark::State& state) {
  const std::string key = KeyOf(41);
  uint64_t revision = 0;
  for (auto _ : state) {
    EncodedTransaction encoded(StringPut(0, 1, key));
    encoded.Stamp(++revision, 1'700'000'000'000'000);
    benchmark::DoNotOptimize(encoded.bytes().data());
  }
  state.SetItemsProcessed(state.iterations());
}
const Benchmark kEncode("codec/encode", Encode);

void DecodeStored(benchmark::State& state) {
  const std::string key = KeyOf(41);
  EncodedTransaction encoded(StringPut(0, 1, key));
  encoded.Stamp(7, 1'700'000'000'000'000);
  TransactionListReader list;
  for (auto _ : state) {
    list.Reset(encoded.bytes());
    benchmark::DoNotOptimize(list.Next());
  }
  state.SetItemsProcessed(state.iterations());
}
const Benchmark kDecode("codec/decode", DecodeStored);

}  // namespace
}  // namespace kvs::micro
