// Histogram: how long many calls took, in little memory however many they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kvs::bench {

// Counts values in buckets whose width grows with the value, as an HDR histogram does: each power of two is divided
// into kSteps, so that what it tells of a value is wrong by at most 1/kSteps of it. Not thread-safe; threads count in
// one of their own and add them up.
class Histogram {
 public:
  static constexpr uint64_t kSteps = 128;

  // What this takes is of no unit.
  void Add(uint64_t value);
  void Add(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }

  // The least value that this share of all values, from 0 to 1, does not exceed; 0 if there is none. At most the
  // largest value, and exact for it.
  uint64_t At(double share) const;

 private:
  // Values below kSteps have a bucket each; above, those that begin with the same 7 bits after the first share one.
  static constexpr size_t kBuckets = (64 - 7 + 1) * kSteps;
  static size_t BucketOf(uint64_t value);
  static uint64_t LargestIn(size_t bucket);

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace kvs::bench
