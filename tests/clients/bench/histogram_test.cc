#include "clients/bench/histogram.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::bench {
namespace {

TEST_CASE("a histogram without values has nothing to tell") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.mean() == 0);
  CHECK(histogram.max() == 0);
  CHECK(histogram.At(0.99) == 0);
}

TEST_CASE("a histogram is exact for small values and for the largest") {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Add(value);
  CHECK(histogram.At(0) == 1);
  CHECK(histogram.At(0.5) == 50);
  CHECK(histogram.At(0.99) == 99);
  CHECK(histogram.At(1) == 100);
  CHECK(histogram.mean() == 50.5);
  histogram.Add(std::numeric_limits<uint64_t>::max());
  CHECK(histogram.At(1) == std::numeric_limits<uint64_t>::max());
}

TEST_CASE("percentiles are wrong by less than one step of their power of two") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937_64 random(seed);
  std::vector<uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(random() >> (random() % 64));
    histogram.Add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const uint64_t exact = values[static_cast<size_t>(share * 20000 + 0.5) - 1];
    CHECK(histogram.At(share) >= exact);
    CHECK(histogram.At(share) - exact <= exact / Histogram::kSteps);
  }
}

TEST_CASE("histograms add up") {
  Histogram one;
  Histogram other;
  Histogram both;
  for (uint64_t value = 0; value < 5000; ++value) {
    (value % 3 == 0 ? one : other).Add(value * value);
    both.Add(value * value);
  }
  one.Add(other);
  CHECK(one.count() == both.count());
  CHECK(one.max() == both.max());
  CHECK(one.mean() == both.mean());
  for (const double share : {0.01, 0.5, 0.999}) CHECK(one.At(share) == both.At(share));
}

}  // namespace
}  // namespace kvs::bench
