// LedgerLink: the connection from the journal to txn_server, as a state machine on one event loop.
//
// Open once; attach an Append stream; replay; then send frames and take acknowledgements. When the stream breaks,
// Resume is tried at once while mutations still queue. If that fails the circuit breaker opens: waits end as unknown,
// mutations are refused, and Resume is tried again with exponential back-off and jitter until it succeeds; then what is
// pending is sent again, unchanged. Being fenced, a ledger that lost data, and one that refuses what is pending end the
// attempts for good.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/functional/function_ref.h>
#include <absl/random/random.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/logging/logging.h"
#include "common/model/transaction.h"
#include "common/model/transaction_list.h"
#include "common/rpc/event_loop.h"
#include "kvs_server/journal/append_stream.h"
#include "kvs_server/journal/journal.h"
#include "kvs_server/journal/replay_progress.h"
#include "txn/v1/ledger.grpc.pb.h"

namespace kvs::server {

struct LedgerLinkOptions {
  std::string partition = "0";
  std::string writer_name;       // for people: "host:pid"
  uint64_t take_over_epoch = 0;  // 0: do not take over
  absl::Duration heartbeat_interval = absl::Seconds(1);
  absl::Duration silence_timeout = absl::Seconds(5);  // without a word the ledger counts as gone
  absl::Duration replay_timeout = absl::Minutes(1);   // the same in a replay, which may have to be prepared
  absl::Duration call_timeout = absl::Seconds(5);     // of Open and Resume
  absl::Duration min_backoff = absl::Milliseconds(50);
  absl::Duration max_backoff = absl::Seconds(2);
};

// Makes a channel to the ledger. Each attempt has one of its own, which uses renewed certificates and what the ledger's
// name stands for by then. gRPC 1.51 now and then gives a channel up for good whose name has several addresses: that
// costs one attempt.
using ChannelSource = std::function<std::shared_ptr<grpc::Channel>()>;

// What the link tells its owner, on the loop's thread.
struct LedgerLinkEvents {
  // Changes the state by the transactions that `read` puts into an empty vector, in their order, until it puts none
  // there. They borrow from `message`, and the last of them may be applied later. An error, which may be that of `read`
  // or of transactions before, ends the attempts.
  using ReadTransactions = absl::FunctionRef<absl::Status(std::vector<Transaction>& transactions)>;
  absl::AnyInvocable<absl::Status(std::shared_ptr<const ::txn::v1::ReplayResponse> message, ReadTransactions read)>
      apply;
  // Waits until all is applied; comes before `clear`, `replayed` and `fatal`, and before the link stops. Errors as
  // those of `apply`.
  absl::AnyInvocable<absl::Status()> finish_apply;
  // Remembers a request that a snapshot has.
  absl::AnyInvocable<void(const RememberedRequest&)> remember;
  // Forgets the state: the replay begins anew.
  absl::AnyInvocable<void()> clear;
  // The replay is over, and mutations are accepted.
  absl::AnyInvocable<void()> replayed;
  // Mutations are accepted, or not.
  absl::AnyInvocable<void(LedgerState)> state_changed;
  // The process cannot go on as the writer: kWriterActive, kFenced, kNotPermitted, or DataLoss from the replay.
  absl::AnyInvocable<void(const absl::Status&)> fatal;
};

class LedgerLink final : private AppendStream::Owner {
 public:
  // All pointers outlive the link. `loop` must not have started. The link is destroyed after Stop, or after its loop
  // has ended.
  LedgerLink(LedgerLinkOptions options, ChannelSource channel, rpc::EventLoop* loop, Journal* journal,
             LedgerLinkEvents events);

  // Begins. From any thread, once the loop runs.
  void Start();

  // Ends the stream and every attempt, and returns when nothing is under way: no event and nothing of the journal is
  // called any more. Once, while the loop runs, and not on its thread.
  void Stop();

 private:
  template <class Request, class Response>
  class UnaryCall;
  class ReplayCall;

