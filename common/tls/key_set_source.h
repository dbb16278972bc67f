// The key set in use, which a reload replaces.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "common/sync.h"
#include "common/tls/key_set.h"

namespace kvs {

// Thread-safety: thread-safe.
class KeySetSource {
 public:
  struct Numbered {
    std::shared_ptr<const KeySet> keys;
    uint64_t generation;  // From 1; each replacement adds 1.
  };

  explicit KeySetSource(KeySet first) : current_{std::make_shared<const KeySet>(std::move(first)), 1} {}

  Numbered Get() const {
    MutexLock lock(&mutex_);
    return current_;
  }

  void Replace(KeySet keys) {
    auto shared = std::make_shared<const KeySet>(std::move(keys));
    MutexLock lock(&mutex_);
    current_ = {std::move(shared), current_.generation + 1};
  }

 private:
  mutable Mutex mutex_;
  Numbered current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs
