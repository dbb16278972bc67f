// Waiters: replies that wait until what they tell is durable.
//
// Thread-safety: none; the Journal's mutex guards it. The callbacks of what is taken out are called by the Journal,
// without the mutex.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <cstdint>
#include <vector>

namespace kvs::server {

// How a wait ended.
enum class Durability {
  kDurable,  // it survives a crash
  kUnknown,  // it may or may not
  kLost,     // the ledger takes it no more: this memory may be the only place where it is
};

class Waiters {
 public:
  using Callback = absl::AnyInvocable<void(Durability)>;

  void Add(uint64_t revision, absl::Time deadline, Callback callback) {
    waiting_.emplace(revision, Waiter{deadline, std::move(callback)});
  }

  // Takes out those that wait for `revision` or less.
  std::vector<Callback> TakeUpTo(uint64_t revision);
  // Takes out those whose deadline is `now` or before.
  std::vector<Callback> TakeExpired(absl::Time now);
  std::vector<Callback> TakeAll();

  size_t size() const { return waiting_.size(); }

 private:
  struct Waiter {
    absl::Time deadline;
    Callback callback;
  };
  using Map = absl::btree_multimap<uint64_t, Waiter>;

  std::vector<Callback> Take(Map::iterator end);

  Map waiting_;
};

}  // namespace kvs::server
