#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>

#include <cstdlib>

#include "bench/micro/micro.h"

namespace kvs::micro {

Benchmark::Benchmark(const char* name, Function function) {
  benchmark::internal::Benchmark* const made = benchmark::RegisterBenchmark(name, function);
  int64_t iterations = 0;
  const char* const text = std::getenv("KVS_MICRO_ITERATIONS");
  if (text != nullptr && absl::SimpleAtoi(text, &iterations) && iterations > 0) made->Iterations(iterations);
}

std::string KeyOf(uint64_t number) { return absl::StrFormat("key:%012d", number); }

}  // namespace kvs::micro

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
