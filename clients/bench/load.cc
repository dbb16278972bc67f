#include "clients/bench/load.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "clients/bench/runner.h"
#include "common/errors.h"

namespace kvs::bench {
namespace {

using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

// Messages of a fill under way on each connection: enough to keep the ledger busy.
constexpr uint64_t kFillOutstanding = 4;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

absl::StatusOr<Channels> Connect(uint64_t count, absl::Duration patience, MakeChannel make_channel) {
  const absl::Time deadline = absl::Now() + patience;
  Channels channels;
  for (uint64_t i = 0; i < count; ++i) {
    auto channel = make_channel();
    if (!channel.ok()) return channel.status();
    channels.push_back(*std::move(channel));
    channels.back()->GetState(/*try_to_connect=*/true);
  }
  for (const auto& channel : channels) {
    if (channel->WaitForConnected(absl::ToChronoTime(deadline))) continue;
    return Error(errors::kUnreachable, absl::StrCat("no connection to the server within ",
                                                    absl::FormatDuration(patience), "; nothing was sent"));
  }
  return channels;
}

// All that its threads measured, and the first failure of one.
LoadResult Run(const std::vector<Plan>& plans, const Workload& workload, const Channels& channels) {
  const double cpu_seconds = CpuSeconds();
  const size_t share = channels.size() / plans.size();
  std::vector<std::unique_ptr<Runner>> runners;
  std::vector<absl::Status> statuses(plans.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < plans.size(); ++i) {
    const auto first = channels.begin() + static_cast<ptrdiff_t>(i * share);
    runners.push_back(
        std::make_unique<Runner>(plans[i], workload, Channels(first, first + static_cast<ptrdiff_t>(share))));
  }
  for (size_t i = 0; i < plans.size(); ++i) {
    threads.emplace_back([&, i] { statuses[i] = runners[i]->Run(); });
  }
  for (std::thread& thread : threads) thread.join();

  LoadResult all;
  for (size_t i = 0; i < plans.size(); ++i) {
    all.failure.Update(statuses[i]);
    const LoadResult& result = runners[i]->result();
    all.nanoseconds.Add(result.nanoseconds);
    all.messages += result.messages;
    all.operations += result.operations;
    all.seconds = std::max(all.seconds, result.seconds);
    all.seconds_in_all = std::max(all.seconds_in_all, result.seconds_in_all);
    all.operations_in_all += result.operations_in_all;
    all.failed_operations += result.failed_operations;
    all.unsent_messages += result.unsent_messages;
    all.first_error.Update(result.first_error);
  }
  all.cpu_seconds = CpuSeconds() - cpu_seconds;
  return all;
}

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const Options& options, const Workload& workload, MakeChannel make_channel) {
  const auto channels = Connect(options.connections, options.patience, make_channel);
  if (!channels.ok()) return channels.status();
  std::vector<Plan> plans;
  for (uint64_t i = 0; i < options.threads; ++i) {
    const uint32_t seed = std::random_device{}();
    plans.push_back({.outstanding = options.outstanding / options.threads,
                     .rate = static_cast<double>(options.rate) / static_cast<double>(options.threads),
                     .warmup = options.warmup,
                     .duration = options.duration,
                     .patience = options.patience,
                     .numbers = workload.has_distinct_keys
                                    ? KeyNumbers::Distinct(options.keys, workload.operations, seed)
                                    : KeyNumbers::Random(options.keys, seed),
                     .seed = seed});
  }
  return Run(plans, workload, *channels);
}

absl::StatusOr<LoadResult> RunFill(const Options& options, const Fill& fill, MakeChannel make_channel) {
  const auto channels = Connect(options.connections, options.patience, make_channel);
  if (!channels.ok()) return channels.status();
  const Plan plan{.outstanding = options.connections * kFillOutstanding,
                  .duration = kMaxDuration,
                  .patience = options.patience,
                  .messages = fill.messages,
                  .numbers = KeyNumbers::InTurn(options.keys)};
  return Run({plan}, fill.workload, *channels);
}

}  // namespace kvs::bench
