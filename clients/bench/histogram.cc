#include "clients/bench/histogram.h"

#include <absl/numeric/bits.h>

#include <algorithm>
#include <cmath>

namespace kvs::bench {
namespace {

constexpr int kStepBits = 7;
static_assert(Histogram::kSteps == uint64_t{1} << kStepBits);

}  // namespace

size_t Histogram::BucketOf(uint64_t value) {
  if (value < kSteps) return static_cast<size_t>(value);
  const int shift = absl::bit_width(value) - 1 - kStepBits;
  return static_cast<size_t>((static_cast<uint64_t>(shift) << kStepBits) + (value >> shift));
}

uint64_t Histogram::LargestIn(size_t bucket) {
  if (bucket < kSteps) return bucket;
  const size_t shift = (bucket >> kStepBits) - 1;
  const uint64_t first = (bucket & (kSteps - 1)) | kSteps;
  return (first << shift) + ((uint64_t{1} << shift) - 1);
}

void Histogram::Add(uint64_t value) {
  ++counts_[BucketOf(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Histogram::Add(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::At(double share) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen > 0 && seen >= wanted) return std::min(LargestIn(bucket), max_);
  }
  return max_;
}

}  // namespace kvs::bench