  void Connect();
  void Open();
  void OnOpened(const grpc::Status& status, const ::txn::v1::OpenResponse& response);
  void Attach();
  // Asks for the state, or for the rest of it.
  void Replay();
  void ReplayRest();
  void ReplayAnew();
  void OnReplayMessage(std::shared_ptr<const ::txn::v1::ReplayResponse> message);
  void OnReplayClosed(const grpc::Status& status);
  void OnReplayed();
  absl::Status ApplyReplayMessage();
  absl::Status BeginSnapshot(const ::txn::v1::SnapshotBegin& begin);
  absl::Status ApplyPart(const ::txn::v1::SnapshotPart& part);
  absl::Status WrongCountInSnapshot() const;
  absl::Status EndSnapshot();
  absl::Status ApplyFrame(const ::txn::v1::Frame& frame);
  // Has the transactions of a list applied, each of them if check() says that it may be; what() tells where they are.
  absl::Status ApplyAll(TransactionListReader* list, absl::FunctionRef<std::string()> what,
                        absl::FunctionRef<absl::Status(const Transaction&)> check);
  absl::Status CheckReplayEnd(const ::txn::v1::ReplayEnd& end) const;
  void Resume();
  void OnResumed(const grpc::Status& status, const ::txn::v1::ResumeResponse& response);

  void OnAppendResponse(const ::txn::v1::AppendResponse& response) override;
  void OnAppendWritable() override { Flush(); }
  void OnAppendClosed(const grpc::Status& status) override;

  void Flush();
  void Tick();
  void SetState(LedgerState state, absl::string_view detail);
  void Connected();
  void OpenBreaker(const absl::Status& status);
  void Tell(LogLevel level, absl::string_view message, const absl::Status& status);
  // Ends the attempts before there is a state to serve.
  void GiveUp(const absl::Status& status);
  // Ends them in a state in which reads go on.
  void Fail(LedgerState state, const absl::Status& status);
  bool FailIfPermanent(const absl::Status& status);
  void LoseData(absl::string_view detail);
  void Retry(void (LedgerLink::*attempt)());
  void CallBegan(grpc::ClientContext* context);
  void CallEnded(grpc::ClientContext* context);
  void StopOnLoop();

  const LedgerLinkOptions options_;
  const std::string writer_id_;
  const ChannelSource channel_;
  rpc::EventLoop* const loop_;
  Journal* const journal_;
  LedgerLinkEvents events_;

  // Of the loop's thread alone.
  LedgerState state_ = LedgerState::kWaiting;
  std::string log_id_;
  uint64_t epoch_ = 0;
  uint64_t opened_revision_ = 0;  // what the ledger held at Open
  std::unique_ptr<::txn::v1::Ledger::Stub> stub_;
  AppendStream* stream_ = nullptr;
  std::vector<grpc::ClientContext*> calls_;
  bool was_silent_ = false;  // why the stream is being cancelled
  absl::Time last_heard_;
  absl::Time last_sent_;
  int failed_attempts_ = 0;
  bool unproven_ = false;  // something was not accepted, and nothing has become durable since
  std::string told_;       // the trouble that was logged last
  std::optional<rpc::EventLoop::TimerId> tick_;
  absl::Time ticked_ = absl::InfiniteFuture();  // when that was last
  std::optional<rpc::EventLoop::TimerId> retry_;
  bool replay_under_way_ = false;
  grpc::ClientContext* replay_context_ = nullptr;  // while it is under way
  bool stopping_ = false;
  bool ended_ = false;  // no attempt will be made any more
  absl::AnyInvocable<void()> stopped_;
  // What the loop keeps for good asks this whether there still is a link.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  absl::BitGen random_;

  // The replay under way.
  std::shared_ptr<const ::txn::v1::ReplayResponse> replay_message_;  // the one that came last
  uint64_t applied_revision_ = 0;                                    // applied, or on its way there
  absl::Time replay_heard_;
  uint64_t replay_count_ = 0;
  uint32_t replay_crc_ = 0;
  uint64_t replay_from_ = 0;
  uint64_t replayed_before_ = 0;  // what had been applied when it began
  bool replay_complete_ = false;
  std::optional<::txn::v1::SnapshotBegin> snapshot_;  // while its parts come
  uint64_t snapshot_count_ = 0;                       // of its transactions that were read
  ReplayProgress progress_;
};

}  // namespace kvs::server
