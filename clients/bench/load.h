// Makes load on a server, and measures how it is answered.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>

#include "clients/bench/histogram.h"
#include "clients/bench/options.h"
#include "clients/bench/workload.h"

namespace kvs::bench {

// What was measured, in the time after the warm-up but for what says otherwise.
struct LoadResult {
  Histogram nanoseconds;  // that a message took until its answer had arrived; at a rate also after the end
  uint64_t messages = 0;
  uint64_t operations = 0;
  double seconds = 0;

  // Over all of the time, the warm-up and the end included.
  uint64_t operations_in_all = 0;
  uint64_t failed_operations = 0;
  uint64_t unsent_messages = 0;  // that were due at the rate, but too many others were under way
  absl::Status first_error;
  double seconds_in_all = 0;
  double cpu_seconds = 0;  // that this process took

  // Why it ended early, if it did: the error of the last message if a thousand failed in a row, or if a stream broke;
  // DEADLINE_EXCEEDED if nothing was answered for as long as the patience. It may have ended in the warm-up.
  absl::Status failure;

  double MessagesPerSecond() const { return static_cast<double>(messages) / seconds; }
  double OperationsPerSecond() const { return static_cast<double>(operations) / seconds; }
};

// A channel to the server whose connection no other one shares.
using MakeChannel = absl::FunctionRef<absl::StatusOr<std::shared_ptr<grpc::Channel>>()>;

// Connects and sends the workload for as long as `options` say; their verb, batch and key settings do not matter here
// beside keys. kUnreachable without a connection within the patience.
absl::StatusOr<LoadResult> RunLoad(const Options& options, const Workload& workload, MakeChannel make_channel);

// Sends the messages of a fill over as many connections as `options` say.
absl::StatusOr<LoadResult> RunFill(const Options& options, const Fill& fill, MakeChannel make_channel);

}  // namespace kvs::bench
