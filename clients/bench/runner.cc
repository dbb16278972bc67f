#include "clients/bench/runner.h"

#include <absl/strings/str_cat.h>
#include <grpc/support/time.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <utility>

#include "clients/bench/senders.h"
#include "common/rpc/event_loop.h"

namespace kvs::bench {
namespace {

constexpr uint64_t kMaxFailuresInARow = 1000;
// gRPC waits in whole milliseconds; what is due earlier is waited for by polling.
constexpr int64_t kLeastWaitNanos = 1'000'000;

int64_t Now() {
  const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

gpr_timespec At(int64_t nanos) {
  return {nanos / 1'000'000'000, static_cast<int32_t>(nanos % 1'000'000'000), GPR_CLOCK_MONOTONIC};
}

}  // namespace

Runner::Runner(Plan plan, const Workload& workload, const std::vector<std::shared_ptr<grpc::Channel>>& channels)
    : plan_(std::move(plan)), workload_(workload), random_(plan_.seed) {
  for (uint64_t i = 0; i < plan_.outstanding; ++i) {
    const std::shared_ptr<grpc::Channel>& channel = channels[i % channels.size()];
    if (!workload.is_stream) {
      senders_.push_back(MakeUnarySender(this, channel));
    } else if (i < channels.size()) {
      senders_.push_back(MakeStreamSender(this, channel));
    }
    ready_.push_back(senders_[i % senders_.size()].get());
  }
}

Runner::~Runner() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) continue;
}

const Message& Runner::NextMessage() {
  const auto& messages = workload_.messages;
  return messages.size() == 1 ? messages.front() : messages[random_() % messages.size()];
}

uint32_t Runner::FailedBy(const Message& message, const grpc::ByteBuffer& response) {
  grpc::Slice slice;
  if (!response.TrySingleSlice(&slice).ok() && !response.DumpToSingleSlice(&slice).ok()) slice = grpc::Slice();
  return message.check({reinterpret_cast<const char*>(slice.begin()), slice.size()}, workload_.operations,
                       &result_.first_error);
}

uint32_t Runner::FailedBy(const absl::Status& error) {
  if (!failure_.ok()) return 0;
  result_.first_error.Update(error);
  if (failures_in_a_row_ + 1 == kMaxFailuresInARow) Fail(error);
  return workload_.operations;
}

void Runner::Answered(Sender* sender, int64_t due_nanos, uint32_t failed_operations) {
  const int64_t now = Now();
  last_answer_ = now;
  --under_way_;
  ready_.push_back(sender);
  // What was cancelled then is no answer.
  if (!failure_.ok()) return;
  failures_in_a_row_ = failed_operations == workload_.operations ? failures_in_a_row_ + 1 : 0;
  result_.operations_in_all += workload_.operations;
  result_.failed_operations += failed_operations;
  const auto is_counted = [this](int64_t time) { return time >= count_from_ && time <= end_; };
  if (is_counted(now)) {
    ++result_.messages;
    result_.operations += workload_.operations - failed_operations;
  }
  // At a rate, the latency of what was due in time counts however late its answer is.
  if (is_counted(now) || (plan_.rate > 0 && is_counted(due_nanos))) {
    result_.nanoseconds.Add(static_cast<uint64_t>(std::max<int64_t>(now - due_nanos, 0)));
  }
}

void Runner::Fail(const absl::Status& error) {
  if (is_closing_) return;
  failure_ = error;
  end_ = std::min(end_, last_answer_);
  Close();
}

void Runner::Close() {
  is_closing_ = true;
  for (const std::unique_ptr<Sender>& sender : senders_) sender->Close();
}

bool Runner::IsOver(int64_t now) const {
  return is_closing_ || now >= end_ || (plan_.messages > 0 && sent_ == plan_.messages);
}

void Runner::SendReady(int64_t now) {
  while (!ready_.empty() && !IsOver(now)) {
    int64_t due = now;
    if (plan_.rate > 0) {
      due = static_cast<int64_t>(next_due_);
      if (due > now) return;
      next_due_ += 1e9 / plan_.rate;
    }
    Sender* const sender = ready_.front();
    ready_.pop_front();
    ++under_way_;
    ++sent_;
    sender->Send(due);
  }
}

gpr_timespec Runner::NextDeadline(int64_t now) const {
  int64_t deadline = last_answer_ + absl::ToInt64Nanoseconds(plan_.patience);
  if (plan_.rate > 0 && !ready_.empty() && !IsOver(now)) {
    const auto due = static_cast<int64_t>(next_due_);
    deadline = due - now < kLeastWaitNanos ? now : std::min(deadline, due);
  }
  return At(deadline);
}

absl::Status Runner::Run() {
  begin_ = last_answer_ = Now();
  next_due_ = static_cast<double>(begin_);
  count_from_ = begin_ + absl::ToInt64Nanoseconds(plan_.warmup);
  end_ = count_from_ + absl::ToInt64Nanoseconds(plan_.duration);
  int64_t now = begin_;
  bool is_late = false;
  while (true) {
    // What was due before the end is sent even where this looks a little later.
    SendReady(plan_.rate > 0 && !is_late ? std::min(now, end_ - 1) : now);
    is_late = now >= end_;
    if (under_way_ == 0 && IsOver(now)) {
      if (open_ == 0) break;
      if (!is_closing_) Close();
    }
    void* tag = nullptr;
    bool ok = false;
    const auto next = queue_.AsyncNext(&tag, &ok, NextDeadline(now));
    if (next == grpc::CompletionQueue::GOT_EVENT) static_cast<rpc::Tag*>(tag)->Complete(ok);
    now = Now();
    if (under_way_ == 0) last_answer_ = now;
    if (now - last_answer_ > absl::ToInt64Nanoseconds(plan_.patience)) {
      Fail(
          absl::DeadlineExceededError(absl::StrCat("nothing was answered for ", absl::FormatDuration(plan_.patience))));
      last_answer_ = now;
    }
  }
  result_.seconds = static_cast<double>(std::min(now, end_) - count_from_) / 1e9;
  if (plan_.rate > 0 && failure_.ok()) {
    result_.unsent_messages =
        static_cast<uint64_t>(std::max(0.0, static_cast<double>(end_) - next_due_) * plan_.rate / 1e9);
  }
  result_.seconds_in_all = static_cast<double>(now - begin_) / 1e9;
  return failure_;
}

}  // namespace kvs::bench
