// How much of a sweep a test runs, and what its random choices begin with. Both come from the environment, so that a
// failure can be run again alone.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace kvs {

// KVS_LONG=1, as `make test-long` sets it: every case instead of a seeded sample.
inline bool LongTests() {
  const char* value = std::getenv("KVS_LONG");
  return value != nullptr && std::string(value) == "1";
}

// KVS_SEED, or a new one. A test tells it where it fails, such as by INFO("KVS_SEED=" << TestSeed()).
inline uint64_t TestSeed() {
  static const uint64_t seed = [] {
    const char* value = std::getenv("KVS_SEED");
    return value != nullptr ? std::stoull(value) : uint64_t{std::random_device{}()};
  }();
  return seed;
}

}  // namespace kvs
