// Expirer: removes keys whose time has come, a few at a time, so that a million of them at once delay nobody for long.
//
// It runs on one event loop. At most kMaxExpiriesAtOnce removals are on their way to the ledger: the next ones follow
// when those are durable. So they take at most that share of a group commit.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/rpc/event_loop.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

inline constexpr size_t kMaxExpiriesAtOnce = 200;

class Expirer {
 public:
  // Both outlive the loop's run.
  Expirer(Engine* engine, rpc::EventLoop* loop) : engine_(*engine), loop_(*loop) {}

  // Begins, when the replay is over. Once, on any thread.
  void Start();
  // Removes no more; what is on its way goes on. On any thread.
  void Stop() { is_stopped_ = true; }

 private:
  void Tick();

  Engine& engine_;
  rpc::EventLoop& loop_;
  std::atomic<bool> is_stopped_{false};
  uint64_t last_revision_ = 0;  // of the removals before
};

}  // namespace kvs::server
