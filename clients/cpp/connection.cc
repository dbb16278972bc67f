#include "clients/cpp/connection.h"

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <absl/time/clock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <utility>

#include "clients/cpp/channel.h"
#include "clients/cpp/client.h"
#include "common/errors.h"
#include "common/rpc/status.h"

namespace kvs::client {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

// What an attempt must have left of the timeout to be begun: one that is cut off by the deadline would turn the clear
// answer before it, that nothing was done, into an unknown outcome.
absl::Duration LeastAttempt(absl::Duration timeout) { return std::min(timeout / 4, absl::Seconds(1)); }

// Half of the pause is random, so that clients that failed together do not come back together.
absl::Duration Jittered(absl::Duration pause) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return pause * std::uniform_real_distribution<double>(0.5, 1.0)(random);
}

}  // namespace

bool SaysNothingWasDone(const absl::Status& status) {
  return Is(status, errors::kNotApplied) || Is(status, errors::kReplaying) || Is(status, errors::kDraining) ||
         Is(status, errors::kPendingWindowFull) || Is(status, errors::kTooManyWaiting) ||
         Is(status, errors::kPendingWrite) || Is(status, errors::kTooManyScans) || Is(status, errors::kScanOvertaken) ||
         Is(status, errors::kScanStalled);
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  // More than the 10,000 years of a message is no duration that a server takes either way.
  duration = std::clamp(duration, absl::Hours(-24 * 3'650'000), absl::Hours(24 * 3'650'000));
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

std::string NewRequestId() {
  // From the system, so that no two processes have the same, also where one was forked from the other.
  char bytes[16];
  if (getentropy(bytes, sizeof(bytes)) != 0) std::abort();
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

absl::StatusOr<std::shared_ptr<const Connection>> Connection::Make(const Options& options) {
  const auto address = ServerAddress(options.address);
  if (!address.ok()) return address.status();
  auto channel = MakeChannel(options);
  if (!channel.ok()) return channel.status();
  return std::shared_ptr<const Connection>(new Connection(options, address->ToString(), *std::move(channel)));
}

Connection::Connection(const Options& options, std::string address, std::shared_ptr<grpc::Channel> channel)
    : ints(v1::IntStore::NewStub(channel)),
      uints(v1::UintStore::NewStub(channel)),
      floats(v1::FloatStore::NewStub(channel)),
      strings(v1::StringStore::NewStub(channel)),
      sets(v1::SetStore::NewStub(channel)),
      maps(v1::MapStore::NewStub(channel)),
      keys(v1::Keys::NewStub(channel)),
      batch(v1::Batch::NewStub(channel)),
      maintenance(v1::Maintenance::NewStub(channel)),
      options_(options),
      address_(std::move(address)),
      channel_(std::move(channel)) {}

absl::Status Connection::Retry(Effect effect, const CallOptions& options,
                               absl::FunctionRef<grpc::Status(absl::Time)> attempt) const {
  const absl::Duration timeout = Timeout(options);
  const absl::Time begin = absl::Now();
  const absl::Time deadline = begin + timeout;
  absl::Status unknown;  // of the last attempt that may have happened
  for (absl::Duration pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    absl::Status status = AwaitConnection(deadline);
    if (status.ok()) status = rpc::FromGrpc(attempt(deadline));
    if (status.ok()) return status;
    // Once it may have happened, it is worth waiting for the server to come back and tell.
    const bool awaits_answer = !unknown.ok() && Is(status, errors::kUnreachable);
    if (!awaits_answer && !MayRepeat(effect, status)) return status;
    if (effect != Effect::kRead && MayHaveHappened(status)) unknown = status;
    const absl::Duration jittered = Jittered(pause);
    const bool is_late = absl::Now() + jittered + LeastAttempt(timeout) >= deadline;
    const bool is_forgotten = !unknown.ok() && absl::Now() - begin > absl::Minutes(kMaxRetryMinutes);
    if (is_late || is_forgotten) return unknown.ok() ? status : unknown;
    if (options_.on_retry) options_.on_retry(status);
    absl::SleepFor(jittered);
  }
}

bool Connection::MayRepeat(Effect effect, const absl::Status& status) const {
  if (Is(status, errors::kUnreachable)) return !options_.fail_fast;
  if (SaysNothingWasDone(status)) return true;
  if (effect == Effect::kNamedMutation && MayHaveHappened(status)) return true;
  return effect == Effect::kRead && absl::IsUnavailable(status);
}

absl::Status Connection::AwaitConnection(absl::Time deadline) const {
  grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
  while (state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING) {
    if (!channel_->WaitForStateChange(state, absl::ToChronoTime(deadline))) {
      return Error(errors::kUnreachable,
                   absl::StrCat("no connection to ", address_, " within the timeout; nothing was sent"));
    }
    state = channel_->GetState(/*try_to_connect=*/true);
  }
  if (state == GRPC_CHANNEL_READY) return absl::OkStatus();

  // A channel does not tell why it failed, but a call on it does. Echo changes nothing wherever it arrives.
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  v1::MaintenanceEchoResponse response;
  const grpc::Status probe = maintenance->Echo(&context, v1::MaintenanceEchoRequest(), &response);
  if (probe.error_code() != grpc::StatusCode::UNAVAILABLE &&
      probe.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::OkStatus();
  }
  const std::string message = probe.error_message();
  absl::string_view reason = message;
  absl::ConsumePrefix(&reason, "failed to connect to all addresses; last error: ");
  absl::ConsumePrefix(&reason, "UNKNOWN: ");
  absl::ConsumePrefix(&reason, "UNAVAILABLE: ");
  return Error(errors::kUnreachable, absl::StrCat("cannot connect to ", address_, ": ", reason, "; nothing was sent"));
}

bool MayHaveHappened(const absl::Status& status) {
  if (Is(status, errors::kOutcomeUnknown)) return true;
  if (!ReasonOf(status).empty()) return false;
  // How gRPC refuses a request that is too large, and how proxies and servers without memory end calls that they may
  // have begun: the code is the same.
  if (absl::IsResourceExhausted(status)) return !absl::StrContains(status.message(), "larger than max");
  return absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status) || absl::IsCancelled(status) ||
         absl::IsInternal(status) || absl::IsUnknown(status);
}

}  // namespace kvs::client
