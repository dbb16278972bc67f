// The result of a load, for people and for programs.
#pragma once

#include <string>

#include "clients/bench/load.h"

namespace kvs::bench {

// A few lines.
std::string Text(const LoadResult& result);

// One JSON object: calls_per_second, operations_per_second, p50_us, p99_us, p999_us, max_us, mean_us, seconds, calls
// and operations, all of the time after the warm-up; operations_in_all, errors (operations that failed), error (the
// first reason, or empty), unsent (messages that were due at the rate and never sent) and cpu_seconds of the client, of
// all of the time.
std::string Json(const LoadResult& result);

}  // namespace kvs::bench
