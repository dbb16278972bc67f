#include "txn_server/api/committer.h"

#include <utility>
#include <vector>

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
  queue_.push_back(Entry{epoch, std::move(frame), nullptr});
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
      bytes += entry.frame.transactions.size();
    }
  }
  queue_ = std::move(jobs);
  return bytes;
}

void Committer::Run(Job job) {
  MutexLock lock(&mutex_);
  queue_.push_back(Entry{0, QueuedFrame{}, std::move(job)});
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

std::deque<Committer::Entry> Committer::TakeGroup() {
  MutexLock lock(&mutex_);
  std::deque<Entry> group;
  size_t bytes = 0;
  while (!queue_.empty()) {
    Entry& next = queue_.front();
    bytes += next.frame.transactions.size();
    const bool fits = group.empty() ||
                      (!next.job && !group.back().job && bytes <= kMaxFrameBytes && next.epoch == group.back().epoch);
    if (!fits) break;
    group.push_back(std::move(next));
    queue_.pop_front();
    if (group.back().job) break;
  }
  return group;
}

void Committer::Commit(const std::deque<Entry>& group) {
  std::vector<Frame> frames;
  frames.reserve(group.size());
  size_t bytes = 0;
  for (const Entry& entry : group) {
    frames.push_back(Frame{entry.frame.first_revision, entry.frame.count, entry.frame.transactions});
    bytes += entry.frame.transactions.size();
  }
  committed_(log_->Append(group.front().epoch, frames), bytes);
}

void Committer::Loop() {
  while (WaitForWork()) {
    std::deque<Entry> group = TakeGroup();
    // What was queued may have been dropped meanwhile.
    if (group.empty()) continue;
    if (group.front().job) {
      group.front().job(*log_);
    } else {
      Commit(group);
    }
    idle_told_ = false;
  }
}

}  // namespace kvs::txn
