// ScriptedLedger: a ledger behind a real port that does what a test tells it to, for what a right one never does: it
// jumps in a replay, forgets a part of a snapshot, acknowledges what it was never sent, falls silent.
#pragma once

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "common/rpc/status.h"
#include "common/sync.h"
#include "tests/support/catch.h"
#include "txn/v1/ledger.grpc.pb.h"

namespace kvs::server {

// The transactions from `first` to `last`, as frames carry them.
inline std::string Transactions(uint64_t first, uint64_t last) {
  ::txn::v1::TransactionList list;
  for (uint64_t revision = first; revision <= last; ++revision) {
    ::txn::v1::Transaction* transaction = list.add_transactions();
    transaction->set_revision(revision);
    transaction->set_time_micros(static_cast<int64_t>(revision));
    transaction->set_type(::txn::v1::STORE_TYPE_INT);
    transaction->set_key(absl::StrCat("key-", revision));
    transaction->mutable_put()->set_int_value(1);
  }
  return list.SerializeAsString();
}

// The ledger's side of an Append stream.
class AppendCall {
 public:
  using Stream = grpc::ServerReaderWriter<::txn::v1::AppendResponse, ::txn::v1::AppendRequest>;

  explicit AppendCall(Stream* stream) : stream_(*stream) {}

  // Takes the stream as a right ledger does. False if the writer has gone.
  bool Attach() {
    ::txn::v1::AppendRequest request;
    if (!stream_.Read(&request) || !request.has_attach()) return false;
    Heartbeat();
    return true;
  }
  // The next frame; none when the writer has gone.
  std::optional<::txn::v1::Frame> Frame() {
    ::txn::v1::AppendRequest request;
    while (stream_.Read(&request)) {
      if (request.has_frame()) return request.frame();
      if (request.has_heartbeat() && on_heartbeat_) on_heartbeat_();
    }
    return std::nullopt;
  }
  void Heartbeat() {
    ::txn::v1::AppendResponse response;
    response.mutable_heartbeat();
    stream_.Write(response);
  }
  void Acknowledge(uint64_t revision) {
    ::txn::v1::AppendResponse response;
    response.set_durable_revision(revision);
    stream_.Write(response);
  }
  // Called for each sign of life of the writer that is read.
  void OnHeartbeat(std::function<void()> on_heartbeat) { on_heartbeat_ = std::move(on_heartbeat); }
  // Reads on and says nothing until the writer has gone.
  void FallSilent() {
    while (Frame()) {
    }
  }
  // Acknowledges every frame until the writer has gone.
  void Work() {
    while (const auto frame = Frame()) Acknowledge(frame->first_revision() + frame->count() - 1);
  }

 private:
  Stream& stream_;
  std::function<void()> on_heartbeat_;
};

// The ledger's side of a Replay.
class ReplayCall {
 public:
  using Stream = grpc::ServerWriter<::txn::v1::ReplayResponse>;

  ReplayCall(uint64_t from, Stream* stream) : from_(from), last_(from == 0 ? 0 : from - 1), stream_(*stream) {}

  // The revision asked for; 0 is the state.
  uint64_t from() const { return from_; }

  // False if the reader has gone.
  bool SendBytes(const std::string& transactions) {
    ::txn::v1::ReplayResponse message;
    message.mutable_frame()->set_transactions(transactions);
    crc_ = ExtendCrc32c(crc_, transactions);
    return stream_.Write(message);
  }
  bool Send(uint64_t first, uint64_t last) {
    last_ = last;
    count_ += last - first + 1;
    return SendBytes(Transactions(first, last));
  }
  bool BeginSnapshot(uint64_t revision, uint64_t transactions) {
    last_ = revision;
    ::txn::v1::ReplayResponse message;
    message.mutable_snapshot()->set_revision(revision);
    message.mutable_snapshot()->set_time_micros(static_cast<int64_t>(revision));
    message.mutable_snapshot()->set_transactions(transactions);
    return stream_.Write(message);
  }
  bool SendPart(const std::string& transactions) {
    ::txn::v1::ReplayResponse message;
    message.mutable_part()->set_transactions(transactions);
    crc_ = ExtendCrc32c(crc_, transactions);
    return stream_.Write(message);
  }
  // The right end record of what was sent.
  ::txn::v1::ReplayEnd RightEnd() const {
    ::txn::v1::ReplayEnd end;
    end.set_last_revision(last_);
    end.set_count(count_);
    end.set_crc32c(crc_);
    return end;
  }
  void End(const ::txn::v1::ReplayEnd& end) {
    ::txn::v1::ReplayResponse message;
    *message.mutable_end() = end;
    stream_.Write(message);
  }
  void SendEmptyMessage() { stream_.Write(::txn::v1::ReplayResponse()); }
  // What a right ledger without a snapshot sends that ends at `last`.
  void SendAll(uint64_t last) {
    SendRest(last);
    End(RightEnd());
  }
  // The same without the end record.
  void SendRest(uint64_t last) {
    if (last_ < last) Send(last_ + 1, last);
  }

