// Usage: how many keys there are, by type, what they take in memory, and how much of both there may be.
//
// Bytes are estimates (kvs_server/store/footprint.h) that depend on the keys and their values alone, so that they are
// the same after a replay. Shard::Apply counts, whatever the limits are; they are checked by whoever is about to add
// something, with Reserve. So the limits hold whatever is added at the same time, and a replay knows none.
//
// Thread-safety: everything may be called from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "common/model/value.h"

namespace kvs::server {

// Keys and the memory that they take, or a change of both.
struct Size {
  int64_t keys = 0;
  int64_t bytes = 0;

  Size& operator+=(const Size& other) {
    keys += other.keys;
    bytes += other.bytes;
    return *this;
  }
  friend Size operator-(const Size& a, const Size& b) { return {a.keys - b.keys, a.bytes - b.bytes}; }
  friend bool operator==(const Size&, const Size&) = default;
};

// What happens when a change needs more than there may be.
enum class MemoryPolicy {
  kRefuse,  // it is refused
  kLru,     // keys that were not used for long are removed to make room for it
};

struct UsageLimits {
  uint64_t max_memory_bytes = 0;  // 0 for no limit
  uint64_t max_keys = 0;          // of all types together, 0 for no limit
  MemoryPolicy policy = MemoryPolicy::kRefuse;

  bool exist() const { return max_memory_bytes != 0 || max_keys != 0; }
  bool evict() const { return exist() && policy == MemoryPolicy::kLru; }
};

// Whether there is such a limit, and this is more.
inline bool Exceeds(int64_t size, uint64_t limit) { return limit != 0 && size > static_cast<int64_t>(limit); }

class Usage {
 public:
  explicit Usage(const UsageLimits& limits) : limits_(limits) {}

  const UsageLimits& limits() const { return limits_; }

  Size of(ValueType type) const { return sizes_[static_cast<size_t>(type)].Load(); }
  // Of all types.
  Size total() const;

  // The keys of a type became more or larger, or fewer or smaller.
  void Add(ValueType type, const Size& change) { sizes_[static_cast<size_t>(type)].Add(change); }
  void Clear();

  // Takes room for what is about to be added; false if there is none, and then nothing is taken. Whatever does not grow
  // needs no room. Released when it was added, or will not be.
  bool Reserve(const Size& growth);
  void Release(const Size& growth);

  // Whether there is room for so much, at the moment.
  bool HasRoomFor(const Size& growth) const { return Fits(growth, reserved_.Load()); }

 private:
  class AtomicSize {
   public:
    Size Load() const { return {keys_.load(), bytes_.load()}; }
    // Returns what it is then.
    Size Add(const Size& change) { return {Add(keys_, change.keys), Add(bytes_, change.bytes)}; }
    void Clear() { keys_ = bytes_ = 0; }

   private:
    static int64_t Add(std::atomic<int64_t>& value, int64_t change) {
      return change == 0 ? value.load() : value.fetch_add(change) + change;
    }

    std::atomic<int64_t> keys_{0};
    std::atomic<int64_t> bytes_{0};
  };

  // Whether there is room for `growth` within what is left of the limits, `taken` being left out.
  bool Fits(const Size& growth, const Size& taken) const;

  const UsageLimits limits_;
  std::array<AtomicSize, kValueTypeCount> sizes_;
  AtomicSize reserved_;
};

}  // namespace kvs::server
