// LinkFixture: a link to a scripted ledger, and what it tells its owner.
#pragma once

#include <grpcpp/completion_queue.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/latch.h"
#include "common/rpc/event_loop.h"
#include "common/sync.h"
#include "kvs_server/journal/journal.h"
#include "kvs_server/journal/ledger_link.h"
#include "kvs_server/store/parallel_apply.h"
#include "kvs_server/store/store.h"
#include "tests/kvs_server/support/scripted_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/log_capture.h"

namespace kvs::server {

using States = std::vector<LedgerState>;

inline absl::Status Away(absl::string_view why = "gone") { return absl::UnavailableError(why); }

// Scripts run on threads of the ledger until the fixture goes: they use its members, not what belongs to the test.
class LinkFixture {
 protected:
  explicit LinkFixture(absl::Duration max_commit_wait = absl::Seconds(60))
      : journal_(JournalOptions{.max_commit_wait = max_commit_wait}) {
    options_.min_backoff = absl::Milliseconds(1);
    options_.max_backoff = absl::Milliseconds(20);
    options_.heartbeat_interval = absl::Milliseconds(20);
    options_.silence_timeout = absl::Seconds(30);
    options_.call_timeout = absl::Seconds(30);
    journal_.SetLoop(&loop_);
  }
  ~LinkFixture() {
    release_.CountDown();
    if (link_) link_->Stop();
    loop_.Stop();
  }

  void Start() {
    LedgerLinkEvents events;
    events.apply = [this](const std::shared_ptr<const void>& message, ParallelApply::Read read) {
      return apply_.Apply(message, [&](std::vector<Transaction>& transactions) {
        const absl::Status status = read(transactions);
        MutexLock lock(&mutex_);
        for (const Transaction& transaction : transactions) applied_.push_back(transaction.revision);
        return status;
      });
    };
    events.finish_apply = [this] { return apply_.Finish(); };
    events.remember = [this](const RememberedRequest& request) { store_.requests().Add(request); };
    events.clear = [this] {
      MutexLock lock(&mutex_);
      applied_.clear();
      ++cleared_;
      store_.Clear();
    };
    events.replayed = [this] {
      MutexLock lock(&mutex_);
      ++replayed_;
    };
    events.state_changed = [this](LedgerState state) {
      MutexLock lock(&mutex_);
      states_.push_back(state);
      durable_ = journal_.durable_revision();
      changed_.SignalAll();
    };
    events.fatal = [this](const absl::Status& status) {
      MutexLock lock(&mutex_);
      fatal_.push_back(status);
      channels_at_fatal_ = channels_;
      changed_.SignalAll();
    };
    const auto channel = [this] {
      channels_++;
      return channel_;
    };
    link_ = std::make_unique<LedgerLink>(options_, channel, &loop_, &journal_, std::move(events));
    loop_.Start();
    link_->Start();
  }
  void StartAndConnect() {
    Start();
    AwaitState(LedgerState::kConnected);
  }
  // The loop runs on without the link.
  void Stop() {
    link_->Stop();
    link_.reset();
  }

  absl::StatusOr<Stamp> Enqueue() {
    Transaction transaction;
    transaction.type = ValueType::kInt;
    transaction.key = "key";
    transaction.operation = operation::Put{int64_t{1}};
    std::vector<EncodedTransaction> encoded;
    encoded.emplace_back(transaction);
    return journal_.Enqueue(absl::MakeSpan(encoded));
  }

  // Waits until the link has told this state `times` times altogether.
  void AwaitState(LedgerState state, ptrdiff_t times = 1) {
    MutexLock lock(&mutex_);
    while (std::count(states_.begin(), states_.end(), state) < times) AwaitChange();
  }
  // REQUIRES: the ledger does not go away before.
  void AwaitDurable(uint64_t revision) {
    Latch durable;
    journal_.WhenDurable(revision, [&](Durability how) {
      CHECK(how == Durability::kDurable);
      durable.CountDown();
    });
    durable.Wait();
  }
  absl::Status AwaitFatal() {
    MutexLock lock(&mutex_);
    while (fatal_.empty()) AwaitChange();
    return fatal_[0];
  }
  // Lets every attempt begin that was put off until now: timers of a loop run in order.
  void LetAttemptsBegin() { LetPass(options_.max_backoff * 2); }
  void LetPass(absl::Duration duration) {
    Latch passed;
    loop_.Post([&] { loop_.RunAfter(duration, [&] { passed.CountDown(); }); });
    passed.Wait();
  }

  // The states so far, repetitions left out.
  States DistinctStates() {
    MutexLock lock(&mutex_);
    States states = states_;
    states.erase(std::unique(states.begin(), states.end()), states.end());
    return states;
  }
  // What was durable when the link last told a state.
  uint64_t DurableAtLastState() {
    MutexLock lock(&mutex_);
    return durable_;
  }
  size_t StateCount() {
    MutexLock lock(&mutex_);
    return states_.size();
  }
  // Since the state was forgotten the last time.
  std::vector<uint64_t> Applied() {
    MutexLock lock(&mutex_);
    return applied_;
  }
  size_t FatalCount() {
    MutexLock lock(&mutex_);
    return fatal_.size();
  }
  // How often the link asked for a channel since a fatal event, which it does before each attempt.
  int AttemptsSinceFatal() {
    MutexLock lock(&mutex_);
    return channels_ - channels_at_fatal_;
  }
  int ClearedCount() {
    MutexLock lock(&mutex_);
    return cleared_;
  }
  int ReplayedCount() {
    MutexLock lock(&mutex_);
    return replayed_;
  }

  // For scripts: what the test looks at afterwards.
  void Remember(const std::string& note) {
    MutexLock lock(&mutex_);
    notes_.push_back(note);
  }
  std::vector<std::string> Notes() {
    MutexLock lock(&mutex_);
    return notes_;
  }

 private:
  void AwaitChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (changed_.WaitWithTimeout(&mutex_, absl::Seconds(30))) FAIL("what the test waits for did not happen");
  }

  Mutex mutex_;
  CondVar changed_;
  States states_ ABSL_GUARDED_BY(mutex_);
  uint64_t durable_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<uint64_t> applied_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Status> fatal_ ABSL_GUARDED_BY(mutex_);
  int channels_at_fatal_ ABSL_GUARDED_BY(mutex_) = 0;
  int replayed_ ABSL_GUARDED_BY(mutex_) = 0;
  int cleared_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mutex_);

 protected:
  Latch release_;                 // for scripts that wait for the test
  Latch heard_{3};                // for scripts that the test waits for
  std::atomic<int> channels_{0};  // how often the link asked for one
  LogCapture log_;
  ScriptedLedger ledger_;
  std::shared_ptr<grpc::Channel> channel_ = ledger_.Connect();
  LedgerLinkOptions options_;
  Store store_{2};  // what is replayed
  ParallelApply apply_{&store_, 2};
  Journal journal_;
  rpc::EventLoop loop_{std::make_unique<grpc::CompletionQueue>()};
  std::unique_ptr<LedgerLink> link_;
};

}  // namespace kvs::server
