// EventLoop: one thread that polls one completion queue and does everything that comes out of it.
//
// What costs time in a gRPC server is the hand-over between threads, so the calls of clients and the link to the ledger
// are polled by the same loop, and their work is done inline. Whatever is better done once for many events, such as
// sending what has queued for the ledger, is done when the queue is empty, before the loop blocks (see OnDrained).
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "common/rpc/idle_budget.h"
#include "common/sync.h"

namespace kvs::rpc {

// What a completion queue hands back when an operation is over. Outlives the operation.
class Tag {
 public:
  // `ok` as CompletionQueue::Next describes it for the kind of operation.
  virtual void Complete(bool ok) = 0;

 protected:
  ~Tag() = default;
};

// A Tag that calls a function; for operations that are members of something else.
class CallbackTag final : public Tag {
 public:
  explicit CallbackTag(absl::AnyInvocable<void(bool ok)> callback) : callback_(std::move(callback)) {}
  void Complete(bool ok) override { callback_(ok); }

 private:
  absl::AnyInvocable<void(bool ok)> callback_;
};

class EventLoop {
 public:
  using Task = absl::AnyInvocable<void()>;
  using Time = IdleBudget::Time;
  using TimerId = std::pair<Time, uint64_t>;

  explicit EventLoop(std::unique_ptr<grpc::CompletionQueue> queue);
  // Stops, if that has not happened. Every operation on the queue must be over or be ended by its Shutdown.
  ~EventLoop();

  // Where operations of this loop go; their tags are Tag*.
  grpc::CompletionQueue* queue() { return queue_.get(); }

  // Starts the thread.
  void Start();

  // Runs until nothing holds the loop and its queue is empty, and ends the thread. An operation may be started as long
  // as its owner holds the loop, and not at all afterwards. Called once, from another thread.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Keeps the loop from stopping until Release. Whoever starts operations when others complete holds the loop
  // meanwhile: gRPC aborts the process if one is started on a queue that is shut down. Only on the loop's thread or
  // before Start.
  void Hold() { holds_.store(holds_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void Release();
  // From any thread.
  bool is_held() const { return holds_.load(std::memory_order_relaxed) > 0; }

  // Runs a task on the loop's thread; what is posted after Stop is dropped. From any thread.
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs a task on the loop's thread when `delay` has passed; what has not run when the loop stops never runs. Only on
  // the loop's thread.
  TimerId RunAfter(absl::Duration delay, Task task);

  // Forgets a timer; one that has run is ignored. Only on the loop's thread.
  void Cancel(TimerId id);

  // Runs a task on the loop's thread when it has handled all events at hand, and what OnDrained asks for; or a good
  // number of events where they never end. Then it looks for events again before the next such task. While calls
  // arrive, such tasks get a part of the loop's time, in short bursts (see IdleBudget). For long work in short pieces:
  // Post would let it run before what has arrived meanwhile. Only on the loop's thread.
  void RunWhenIdle(Task task) { idle_tasks_.push_back(std::move(task)); }

  // Tells that a client wants something, which work for idle times has to give way to. Only on the loop's thread.
  void NoteCall() { idle_budget_.NoteCall(); }

  // Adds a function that is called on the loop's thread when it has handled all events at hand, or a good number of
  // them where they never end. Before Start.
  void OnDrained(Task task) { on_drained_.push_back(std::move(task)); }

  // Asks for the OnDrained functions before the loop blocks the next time; without it they are not called. Only on the
  // loop's thread; Post does it for others.
  void RequestDrain() { drain_requested_ = true; }

  bool IsCurrentThread() const { return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed); }

 private:
  class WakeTag final : public Tag {
   public:
    explicit WakeTag(EventLoop* loop) : loop_(loop) {}
    void Complete(bool) override { loop_->RunPosted(); }

   private:
    EventLoop* const loop_;
  };

  void Run();
  void ShutDown() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunPosted() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunDrained();
  void RunIdle();
  void RunDueTimers();
  // When there is something to do, whether or not events come.
  gpr_timespec NextDeadline() const;

  const std::unique_ptr<grpc::CompletionQueue> queue_;
  std::vector<Task> on_drained_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};

  std::atomic<int> holds_ = 0;  // written by the loop's thread alone

  // Of the loop's thread alone.
  bool stop_requested_ = false;
  bool drain_requested_ = false;
  int events_before_idle_ = 0;  // since something has waited for the queue to be empty
  std::deque<Task> idle_tasks_;
  IdleBudget idle_budget_;
  bool idle_is_paused_ = false;
  Time idle_allowed_at_;  // when the next of `idle_tasks_` may run, where they are paused
  uint64_t next_timer_ = 0;
  std::map<TimerId, Task> timers_;

  WakeTag wake_tag_{this};
  Mutex mutex_;
  grpc::Alarm wake_alarm_ ABSL_GUARDED_BY(mutex_);
  bool wake_pending_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kvs::rpc
