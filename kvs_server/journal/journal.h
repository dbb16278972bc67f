// Journal: the client side of the ledger. Gives mutations their place in the total order, keeps them until they are
// durable, and tells those who wait.
//
// 1. A mutation is either refused before it gets a revision, or it keeps its revision and is sent, again where needed,
// until the
//    ledger has it. Nothing is rolled back.
// 2. Reads and writes wait in the same place: WhenDurable. No thread blocks.
// 3. LedgerLink moves what is pending to the ledger and reports back; it alone calls the second half of the interface.
//
// Thread-safety: everything may be called from any thread. Callbacks of WhenDurable are called without a lock held, on
// the caller's thread if the answer is known, on the first event loop otherwise.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/limits.h"
#include "common/model/transaction_codec.h"
#include "common/rpc/event_loop.h"
#include "common/sync.h"
#include "kvs_server/journal/pending_window.h"
#include "kvs_server/journal/waiters.h"

namespace kvs::server {

struct JournalOptions {
  // There is no ledger and no LedgerLink: whatever gets a revision counts as durable at once.
  bool is_volatile = false;
  size_t max_pending_bytes = kDefaultMaxPendingBytes;
  size_t max_waiting_replies = kDefaultMaxWaitingReplies;
  absl::Duration max_commit_wait = absl::Seconds(5);
  // The clock that transactions are stamped with and expiries are measured by; it may be set back at any time.
  std::function<absl::Time()> clock = absl::Now;
};

// The link to the ledger; kvs.v1.LedgerState tells users what each means.
enum class LedgerState {
  kWaiting,       // has not answered yet
  kReplaying,     // is being read
  kConnected,     // persists mutations
  kReconnecting,  // was lost a moment ago; mutations queue
  kAway,          // the circuit breaker is open: mutations are refused
  kReadOnly,      // has no space: as kAway
  kRefused,       // can never accept what is pending: as kAway, for good
  kFenced,        // belongs to another writer: as kAway, for good
  kDataLoss,      // holds less than it acknowledged: as kAway, for good
  kNone,          // there is none, and there never was
};

// Whether mutations are accepted in this state.
inline bool IsWritable(LedgerState state) {
  return state == LedgerState::kConnected || state == LedgerState::kReconnecting || state == LedgerState::kNone;
}

// Whether the ledger takes nothing any more from this server, for good.
inline bool IsFinal(LedgerState state) {
  return state == LedgerState::kRefused || state == LedgerState::kFenced || state == LedgerState::kDataLoss;
}

struct JournalStatus {
  LedgerState state = LedgerState::kWaiting;
  std::string detail;  // why the state is not kConnected, for people
  std::string log_id;  // 16 bytes; empty before the ledger was opened
  uint64_t epoch = 0;
  uint64_t latest_revision = 0;
  uint64_t durable_revision = 0;
  size_t pending_bytes = 0;
  size_t max_pending_bytes = 0;
  size_t waiting_replies = 0;
  uint64_t replay_revision = 0;       // how far the replay is, while it is under way
  uint64_t replay_last_revision = 0;  // where it ends
};

class Journal {
 public:
  explicit Journal(JournalOptions options);

  // The loop that polls the link, which is told when something is pending. Called once, before any call of Enqueue;
  // not at all without a ledger.
  void SetLoop(rpc::EventLoop* loop) { loop_ = loop; }

  // Gives the transactions of one mutation consecutive revisions and one time, and queues them for the ledger.
  // NOT_APPLIED while the ledger is away, PENDING_WINDOW_FULL or TOO_MANY_WAITING past the bounds: then nothing
  // happened.
  absl::StatusOr<Stamp> Enqueue(absl::Span<EncodedTransaction> transactions) ABSL_LOCKS_EXCLUDED(mutex_);

  // TOO_MANY_WAITING if so many replies wait that one more has to do without. For replies of what has changed nothing:
  // Enqueue has looked already.
  absl::Status CheckWaits() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls back with kDurable when `revision` is durable; with kUnknown after max_commit_wait, or at once while the
  // ledger is away, or when Abandon is called; with kLost at once where the ledger has lost data or refuses what is
  // pending.
  void WhenDurable(uint64_t revision, Waiters::Callback callback) ABSL_LOCKS_EXCLUDED(mutex_);

  // The time that expiries are measured against, in microseconds since 1970: that of the clock, but never less than
  // that of a transaction, nor than what was returned before. A clock that is set back makes it stand still.
  int64_t NowMicros();

  // The newest revision that is durable.
  uint64_t durable_revision() const { return durable_revision_.load(std::memory_order_acquire); }

  // The newest revision that was given out, durable or not.
  uint64_t latest_revision() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the replay is over, so that the state can be read.
  bool replayed() const { return replayed_.load(std::memory_order_acquire); }

  JournalStatus status() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends every wait as kUnknown, also those that are still to come; for the end of a drain.
  void Abandon() ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- For LedgerLink, on the loop's thread. ----

  void SetState(LedgerState state, absl::string_view detail) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLedger(absl::string_view log_id, uint64_t epoch, uint64_t durable_revision) ABSL_LOCKS_EXCLUDED(mutex_);
  // During a replay: this revision has been read.
  void Replayed(uint64_t revision, int64_t time_micros) ABSL_LOCKS_EXCLUDED(mutex_);
  // So much of a snapshot was read, as a share of its revision.
  void ReplayedPart(uint64_t revision) ABSL_LOCKS_EXCLUDED(mutex_);
  // The replay is over, mutations follow.
  void ReplayEnded() ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<const PendingWindow::Frame> NextToSend() ABSL_LOCKS_EXCLUDED(mutex_);
  // Everything up to `revision` is durable. False if the journal has never given out that revision.
  bool Acknowledge(uint64_t revision) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends what is not durable once more.
  void Rewind() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends waits that took longer than max_commit_wait.
  void ExpireWaits(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t sent_revision() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void NotifyLoop() ABSL_LOCKS_EXCLUDED(mutex_);
  // How a wait ends that this state ends.
  Durability WhatIsPending() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The newest time so far, this one included.
  int64_t NotBefore(int64_t micros);
  static void Call(std::vector<Waiters::Callback> callbacks, Durability durability);
  absl::Status CheckWritable(absl::Span<const EncodedTransaction> transactions) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckWaitsLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const JournalOptions options_;
  rpc::EventLoop* loop_ = nullptr;
  std::atomic<uint64_t> durable_revision_{0};
  std::atomic<int64_t> newest_time_micros_{0};
  std::atomic<bool> replayed_{false};
  std::atomic<bool> notified_{false};

  mutable Mutex mutex_;
  LedgerState state_ ABSL_GUARDED_BY(mutex_) = LedgerState::kWaiting;
  std::string detail_ ABSL_GUARDED_BY(mutex_);
  std::string log_id_ ABSL_GUARDED_BY(mutex_);
  uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t replay_revision_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t replay_last_revision_ ABSL_GUARDED_BY(mutex_) = 0;
  PendingWindow window_ ABSL_GUARDED_BY(mutex_);
  Waiters waiters_ ABSL_GUARDED_BY(mutex_);
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kvs::server
