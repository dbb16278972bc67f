// Requests that differ only in their keys, made by writing keys into a copy of the first one: a generator of load that
// encoded each of them anew would take the processor from those it measures.
#pragma once

#include <absl/strings/string_view.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace kvs::bench {

// Names of keys: all of one size, a prefix and a number with leading zeros.
class KeySpace {
 public:
  static constexpr absl::string_view kPrefix = "bench:";

  // `count` is at most 2^32; `size` at least LeastSize(count). The prefix is nowhere in the rest of a request.
  KeySpace(uint64_t count, size_t size, absl::string_view prefix = kPrefix)
      : count_(count), size_(size), prefix_(prefix) {}

  // The least size of keys, with kPrefix, that names so many.
  static size_t LeastSize(uint64_t count);

  uint64_t count() const { return count_; }
  size_t size() const { return size_; }
  const std::string& prefix() const { return prefix_; }
  std::string Name(uint64_t number) const;

 private:
  uint64_t count_;
  size_t size_;
  std::string prefix_;
};

// The numbers of the keys of requests, each less than `count`. Not thread-safe.
class KeyNumbers {
 public:
  // Drawn uniformly.
  static KeyNumbers Random(uint64_t count, uint32_t seed) { return KeyNumbers(count, 0, seed); }
  // The same, but so many in a row, at most `count`, are of different keys.
  static KeyNumbers Distinct(uint64_t count, uint64_t in_a_row, uint32_t seed) {
    return KeyNumbers(count, count / in_a_row, seed);
  }
  // From 0 on, over and over.
  static KeyNumbers InTurn(uint64_t count) { return KeyNumbers(count, 1, 1); }

  uint64_t Next() {
    if (largest_step_ == 0) return Draw(count_);
    last_ += 1 + Draw(largest_step_);
    if (last_ >= count_) last_ -= count_;
    return last_;
  }

 private:
  KeyNumbers(uint64_t count, uint64_t largest_step, uint32_t seed)
      : count_(count), largest_step_(largest_step), last_(count - 1), random_(seed) {}

  uint64_t Draw(uint64_t count) { return (static_cast<uint64_t>(random_()) * count) >> 32; }

  uint64_t count_;
  uint64_t largest_step_;  // from one to the next; 0 where they have nothing to do with each other
  uint64_t last_;
  std::mt19937 random_;
};

class RequestTemplate {
 public:
  // `bytes` is a request in which each key is a name of `keys`; all of them are replaced in what Make makes.
  RequestTemplate(std::string bytes, const KeySpace& keys);
  RequestTemplate(const google::protobuf::MessageLite& request, const KeySpace& keys)
      : RequestTemplate(request.SerializeAsString(), keys) {}

  grpc::ByteBuffer Make(KeyNumbers& numbers) const;
  // The same onto the end of `out`.
  void AppendTo(std::string* out, KeyNumbers& numbers) const;

  size_t keys() const { return number_ends_.size(); }

 private:
  void Fill(char* request, KeyNumbers& numbers) const;

  std::string bytes_;
  std::vector<size_t> number_ends_;  // where the digits of a key end
};

}  // namespace kvs::bench
