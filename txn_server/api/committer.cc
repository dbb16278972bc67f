#include "txn_server/api/committer.h"

#include <utility>

#include "common/errors.h"
#include "common/limits.h"
#include "common/logging/logging.h"

namespace kvs::txn {
namespace {

// How long nothing must come before the log is told that it is idle: long enough not to disturb a steady writer.
constexpr absl::Duration kIdleAfter = absl::Milliseconds(500);

}  // namespace

Committer::Committer(TxnLog* log, Committed committed)
    : log_(log), committed_(std::move(committed)), thread_([this] { Loop(); }) {}

Committer::~Committer() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    work_.Signal();
  }
  thread_.join();
}

void Committer::Append(uint64_t epoch, QueuedFrame frame) {
  MutexLock lock(&mutex_);
  const bool fits = !queue_.empty() && queue_.back().group && queue_.back().epoch == epoch &&
                    queue_.back().bytes + frame.transactions.size() <= kMaxFrameBytes;
  if (!fits) {
    Entry& opened = queue_.emplace_back();
    opened.epoch = epoch;
    opened.group = log_->NewGroup();
  }
  Entry& last = queue_.back();
  const QueuedFrame& kept = last.frames.emplace_back(std::move(frame));
  last.bytes += kept.transactions.size();
  last.group->Add(Frame{kept.first_revision, kept.count, kept.transactions});
  work_.Signal();
}

size_t Committer::DropQueued() {
  MutexLock lock(&mutex_);
  size_t bytes = 0;
  std::deque<Entry> jobs;
  for (Entry& entry : queue_) {
    if (entry.job) {
      jobs.push_back(std::move(entry));
    } else {
      bytes += entry.bytes;
    }
  }
  queue_ = std::move(jobs);
  return bytes;
}

void Committer::Run(Job job) {
  MutexLock lock(&mutex_);
  queue_.emplace_back().job = std::move(job);
  work_.Signal();
}

bool Committer::WaitForWork() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      while (queue_.empty() && !stopping_) {
        if (idle_told_) {
          work_.Wait(&mutex_);
        } else if (work_.WaitWithTimeout(&mutex_, kIdleAfter)) {
          break;
        }
      }
      if (!queue_.empty()) return true;
      if (stopping_) return false;
    }
    idle_told_ = true;
    if (absl::Status status = log_->Idle(); Is(status, errors::kLogFailed)) {
      committed_(status, 0);
    } else if (!status.ok()) {
      LogWarn("the log could not be sealed while idle", {{"status", status}});
    }
  }
}

std::optional<Committer::Entry> Committer::TakeNext() {
  MutexLock lock(&mutex_);
  if (queue_.empty()) return std::nullopt;
  std::optional<Entry> next(std::move(queue_.front()));
  queue_.pop_front();
  return next;
}

void Committer::Loop() {
  while (WaitForWork()) {
    std::optional<Entry> next = TakeNext();
    if (!next) continue;
    if (next->job) {
      next->job(*log_);
    } else {
      committed_(next->group->Append(next->epoch), next->bytes);
    }
    idle_told_ = false;
  }
}

}  // namespace kvs::txn
