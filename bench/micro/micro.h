// What the microbenchmarks share.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/model/transaction.h"
#include "common/model/transaction_codec.h"

namespace kvs::micro {

// One part of the program alone. With KVS_MICRO_ITERATIONS in the environment each runs that often, for counts of
// instructions.
using Function = void (*)(benchmark::State&);

// For a constant of a source: makes the function known under this name.
struct Benchmark {
  Benchmark(const char* name, Function function);
};

// Names of 16 bytes.
std::string KeyOf(uint64_t number);

// A put of an int, of a string of 32 bytes, as the ledger keeps it.
inline Transaction IntPut(uint64_t revision, uint64_t previous_revision, absl::string_view key) {
  Transaction transaction;
  transaction.revision = revision;
  transaction.time_micros = 1'700'000'000'000'000 + static_cast<int64_t>(revision);
  transaction.previous_revision = previous_revision;
  transaction.actor = "spiffe://kvs/client/bench";
  transaction.type = ValueType::kInt;
  transaction.key = key;
  transaction.operation = operation::Put{static_cast<int64_t>(revision)};
  return transaction;
}

inline Transaction StringPut(uint64_t revision, uint64_t previous_revision, absl::string_view key) {
  Transaction transaction = IntPut(revision, previous_revision, key);
  transaction.type = ValueType::kString;
  transaction.operation = operation::Put{absl::string_view("thirty-two bytes of a value here")};
  return transaction;
}

}  // namespace kvs::micro
