// Requests: the requests that are remembered, for many threads.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/model/request_window.h"
#include "common/sync.h"

namespace kvs::server {

// Thread-safety: everything may be called from any thread. Its mutex is taken last of all.
class Requests {
 public:
  explicit Requests(const RequestWindowBounds& bounds) : window_(bounds) {}

  // What a retry needs to know of the request before it.
  struct Found {
    uint64_t first_revision;
    uint64_t revision;  // the last one
    uint64_t command_hash;
    std::string response;
  };

  void Add(const RememberedRequest& request) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    window_.Add(request);
  }

  std::optional<Found> Find(absl::string_view actor, absl::string_view id) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto request = window_.Find(actor, id);
    if (!request) return std::nullopt;
    return Found{request->first_revision(), request->revision, request->answer.command_hash,
                 std::string(request->answer.response)};
  }

  // In the order of their revisions. `visit` calls nothing of this.
  void ForEach(absl::FunctionRef<void(const RememberedRequest&)> visit) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    window_.ForEach(visit);
  }

  void Clear() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    window_.Clear();
  }

 private:
  mutable Mutex mutex_;
  RequestWindow window_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs::server