 private:
  const uint64_t from_;
  uint64_t last_;
  uint64_t count_ = 0;
  uint32_t crc_ = 0;
  Stream& stream_;
};

class ScriptedLedger {
 public:
  using Open = std::function<absl::Status(const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse*)>;
  using Resume = std::function<absl::Status(const ::txn::v1::ResumeRequest&, ::txn::v1::ResumeResponse*)>;
  using Append = std::function<absl::Status(AppendCall&)>;
  using Replay = std::function<absl::Status(ReplayCall&)>;

  ScriptedLedger() {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~ScriptedLedger() { server_->Shutdown(std::chrono::system_clock::now()); }
  ScriptedLedger(const ScriptedLedger&) = delete;
  ScriptedLedger& operator=(const ScriptedLedger&) = delete;

  // What happens at each call from now on: at the first call the first entry, and so on, the last one at all that
  // follow. Until then it is an empty ledger that does everything right.
  void OnOpen(std::vector<Open> script) { open_.Set(std::move(script)); }
  void OnResume(std::vector<Resume> script) { resume_.Set(std::move(script)); }
  void OnAppend(std::vector<Append> script) { append_.Set(std::move(script)); }
  void OnReplay(std::vector<Replay> script) { replay_.Set(std::move(script)); }

  // When the calls of each kind began.
  std::vector<absl::Time> opens() { return open_.times(); }
  std::vector<absl::Time> resumes() { return resume_.times(); }
  std::vector<absl::Time> appends() { return append_.times(); }
  std::vector<absl::Time> replays() { return replay_.times(); }

  // Return when that many calls of the kind have begun; fail the test after a generous time.
  void AwaitOpens(size_t count) { open_.Await(count); }
  void AwaitResumes(size_t count) { resume_.Await(count); }
  void AwaitReplays(size_t count) { replay_.Await(count); }
  void AwaitAppends(size_t count) { append_.Await(count); }

  // A connection of its own each time.
  std::shared_ptr<grpc::Channel> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_), grpc::InsecureChannelCredentials(), arguments);
  }

 private:
  // What happens at each call of one kind.
  template <class Action>
  class Script {
   public:
    explicit Script(Action usual) : actions_({std::move(usual)}) {}

    void Set(std::vector<Action> actions) ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(&mutex_);
      actions_ = std::move(actions);
      next_ = 0;
    }
    Action Next() ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(&mutex_);
      times_.push_back(absl::Now());
      changed_.SignalAll();
      return actions_[std::min(next_++, actions_.size() - 1)];
    }
    std::vector<absl::Time> times() ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(&mutex_);
      return times_;
    }
    void Await(size_t count) ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(&mutex_);
      while (times_.size() < count) {
        if (changed_.WaitWithTimeout(&mutex_, absl::Seconds(30)) && times_.size() < count)
          FAIL("the call did not come");
      }
    }

   private:
    Mutex mutex_;
    CondVar changed_;
    std::vector<Action> actions_ ABSL_GUARDED_BY(mutex_);
    size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
    std::vector<absl::Time> times_ ABSL_GUARDED_BY(mutex_);
  };

  class Service final : public ::txn::v1::Ledger::Service {
   public:
    explicit Service(ScriptedLedger* ledger) : ledger_(*ledger) {}

    grpc::Status Open(grpc::ServerContext*, const ::txn::v1::OpenRequest* request,
                      ::txn::v1::OpenResponse* response) override {
      return rpc::ToGrpc(ledger_.open_.Next()(*request, response));
    }
    grpc::Status Resume(grpc::ServerContext*, const ::txn::v1::ResumeRequest* request,
                        ::txn::v1::ResumeResponse* response) override {
      return rpc::ToGrpc(ledger_.resume_.Next()(*request, response));
    }
    grpc::Status Append(grpc::ServerContext*, AppendCall::Stream* stream) override {
      AppendCall call(stream);
      return rpc::ToGrpc(ledger_.append_.Next()(call));
    }
    grpc::Status Replay(grpc::ServerContext*, const ::txn::v1::ReplayRequest* request,
                        ReplayCall::Stream* stream) override {
      ReplayCall call(request->from_revision(), stream);
      return rpc::ToGrpc(ledger_.replay_.Next()(call));
    }

   private:
    ScriptedLedger& ledger_;
  };

  Script<Open> open_{[](const ::txn::v1::OpenRequest&, ::txn::v1::OpenResponse* response) {
    response->set_log_id("log-id-of-16-byt");
    response->set_epoch(7);
    return absl::OkStatus();
  }};
  Script<Resume> resume_{[](const ::txn::v1::ResumeRequest& request, ::txn::v1::ResumeResponse* response) {
    response->set_durable_revision(request.acknowledged_revision());
    return absl::OkStatus();
  }};
  Script<Append> append_{[](AppendCall& call) {
    if (call.Attach()) call.Work();
    return absl::OkStatus();
  }};
  Script<Replay> replay_{[](ReplayCall& call) {
    call.SendAll(0);
    return absl::OkStatus();
  }};
  Service service_{this};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kvs::server
