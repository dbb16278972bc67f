// One thread that makes load over one completion queue.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "clients/bench/load.h"
#include "clients/bench/workload.h"

namespace kvs::bench {

// What a runner does.
struct Plan {
  uint64_t outstanding = 1;  // a multiple of the number of channels
  double rate = 0;           // messages a second; 0 for a closed loop
  absl::Duration warmup;
  absl::Duration duration;
  absl::Duration patience;
  uint64_t messages = 0;  // how many at most; 0 for no limit
  KeyNumbers numbers;
  uint32_t seed = 1;
};

// Sends messages over one connection. Its operations are on the queue of its runner.
class Sender {
 public:
  virtual ~Sender() = default;
  // Sends the next message, which was due at this time, and tells the runner when it is answered. A sender is ready for
  // as many at a time as AddReady was called for it.
  virtual void Send(int64_t due_nanos) = 0;
  // Ends what is under way. Called once, after the last Send.
  virtual void Close() = 0;
};

// Used by one thread.
class Runner {
 public:
  // `workload` outlives it.
  Runner(Plan plan, const Workload& workload, const std::vector<std::shared_ptr<grpc::Channel>>& channels);
  ~Runner();

  absl::Status Run();
  const LoadResult& result() const { return result_; }

  // For senders.
  grpc::CompletionQueue* queue() { return &queue_; }
  const Workload& workload() const { return workload_; }
  const Message& NextMessage();
  grpc::ByteBuffer MakeRequest(const Message& message) { return message.request.Make(plan_.numbers); }
  // How many operations failed by this response, or all of them by the error.
  uint32_t FailedBy(const Message& message, const grpc::ByteBuffer& response);
  uint32_t FailedBy(const absl::Status& error);
  // A message was answered, or will never be.
  void Answered(Sender* sender, int64_t due_nanos, uint32_t failed_operations);
  // A stream began, which keeps the runner from ending, or it is over.
  void Opened() { ++open_; }
  void Closed() { --open_; }
  // Ends the run with this error.
  void Fail(const absl::Status& error);

 private:
  bool IsOver(int64_t now) const;
  void SendReady(int64_t now);
  gpr_timespec NextDeadline(int64_t now) const;
  void Close();

  Plan plan_;
  const Workload& workload_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::deque<Sender*> ready_;
  std::mt19937 random_;
  uint64_t under_way_ = 0;
  uint64_t open_ = 0;
  uint64_t sent_ = 0;
  uint64_t failures_in_a_row_ = 0;  // messages of which everything failed
  bool is_closing_ = false;
  absl::Status failure_;

  int64_t begin_ = 0;
  int64_t count_from_ = 0;
  int64_t end_ = 0;
  int64_t last_answer_ = 0;
  double next_due_ = 0;
  LoadResult result_;
};

}  // namespace kvs::bench
