#include "kvs_server/journal/journal.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"

namespace kvs::server {

Journal::Journal(JournalOptions options)
    : options_(options),
      replayed_(options.is_volatile),
      state_(options.is_volatile ? LedgerState::kNone : LedgerState::kWaiting),
      detail_(options.is_volatile ? "nothing is persisted: everything is forgotten when the server stops" : ""),
      window_(options.max_pending_bytes) {}

absl::Status Journal::CheckWritable(absl::Span<const EncodedTransaction> transactions) const {
  if (!IsWritable(state_)) {
    const absl::string_view advice =
        IsFinal(state_)
            ? "; this does not end by itself: reads are still served, so save what is here with `kvs export` "
              "before anything is restarted"
            : "; reads are still served, and it is safe to try again";
    const absl::Status error = Error(
        errors::kNotApplied, absl::StrCat("nothing was changed: the ledger cannot persist it (", detail_, ")", advice));
    return IsFinal(state_) ? WithMetadata(error, "until_restart", "true") : error;
  }
  if (absl::Status status = CheckWaitsLocked(); !status.ok()) return status;
  if (!window_.HasRoomFor(transactions)) {
    return Error(
        errors::kPendingWindowFull,
        absl::StrCat("nothing was changed: ", window_.bytes(), " bytes wait for the ledger already; try again later"),
        {{"limit", absl::StrCat(window_.max_bytes())}});
  }
  return absl::OkStatus();
}

absl::Status Journal::CheckWaitsLocked() const {
  if (waiters_.size() < options_.max_waiting_replies) return absl::OkStatus();
  return Error(
      errors::kTooManyWaiting,
      absl::StrCat("nothing was changed: ", waiters_.size(), " replies wait for the ledger already; try again later"),
      {{"limit", absl::StrCat(options_.max_waiting_replies)}});
}

absl::Status Journal::CheckWaits() const {
  MutexLock lock(&mutex_);
  return CheckWaitsLocked();
}

absl::StatusOr<Stamp> Journal::Enqueue(absl::Span<EncodedTransaction> transactions) {
  const int64_t now_micros = NowMicros();
  Stamp stamp;
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = CheckWritable(transactions); !status.ok()) return status;
    if (options_.is_volatile) {
      stamp = window_.Assign(transactions, now_micros);
      durable_revision_.store(window_.latest_revision(), std::memory_order_release);
      return stamp;
    }
    stamp = window_.Add(transactions, now_micros);
  }
  NotifyLoop();
  return stamp;
}

int64_t Journal::NowMicros() { return NotBefore(absl::ToUnixMicros(options_.clock())); }

int64_t Journal::NotBefore(int64_t micros) {
  int64_t newest = newest_time_micros_.load(std::memory_order_relaxed);
  while (newest < micros && !newest_time_micros_.compare_exchange_weak(newest, micros)) {
  }
  return std::max(newest, micros);
}

void Journal::NotifyLoop() {
  if (loop_->IsCurrentThread()) {
    loop_->RequestDrain();
  } else if (!notified_.exchange(true)) {
    // Running the task makes the loop call its OnDrained functions, which send what is pending.
    loop_->Post([this] { notified_ = false; });
  }
}

void Journal::WhenDurable(uint64_t revision, Waiters::Callback callback) {
  Durability durability = Durability::kDurable;
  if (revision > durable_revision()) {
    MutexLock lock(&mutex_);
    if (revision > durable_revision()) {
      if (IsWritable(state_) && !abandoned_) {
        waiters_.Add(revision, absl::Now() + options_.max_commit_wait, std::move(callback));
        return;
      }
      durability = WhatIsPending();
    }
  }
  callback(durability);
}

uint64_t Journal::latest_revision() const {
  MutexLock lock(&mutex_);
  return window_.latest_revision();
}

JournalStatus Journal::status() const {
  MutexLock lock(&mutex_);
  JournalStatus status;
  status.state = state_;
  status.detail = detail_;
  status.log_id = log_id_;
  status.epoch = epoch_;
  status.latest_revision = window_.latest_revision();
  status.durable_revision = durable_revision();
  status.pending_bytes = window_.bytes();
  status.max_pending_bytes = window_.max_bytes();
  status.waiting_replies = waiters_.size();
  status.replay_revision = replay_revision_;
  status.replay_last_revision = replay_last_revision_;
  return status;
}

void Journal::Abandon() {
  std::vector<Waiters::Callback> callbacks;
  {
    MutexLock lock(&mutex_);
    abandoned_ = true;
    callbacks = waiters_.TakeAll();
  }
  Call(std::move(callbacks), Durability::kUnknown);
}

Durability Journal::WhatIsPending() const {
  // Who has fenced this server may have newer changes.
  return IsFinal(state_) && state_ != LedgerState::kFenced ? Durability::kLost : Durability::kUnknown;
}

void Journal::SetState(LedgerState state, absl::string_view detail) {
  std::vector<Waiters::Callback> callbacks;
  Durability pending = Durability::kUnknown;
  {
    MutexLock lock(&mutex_);
    state_ = state;
    detail_ = std::string(detail);
    pending = WhatIsPending();
    if (!IsWritable(state)) callbacks = waiters_.TakeAll();
  }
  Call(std::move(callbacks), pending);
}

void Journal::SetLedger(absl::string_view log_id, uint64_t epoch, uint64_t durable_revision) {
  MutexLock lock(&mutex_);
  log_id_ = std::string(log_id);
  epoch_ = epoch;
  replay_last_revision_ = durable_revision;
}

void Journal::Replayed(uint64_t revision, int64_t time_micros) {
  MutexLock lock(&mutex_);
  window_.StartAfter(revision, time_micros);
  NotBefore(time_micros);
  replay_revision_ = revision;
  durable_revision_.store(revision, std::memory_order_release);
}

void Journal::ReplayedPart(uint64_t revision) {
  MutexLock lock(&mutex_);
  replay_revision_ = revision;
}

void Journal::ReplayEnded() {
  MutexLock lock(&mutex_);
  replay_revision_ = 0;
  replay_last_revision_ = 0;
  replayed_.store(true, std::memory_order_release);
}

std::shared_ptr<const PendingWindow::Frame> Journal::NextToSend() {
  MutexLock lock(&mutex_);
  return window_.NextToSend();
}

bool Journal::Acknowledge(uint64_t revision) {
  std::vector<Waiters::Callback> callbacks;
  {
    MutexLock lock(&mutex_);
    if (revision > window_.sent_revision()) return false;
    if (revision <= durable_revision()) return true;
    window_.Trim(revision);
    durable_revision_.store(revision, std::memory_order_release);
    callbacks = waiters_.TakeUpTo(revision);
  }
  Call(std::move(callbacks), Durability::kDurable);
  return true;
}

void Journal::Rewind() {
  MutexLock lock(&mutex_);
  window_.Rewind();
}

void Journal::ExpireWaits(absl::Time now) {
  std::vector<Waiters::Callback> callbacks;
  {
    MutexLock lock(&mutex_);
    callbacks = waiters_.TakeExpired(now);
  }
  Call(std::move(callbacks), Durability::kUnknown);
}

uint64_t Journal::sent_revision() const {
  MutexLock lock(&mutex_);
  return window_.sent_revision();
}

void Journal::Call(std::vector<Waiters::Callback> callbacks, Durability durability) {
  for (Waiters::Callback& callback : callbacks) callback(durability);
}

}  // namespace kvs::server
