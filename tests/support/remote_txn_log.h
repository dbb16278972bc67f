// RemoteTxnLog: a TxnLog at the other end of a real connection, so that the contract suite runs over the ledger
// service.
#pragma once

#include <absl/strings/str_cat.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/crc32c.h"
#include "common/limits.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "tests/support/test_server.h"
#include "txn/v1/ledger.grpc.pb.h"
#include "txn_server/api/ledger_service.h"

namespace kvs::txn {

// A LedgerService over a log, on a free port of loopback, in plaintext.
class LoopbackLedger {
 public:
  explicit LoopbackLedger(
      TxnLog* log, LedgerServiceOptions options = {},
      CheckWriter check = [](const grpc::ServerContext&) { return absl::OkStatus(); },
      absl::AnyInvocable<void(const absl::Status&)> log_failed = [](const absl::Status&) {})
      : service_(std::make_unique<LedgerService>(options, log, std::move(check), std::move(log_failed))),
        server_({"127.0.0.1:0", grpc::InsecureServerCredentials(), 1, static_cast<int>(kMaxFrameBytes + kMiB)}) {
    server_.Add(&service_->service());
    REQUIRE(server_.Listen() == absl::OkStatus());
    server_.Run();
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(static_cast<int>(kMaxFrameBytes + kMiB));
    channel_ = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_.port()), grpc::InsecureChannelCredentials(),
                                         arguments);
  }
  ~LoopbackLedger() {
    server_.Drain(absl::ZeroDuration());
    server_.Stop();
  }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  std::unique_ptr<::txn::v1::Ledger::Stub> stub() const { return ::txn::v1::Ledger::NewStub(channel_); }
  rpc::Server& server() { return server_; }

 private:
  std::unique_ptr<LedgerService> service_;
  rpc::Server server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// One Append stream, spoken to directly.
class AppendSession {
 public:
  // Says nothing by itself.
  explicit AppendSession(::txn::v1::Ledger::Stub& stub) : stream_(stub.Append(&context_)) {}
  // Attaches.
  AppendSession(::txn::v1::Ledger::Stub& stub, uint64_t epoch, absl::string_view writer_id) : AppendSession(stub) {
    Attach(epoch, writer_id);
  }
  ~AppendSession() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  void Attach(uint64_t epoch, absl::string_view writer_id) {
    ::txn::v1::AppendRequest request;
    request.mutable_attach()->set_partition("0");
    request.mutable_attach()->set_epoch(epoch);
    request.mutable_attach()->set_writer_id(std::string(writer_id));
    stream_->Write(request);
  }

  void Heartbeat() {
    ::txn::v1::AppendRequest request;
    request.mutable_heartbeat();
    stream_->Write(request);
  }

  void Send(const Frame& frame) {
    ::txn::v1::AppendRequest request;
    request.mutable_frame()->set_first_revision(frame.first_revision);
    request.mutable_frame()->set_count(frame.count);
    request.mutable_frame()->set_transactions(std::string(frame.transactions));
    stream_->Write(request);
  }

  // Reads until `revision` is acknowledged; the error that ended the stream if it is not.
  absl::Status AwaitDurable(uint64_t revision) {
    ::txn::v1::AppendResponse response;
    while (stream_->Read(&response)) {
      if (response.has_durable_revision() && response.durable_revision() >= revision) return absl::OkStatus();
    }
    return Finish();
  }

  // Reads what the ledger says next, or why it ended the stream. The first answer says that it took the stream.
  absl::Status AwaitMessage() {
    ::txn::v1::AppendResponse response;
    return stream_->Read(&response) ? absl::OkStatus() : Finish();
  }

  // Reads to the end of the stream and returns why it ended.
  absl::Status AwaitEnd() {
    ::txn::v1::AppendResponse response;
    while (stream_->Read(&response)) {
    }
    return Finish();
  }

 private:
  absl::Status Finish() {
    finished_ = true;
    const grpc::Status status = stream_->Finish();
    return status.ok() ? absl::CancelledError("the stream ended") : rpc::FromGrpc(status);
  }

  TestContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<::txn::v1::AppendRequest, ::txn::v1::AppendResponse>> stream_;
  bool finished_ = false;
};

class RemoteTxnLog final : public TxnLog {
 public:
  explicit RemoteTxnLog(std::unique_ptr<TxnLog> log)
      : log_(std::move(log)), ledger_(log_.get()), stub_(ledger_.stub()) {}

  absl::string_view backend() const override { return "remote"; }

  LogPosition position() const override {
    LogPosition position = log_->position();
    const ::txn::v1::StatusResponse status = Status();
    position.log_id = status.log_id();
    position.epoch = status.epoch();
    position.durable_revision = status.durable_revision();
    position.compacted_revision = status.compacted_revision();
    position.snapshot_revision = status.snapshot_revision();
    return position;
  }

  uint64_t size_bytes() const override { return Status().size_bytes(); }

  absl::StatusOr<uint64_t> BeginEpoch(absl::string_view writer_id) override {
    grpc::ClientContext context;
    ::txn::v1::OpenRequest request;
    request.set_partition("0");
    request.set_writer_id(std::string(writer_id));
    request.set_writer_name("contract");
    request.set_take_over_epoch(Status().epoch());
    ::txn::v1::OpenResponse response;
    session_.reset();
    if (absl::Status status = rpc::FromGrpc(stub_->Open(&context, request, &response)); !status.ok()) return status;
    writer_id_ = std::string(writer_id);
    return response.epoch();
  }

