// What load to make.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kvs::bench {

enum class Verb { kGet, kPut, kIncr, kMixed };

// How operations travel: a call of its own for each (kUnary), many keys in one call (kMulti), many operations in one
// Batch.Execute (kBatch), the same all or nothing (kAtomic), or in one message of a Batch.Pipeline (kPipeline).
enum class Via { kUnary, kMulti, kBatch, kAtomic, kPipeline };

enum class Type { kInt, kString };

// The words for them, in their order, separated by spaces.
inline constexpr absl::string_view kVerbs = "get put incr mixed";
inline constexpr absl::string_view kVias = "unary multi batch atomic pipeline";
inline constexpr absl::string_view kTypes = "int string";

struct Options {
  Verb verb = Verb::kGet;
  Via via = Via::kUnary;
  // Of all operations but those of kMixed in batches, which are on ints, strings and maps.
  Type type = Type::kString;
  // Operations of one message; 1 for kUnary.
  uint64_t batch = 1;
  // The share of reads of kMixed, in percent.
  uint64_t reads = 50;

  uint64_t keys = 1'000'000;
  uint64_t key_size = 16;
  uint64_t value_size = 32;  // of strings and fields

  uint64_t connections = 4;
  // Messages under way at a time, over all connections; at a given rate, at most.
  uint64_t outstanding = 64;
  // Threads that make the load, each with connections of its own.
  uint64_t threads = 1;
  // Messages a second, whether or not earlier ones are answered; latencies are counted from the time at which one was
  // due. 0 sends the next one when one is answered.
  uint64_t rate = 0;

  absl::Duration duration = absl::Seconds(10);
  // Before that, and not counted.
  absl::Duration warmup = absl::Seconds(1);
  // How long nothing at all may be answered.
  absl::Duration patience = absl::Seconds(10);
};

inline constexpr uint64_t kMaxConnections = 1000;
inline constexpr uint64_t kMaxOutstanding = 100'000;
inline constexpr uint64_t kMaxThreads = 64;
inline constexpr uint64_t kMaxRate = 10'000'000;
inline constexpr uint64_t kMaxKeys = 1'000'000'000;
inline constexpr absl::Duration kMaxDuration = absl::Hours(24);

// InvalidArgument that names the flag of `kvs bench` and what it takes.
absl::Status Check(const Options& options);

}  // namespace kvs::bench
