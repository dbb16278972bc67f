#include "common/rpc/event_loop.h"

#include <grpc/support/time.h>

#include <algorithm>

namespace kvs::rpc {
namespace {

// Events between a request for the OnDrained functions, or for an idle task, and its call. A loop that has more clients
// than it can keep up with never finds its queue empty, and what those functions send would wait for ever.
constexpr int kMaxEventsBeforeIdle = 256;

// Keeps the time of a timer within what a time point can hold.
constexpr absl::Duration kMaxDelay = absl::Hours(24 * 365 * 10);

}  // namespace

EventLoop::EventLoop(std::unique_ptr<grpc::CompletionQueue> queue) : queue_(std::move(queue)) {}

EventLoop::~EventLoop() {
  if (thread_.joinable()) Stop();
}

void EventLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void EventLoop::Stop() {
  Post([this] {
    stop_requested_ = true;
    if (!is_held()) ShutDown();
  });
  thread_.join();
}

void EventLoop::Release() {
  holds_.store(holds_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  if (!is_held() && stop_requested_) ShutDown();
}

void EventLoop::ShutDown() {
  // A wake-up must not be set on a queue that is shut down.
  MutexLock lock(&mutex_);
  stopped_ = true;
  queue_->Shutdown();
}

void EventLoop::Post(Task task) {
  MutexLock lock(&mutex_);
  if (stopped_) return;
  posted_.push_back(std::move(task));
  if (wake_pending_) return;
  wake_pending_ = true;
  wake_alarm_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &wake_tag_);
}

EventLoop::TimerId EventLoop::RunAfter(absl::Duration delay, Task task) {
  delay = std::clamp(delay, absl::ZeroDuration(), kMaxDelay);
  const TimerId id{std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(delay), next_timer_++};
  timers_.emplace(id, std::move(task));
  return id;
}

void EventLoop::Cancel(TimerId id) { timers_.erase(id); }

void EventLoop::Run() {
  thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  for (;;) {
    void* tag = nullptr;
    bool ok = false;
    const bool is_waited_for = drain_requested_ || !idle_tasks_.empty();
    switch (queue_->AsyncNext(&tag, &ok, NextDeadline())) {
      case grpc::CompletionQueue::GOT_EVENT:
        static_cast<Tag*>(tag)->Complete(ok);
        if (is_waited_for && ++events_before_idle_ >= kMaxEventsBeforeIdle) RunIdle();
        break;
      case grpc::CompletionQueue::TIMEOUT:
        RunIdle();
        break;
      case grpc::CompletionQueue::SHUTDOWN:
        return;
    }
    if (!timers_.empty()) RunDueTimers();
  }
}

void EventLoop::RunPosted() {
  std::vector<Task> tasks;
  {
    MutexLock lock(&mutex_);
    wake_pending_ = false;
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
  drain_requested_ = true;
}

void EventLoop::RunDrained() {
  drain_requested_ = false;
  for (Task& task : on_drained_) task();
}

void EventLoop::RunIdle() {
  events_before_idle_ = 0;
  if (drain_requested_) RunDrained();
  if (idle_tasks_.empty()) return;
  const Time begin = std::chrono::steady_clock::now();
  idle_allowed_at_ = idle_budget_.AllowedAt(begin);
  idle_is_paused_ = idle_allowed_at_ > begin;
  if (idle_is_paused_) return;
  Task task = std::move(idle_tasks_.front());
  idle_tasks_.pop_front();
  task();
  idle_budget_.Spend(std::chrono::steady_clock::now() - begin);
}

void EventLoop::RunDueTimers() {
  const auto now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
    drain_requested_ = true;
  }
}

gpr_timespec EventLoop::NextDeadline() const {
  // gRPC rounds every other time up to a millisecond.
  const bool has_idle_task = !idle_tasks_.empty();
  if (drain_requested_ || (has_idle_task && !idle_is_paused_)) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  Time at = Time::max();
  if (!timers_.empty()) at = timers_.begin()->first.first;
  if (has_idle_task) at = std::min(at, idle_allowed_at_);
  if (at == Time::max()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  // Both clocks are CLOCK_MONOTONIC, so that no time need be read for each event.
  const int64_t nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
  return gpr_time_add(gpr_time_0(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(nanos, GPR_TIMESPAN));
}

}  // namespace kvs::rpc
