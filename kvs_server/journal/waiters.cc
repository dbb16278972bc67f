#include "kvs_server/journal/waiters.h"

#include <utility>

namespace kvs::server {

std::vector<Waiters::Callback> Waiters::TakeUpTo(uint64_t revision) { return Take(waiting_.upper_bound(revision)); }

std::vector<Waiters::Callback> Waiters::TakeAll() { return Take(waiting_.end()); }

std::vector<Waiters::Callback> Waiters::TakeExpired(absl::Time now) {
  std::vector<Callback> taken;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    taken.push_back(std::move(it->second.callback));
    it = waiting_.erase(it);
  }
  return taken;
}

std::vector<Waiters::Callback> Waiters::Take(Map::iterator end) {
  std::vector<Callback> taken;
  for (auto it = waiting_.begin(); it != end; ++it) taken.push_back(std::move(it->second.callback));
  waiting_.erase(waiting_.begin(), end);
  return taken;
}

}  // namespace kvs::server