  absl::Status Append(uint64_t epoch, absl::Span<const Frame> frames) override {
    if (!session_ || epoch != session_epoch_) {
      session_ = std::make_unique<AppendSession>(*stub_, epoch, writer_id_);
      session_epoch_ = epoch;
    }
    for (const Frame& frame : frames) session_->Send(frame);
    absl::Status status = frames.empty() ? absl::OkStatus() : session_->AwaitDurable(frames.back().last_revision());
    if (!status.ok()) session_.reset();
    return status;
  }

  absl::Status CheckReachable() override { return absl::OkStatus(); }
  absl::Status Idle() override { return absl::OkStatus(); }
  absl::StatusOr<StateReplay> ReplayHistory() override { return absl::UnimplementedError("not a service"); }
  absl::Status Import(const LogSeed&, std::unique_ptr<SnapshotCursor>) override {
    return absl::UnimplementedError("not a service");
  }
  absl::Status Close() override {
    session_.reset();
    return log_->Close();
  }

  absl::StatusOr<StateReplay> ReplayState() override {
    auto session = std::make_shared<ReplaySession>(*stub_, 0);
    if (absl::Status status = session->ReadAhead(); !status.ok()) return status;
    StateReplay state;
    if (session->next().has_snapshot()) {
      state.snapshot_revision = session->next().snapshot().revision();
      state.snapshot_time_micros = session->next().snapshot().time_micros();
      state.snapshot_transactions = session->next().snapshot().transactions();
      if (absl::Status status = session->ReadAhead(); !status.ok()) return status;
      state.snapshot = std::make_unique<PartCursor>(session);
    }
    state.tail = std::make_unique<Cursor>(session);
    return state;
  }

  absl::StatusOr<std::unique_ptr<LogCursor>> Replay(uint64_t from_revision) override {
    // On the wire that asks for the state.
    if (from_revision == 0) return absl::OutOfRangeError("there is no revision 0");
    auto session = std::make_shared<ReplaySession>(*stub_, from_revision);
    if (absl::Status status = session->ReadAhead(); !status.ok()) return status;
    return std::make_unique<Cursor>(session);
  }

 private:
  // One Replay stream, one message ahead.
  class ReplaySession {
   public:
    ReplaySession(::txn::v1::Ledger::Stub& stub, uint64_t from_revision) {
      ::txn::v1::ReplayRequest request;
      request.set_partition("0");
      request.set_from_revision(from_revision);
      reader_ = stub.Replay(&context_, request);
    }
    ~ReplaySession() {
      context_.TryCancel();
      if (!ended_) reader_->Finish();
    }

    const ::txn::v1::ReplayResponse& next() const { return next_; }

    absl::Status ReadAhead() {
      if (reader_->Read(&next_)) return absl::OkStatus();
      ended_ = true;
      absl::Status status = rpc::FromGrpc(reader_->Finish());
      return status.ok() ? absl::DataLossError("the replay ended without its end record") : status;
    }

    // Moves to the next message and returns the last one.
    absl::StatusOr<const ::txn::v1::ReplayResponse*> Take() {
      current_ = std::move(next_);
      crc_ = ExtendCrc32c(crc_, current_.has_part() ? current_.part().transactions() : current_.frame().transactions());
      if (absl::Status status = ReadAhead(); !status.ok()) return status;
      return &current_;
    }

    absl::Status CheckEnd() const {
      return next_.end().crc32c() == crc_ ? absl::OkStatus()
                                          : absl::DataLossError("the closing checksum is another one");
    }

   private:
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<::txn::v1::ReplayResponse>> reader_;
    ::txn::v1::ReplayResponse next_;
    ::txn::v1::ReplayResponse current_;
    uint32_t crc_ = 0;
    bool ended_ = false;
  };

  class PartCursor final : public SnapshotCursor {
   public:
    explicit PartCursor(std::shared_ptr<ReplaySession> session) : session_(std::move(session)) {}
    absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
      if (!session_->next().has_part()) return std::nullopt;
      const auto message = session_->Take();
      if (!message.ok()) return message.status();
      return SnapshotChunk{(*message)->part().transactions()};
    }

   private:
    const std::shared_ptr<ReplaySession> session_;
  };

  class Cursor final : public LogCursor {
   public:
    explicit Cursor(std::shared_ptr<ReplaySession> session) : session_(std::move(session)) {}
    absl::StatusOr<std::optional<Frame>> Next() override {
      if (session_->next().has_end()) {
        if (absl::Status status = session_->CheckEnd(); !status.ok()) return status;
        return std::nullopt;
      }
      const auto message = session_->Take();
      if (!message.ok()) return message.status();
      const auto& frame = (*message)->frame();
      return Frame{frame.first_revision(), frame.count(), frame.transactions()};
    }

   private:
    const std::shared_ptr<ReplaySession> session_;
  };

  ::txn::v1::StatusResponse Status() const {
    grpc::ClientContext context;
    ::txn::v1::StatusRequest request;
    request.set_partition("0");
    ::txn::v1::StatusResponse response;
    stub_->Status(&context, request, &response);
    return response;
  }

  const std::unique_ptr<TxnLog> log_;
  LoopbackLedger ledger_;
  const std::unique_ptr<::txn::v1::Ledger::Stub> stub_;
  std::string writer_id_;
  std::unique_ptr<AppendSession> session_;
  uint64_t session_epoch_ = 0;
};

}  // namespace kvs::txn
