#include "common/rpc/event_loop.h"

#include <grpc/support/time.h>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "common/latch.h"
#include "tests/support/catch.h"

namespace kvs::rpc {
namespace {

class Loop {
 public:
  EventLoop* operator->() { return &loop_; }
  EventLoop& operator*() { return loop_; }

  // Runs a task on the loop and waits for it.
  template <class Task>
  void Run(Task task) {
    Latch done;
    loop_.Post([&] {
      task();
      done.CountDown();
    });
    done.Wait();
  }

 private:
  EventLoop loop_{std::make_unique<grpc::CompletionQueue>()};
};

TEST_CASE("an event loop that was never started can be destroyed") { Loop loop; }

TEST_CASE("posted tasks run on the thread of the loop, in order") {
  Loop loop;
  CHECK_FALSE(loop->IsCurrentThread());
  loop->Start();
  std::vector<int> order;
  bool on_loop = false;
  for (int i = 0; i < 100; ++i) loop->Post([&order, i] { order.push_back(i); });
  loop.Run([&] { on_loop = loop->IsCurrentThread(); });
  CHECK(on_loop);
  CHECK_FALSE(loop->IsCurrentThread());
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("tasks posted before the start and by tasks run") {
  Loop loop;
  Latch done;
  loop->Post([&] { loop->Post([&] { loop->Post([&] { done.CountDown(); }); }); });
  loop->Start();
  done.Wait();
}

TEST_CASE("tasks posted by many threads all run, those of each thread in order") {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  Loop loop;
  loop->Start();
  std::map<int, std::vector<int>> ran;  // of the loop's thread
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kTasks; ++i) loop->Post([&ran, thread, i] { ran[thread].push_back(i); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  loop->Stop();
  for (int thread = 0; thread < kThreads; ++thread) {
    CHECK(ran[thread].size() == kTasks);
    CHECK(std::is_sorted(ran[thread].begin(), ran[thread].end()));
  }
}

TEST_CASE("what is posted after the stop is dropped, also when both happen at once") {
  for (int round = 0; round < 50; ++round) {
    Loop loop;
    loop->Start();
    std::atomic<int> ran{0};
    std::atomic<bool> stopped{false};
    std::thread poster([&] {
      while (!stopped) loop->Post([&] { ran++; });
    });
    while (ran == 0) std::this_thread::yield();
    loop->Stop();
    const int at_stop = ran;
    stopped = true;
    poster.join();
    loop->Post([&] { ran++; });
    CHECK(ran == at_stop);
  }
}

TEST_CASE("operations of the queue complete their tags") {
  Loop loop;
  loop->Start();
  Latch fired;
  bool on_loop = false;
  CallbackTag tag([&](bool ok) {
    on_loop = ok && loop->IsCurrentThread();
    fired.CountDown();
  });
  grpc::Alarm alarm;
  alarm.Set(loop->queue(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &tag);
  fired.Wait();
  CHECK(on_loop);
}

TEST_CASE("who holds the loop can start operations until it lets go, however long after the call of Stop") {
  Loop loop;
  int left = 100;
  grpc::Alarm alarm;
  std::unique_ptr<CallbackTag> tag;
  const auto next = [&] { alarm.Set(loop->queue(), gpr_inf_past(GPR_CLOCK_MONOTONIC), tag.get()); };
  tag = std::make_unique<CallbackTag>([&](bool) {
    if (--left > 0) {
      next();
    } else {
      loop->Release();
    }
  });
  loop->Hold();
  loop->Start();
  next();
  loop->Stop();
  CHECK(left == 0);
}

TEST_CASE("timers run in the order of their times") {
  Loop loop;
  loop->Start();
  std::vector<int> order;
  Latch done;
  const auto start = std::chrono::steady_clock::now();
  loop.Run([&] {
    loop->RunAfter(absl::Milliseconds(30), [&] {
      order.push_back(3);
      done.CountDown();
    });
    loop->RunAfter(absl::Milliseconds(10), [&] { order.push_back(1); });
    loop->RunAfter(absl::Milliseconds(20), [&] { order.push_back(2); });
    loop->RunAfter(absl::ZeroDuration(), [&] { order.push_back(0); });
  });
  done.Wait();
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(30));
  CHECK(order == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("a cancelled timer does not run, and one that has run can be cancelled") {
  Loop loop;
  loop->Start();
  bool cancelled_ran = false;
  EventLoop::TimerId first;
  Latch first_ran;
  Latch done;
  loop.Run([&] {
    first = loop->RunAfter(absl::ZeroDuration(), [&] { first_ran.CountDown(); });
    const auto id = loop->RunAfter(absl::Milliseconds(1), [&] { cancelled_ran = true; });
    loop->Cancel(id);
  });
  first_ran.Wait();
  loop.Run([&] {
    loop->Cancel(first);
    loop->RunAfter(absl::Milliseconds(10), [&] { done.CountDown(); });
  });
  done.Wait();
  CHECK_FALSE(cancelled_ran);
}

TEST_CASE("a timer can set another, and cancel its neighbour that is due as well") {
  Loop loop;
  loop->Start();
  bool neighbour_ran = false;
  Latch done;
  loop.Run([&] {
    auto neighbour = std::make_shared<EventLoop::TimerId>();
    loop->RunAfter(absl::ZeroDuration(), [&, neighbour] {
      loop->Cancel(*neighbour);
      loop->RunAfter(absl::Milliseconds(1), [&] { done.CountDown(); });
    });
    *neighbour = loop->RunAfter(absl::Nanoseconds(1), [&] { neighbour_ran = true; });
  });
  done.Wait();
  CHECK_FALSE(neighbour_ran);
}

TEST_CASE("timers that are pending at the stop never run and are released") {
  auto held = std::make_shared<int>(0);
  bool ran = false;
  {
    Loop loop;
    loop->Start();
    loop.Run([&] {
      loop->RunAfter(absl::Hours(1), [&ran, held] { ran = true; });
      loop->RunAfter(absl::InfiniteDuration(), [&ran, held] { ran = true; });
    });
    loop->Stop();
  }
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
}

TEST_CASE("the functions for a drained queue run after the tasks at hand") {
  Loop loop;
  std::vector<std::string> events;
  Latch drained;
  loop->OnDrained([&] { events.emplace_back("first"); });
  loop->OnDrained([&] {
    events.emplace_back("second");
    drained.CountDown();
  });
  loop->Post([&] { events.emplace_back("task"); });
  loop->Post([&] { events.emplace_back("task"); });
  loop->Start();
  drained.Wait();
  loop->Stop();
  CHECK(events == std::vector<std::string>{"task", "task", "first", "second"});
}

TEST_CASE("a tag that asks for it gets the queue drained") {
  Loop loop;
  Latch drained;
  loop->OnDrained([&] { drained.CountDown(); });
  CallbackTag tag([&](bool) { loop->RequestDrain(); });
  loop->Start();
  grpc::Alarm alarm;
  alarm.Set(loop->queue(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &tag);
  drained.Wait();
}

TEST_CASE("a loop that is never idle runs the functions for a drained queue all the same") {
  Loop loop;
  std::atomic<bool> stop{false};
  Latch drained;
  loop->OnDrained([&] {
    stop = true;
    drained.CountDown();
  });
  // Two tasks that post themselves again keep an event in the queue.
  std::function<void()> again = [&] {
    if (!stop) loop->Post([&] { again(); });
  };
  loop->Post([&] { again(); });
  loop->Start();
  CHECK(drained.WaitFor(absl::Seconds(10)));
  stop = true;
  loop->Stop();
}

TEST_CASE("idle tasks let what has arrived, and the functions for a drained queue, run first") {
  Loop loop;
  std::vector<std::string> events;
  Latch done;
  loop->OnDrained([&] { events.emplace_back("drained"); });
  loop->Post([&] {
    loop->RunWhenIdle([&] {
      events.emplace_back("first idle");
      loop->Post([&] { events.emplace_back("posted by it"); });
    });
    loop->RunWhenIdle([&] {
      events.emplace_back("second idle");
      done.CountDown();
    });
    loop->Post([&] { events.emplace_back("posted before"); });
  });
  loop->Start();
  done.Wait();
  loop->Stop();
  CHECK(events ==
        std::vector<std::string>{"posted before", "drained", "first idle", "posted by it", "drained", "second idle"});
}

TEST_CASE("a loop that is never idle runs idle tasks all the same") {
  Loop loop;
  std::atomic<bool> stop{false};
  Latch ran;
  std::function<void()> again = [&] {
    if (!stop) loop->Post([&] { again(); });
  };
  loop->Post([&] {
    loop->RunWhenIdle([&] { ran.CountDown(); });
    again();
  });
  loop->Start();
  CHECK(ran.WaitFor(absl::Seconds(10)));
  stop = true;
  loop->Stop();
}

TEST_CASE("idle tasks give way to calls, and go on when these have ended") {
  Loop loop;
  constexpr int kPieces = 30;
  constexpr std::chrono::microseconds kPiece(100);
  int pieces = 0;
  Latch done;
  std::function<void()> work = [&] {
    loop->NoteCall();
    const auto end = std::chrono::steady_clock::now() + kPiece;
    while (std::chrono::steady_clock::now() < end) {
    }
    if (++pieces == kPieces) return done.CountDown();
    loop->RunWhenIdle([&] { work(); });
  };
  const auto begin = std::chrono::steady_clock::now();
  loop->Post([&] { work(); });
  loop->Start();
  done.Wait();
  const auto took = std::chrono::steady_clock::now() - begin;
  loop->Stop();
  // The first piece is no idle task, the first window may be over at once, and each may have a piece more.
  const int windows = (kPieces - 1) / (IdleBudget::kShare / kPiece + 1) - 1;
  CHECK(took >= (windows - 1) * IdleBudget::kWindow);
}

}  // namespace
}  // namespace kvs::rpc
