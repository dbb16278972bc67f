// HashIndex: finds the entries of one table by the hashes of their keys.
//
// An array of slots that each hold a hash and a pointer to an entry: open addressing with linear probing, and no marks
// of what was erased, since what follows moves back (Knuth, The Art of Computer Programming 3, 6.4, algorithm R). A
// look-up mostly reads one line of memory, whose address follows from the hash alone, so that it can be fetched ahead;
// of Abseil's set it reads two, of which the second is known only after the first. Entries are not touched when it
// grows.
//
// Thread-safety: none; the shard's mutex guards it.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "common/prefetch.h"

namespace kvs::server {

template <class Entry>
class HashIndex {
 public:
  size_t size() const { return size_; }

  // The first entry of this hash for which matches(const Entry&) is true; null if there is none.
  template <class Matches>
  Entry* Find(size_t hash, Matches matches) const {
    if (size_ == 0) return nullptr;
    for (size_t i = hash & mask_; slots_[i].entry; i = (i + 1) & mask_) {
      if (slots_[i].hash == hash && matches(std::as_const(*slots_[i].entry))) return slots_[i].entry;
    }
    return nullptr;
  }

  // Fetches what Find will look at first.
  void Prefetch(size_t hash) const {
    if (size_ != 0) kvs::Prefetch(&slots_[hash & mask_]);
  }

  // REQUIRES: `entry` is not there.
  void Insert(size_t hash, Entry* entry) {
    if (!slots_ || (size_ + 1) * kLoadDivisor > (mask_ + 1) * kLoadShare) Grow();
    Put({hash, entry});
    ++size_;
  }

  // REQUIRES: `entry` is there, with this hash.
  void Erase(size_t hash, const Entry* entry) {
    size_t hole = hash & mask_;
    while (slots_[hole].entry != entry) hole = (hole + 1) & mask_;
    // Whoever was put behind its own place moves into the hole, unless that is before its place.
    for (size_t i = (hole + 1) & mask_; slots_[i].entry; i = (i + 1) & mask_) {
      const size_t distance = (i - slots_[i].hash) & mask_;
      if (distance < ((i - hole) & mask_)) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
    --size_;
  }

  void Clear() { *this = HashIndex(); }

  template <class Fn>
  void ForEach(Fn fn) const {
    for (size_t i = 0; i < capacity(); ++i) {
      if (slots_[i].entry) fn(*slots_[i].entry);
    }
  }

  // Calls fn(const Entry&, size_t hash) for `count` entries, or for all where there are fewer: those that follow the
  // ones before, round and round.
  template <class Fn>
  void Sample(size_t count, Fn fn) {
    if (count > size_) count = size_;
    for (; count > 0; hand_ = (hand_ + 1) & mask_) {
      const Slot& slot = slots_[hand_ & mask_];
      if (!slot.entry) continue;
      fn(std::as_const(*slot.entry), slot.hash);
      --count;
    }
  }

 private:
  struct Slot {
    size_t hash = 0;
    Entry* entry = nullptr;  // null if the slot is free
  };

  static constexpr size_t kMinCapacity = 4;
  // At most so large a share of the slots is taken.
  static constexpr size_t kLoadShare = 13;
  static constexpr size_t kLoadDivisor = 16;

  size_t capacity() const { return slots_ ? mask_ + 1 : 0; }

  void Put(const Slot& slot) {
    size_t i = slot.hash & mask_;
    while (slots_[i].entry) i = (i + 1) & mask_;
    slots_[i] = slot;
  }

  void Grow() {
    const size_t old_capacity = capacity();
    const std::unique_ptr<Slot[]> old = std::move(slots_);
    const size_t capacity = old_capacity == 0 ? kMinCapacity : old_capacity * 2;
    slots_ = std::make_unique<Slot[]>(capacity);
    mask_ = capacity - 1;
    hand_ = 0;
    for (size_t i = 0; i < old_capacity; ++i) {
      if (old[i].entry) Put(old[i]);
    }
  }

  std::unique_ptr<Slot[]> slots_;  // a power of two of them; null as long as there is no entry
  size_t mask_ = 0;                // their number less one
  size_t size_ = 0;
  size_t hand_ = 0;  // where Sample goes on
};

}  // namespace kvs::server
