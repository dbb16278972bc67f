#include "txn_server/api/ledger_service.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <utility>

#include "common/crc32c.h"
#include "common/errors.h"
#include "common/limits.h"
#include "common/logging/logging.h"
#include "common/rpc/status.h"
#include "txn_server/log/frame.h"

namespace kvs::txn {
namespace {

namespace pb = ::txn::v1;

constexpr absl::string_view kPartition = "0";

absl::Status CheckPartition(absl::string_view partition) {
  if (partition == kPartition) return absl::OkStatus();
  return Error(errors::kUnknownPartition,
               absl::StrCat("there is no partition \"", partition, "\"; \"0\" is the only one"));
}

absl::Status Fenced(uint64_t epoch) {
  return Error(errors::kFenced,
               absl::StrCat("this writer was fenced: the ledger is at epoch ", epoch,
                            " and belongs to another writer; stop, and let that one work"),
               {{"epoch", absl::StrCat(epoch)}});
}

}  // namespace

// One Append stream.
class LedgerService::AppendStream final : public rpc::StreamHandler {
 public:
  AppendStream(LedgerService* ledger, rpc::ServerStream* stream)
      : ledger_(*ledger), stream_(*stream), alive_(std::make_shared<bool>(true)) {
    ScheduleTick();
  }

  bool OnMessage(const grpc::ByteBuffer& bytes) override {
    last_heard_ = absl::Now();
    pb::AppendRequest message;
    if (!rpc::Parse(bytes, &message)) {
      stream_.Finish(rpc::Service::MalformedError(*pb::AppendRequest::descriptor()));
      return false;
    }
    bool full = false;
    const absl::Status status = Handle(message, &full);
    if (!status.ok()) {
      stream_.Finish(rpc::ToGrpc(status));
      return false;
    }
    reading_paused_ = full;
    return !full;
  }

  void OnHalfClose() override { stream_.Finish(grpc::Status::OK); }
  void OnDrain() override { Finish(absl::UnavailableError("the ledger is about to stop")); }
  void OnDone() override {
    *alive_ = false;
    ledger_.Detach(this);
  }

  // The functions below may be called from any thread while the stream is the active one.

  void Acknowledge(uint64_t revision) {
    pb::AppendResponse response;
    response.set_durable_revision(revision);
    stream_.Write(response);
  }
  void Finish(const absl::Status& status) { stream_.Finish(rpc::ToGrpc(status)); }
  void ResumeReading() {
    stream_.loop().Post([alive = alive_, this] {
      if (!*alive) return;
      reading_paused_ = false;
      last_heard_ = absl::Now();
      stream_.ResumeReading();
    });
  }

 private:
  absl::Status Handle(pb::AppendRequest& message, bool* full) {
    if (message.has_attach() == attached_) {
      return Error(errors::kMalformedRequest, "the first message of an Append stream, and no other, must be attach");
    }
    switch (message.message_case()) {
      case pb::AppendRequest::kAttach: {
        if (absl::Status status = ledger_.check_writer_(stream_.context()); !status.ok()) return status;
        if (absl::Status status = ledger_.Attach(this, message.attach()); !status.ok()) return status;
        attached_ = true;
        Heartbeat();
        return absl::OkStatus();
      }
      case pb::AppendRequest::kFrame:
        return ledger_.Enqueue(this, message.mutable_frame(), full);
      case pb::AppendRequest::kHeartbeat:
      case pb::AppendRequest::MESSAGE_NOT_SET:
        return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  void Heartbeat() {
    pb::AppendResponse response;
    response.mutable_heartbeat();
    stream_.Write(response);
  }

  void ScheduleTick() {
    stream_.loop().RunAfter(ledger_.options_.heartbeat_interval, [alive = alive_, this] {
      if (*alive) Tick();
    });
  }

  void Tick() {
    if (!reading_paused_ && absl::Now() - last_heard_ > ledger_.options_.writer_timeout) {
      Finish(absl::UnavailableError("the writer has been silent for too long"));
      stream_.Cancel();
      return;
    }
    if (attached_ && stream_.queued() == 0) Heartbeat();
    ScheduleTick();
  }

  LedgerService& ledger_;
  rpc::ServerStream& stream_;
  const std::shared_ptr<bool> alive_;  // of the stream's loop alone
  bool attached_ = false;
  bool reading_paused_ = false;  // the queue is full: nothing is heard, however much the writer says
  absl::Time last_heard_ = absl::Now();
};

// One Replay stream: reads ahead by a bounded number of messages.
class LedgerService::ReplayStream final : public rpc::StreamHandler {
 public:
  ReplayStream(LedgerService* ledger, rpc::ServerStream* stream) : ledger_(*ledger), stream_(*stream) {}

  bool OnMessage(const grpc::ByteBuffer& bytes) override {
    if (drained_) return false;
    pb::ReplayRequest request;
    if (!rpc::Parse(bytes, &request)) {
      stream_.Finish(rpc::Service::MalformedError(*pb::ReplayRequest::descriptor()));
    } else if (absl::Status status = Begin(request); !status.ok()) {
      stream_.Finish(rpc::ToGrpc(status));
    } else {
      Pump();
    }
    return false;
  }

  void OnHalfClose() override { stream_.Finish(rpc::Service::MalformedError(*pb::ReplayRequest::descriptor())); }
  void OnWritten() override { Pump(); }
  void OnDrain() override {
    drained_ = true;
    cursor_ = nullptr;
    stream_.Finish(rpc::ToGrpc(absl::UnavailableError("the ledger is about to stop")));
  }

 private:
  static constexpr size_t kMessagesAhead = 2;

  absl::Status Begin(const pb::ReplayRequest& request) {
    if (absl::Status status = ledger_.check_writer_(stream_.context()); !status.ok()) return status;
    if (absl::Status status = CheckPartition(request.partition()); !status.ok()) return status;
    if (request.follow()) {
      return Error(errors::kUnsupportedOption, "this version does not serve the option follow; leave it out");
    }
    if (request.from_revision() == 0) return BeginState();
    auto cursor = ledger_.log_->Replay(request.from_revision());
    if (!cursor.ok()) return cursor.status();
    cursor_ = *std::move(cursor);
    last_revision_ = request.from_revision() - 1;
    return ReadNext();
  }

  absl::Status BeginState() {
    auto state = ledger_.log_->ReplayState();
    if (!state.ok()) return state.status();
    snapshot_ = std::move(state->snapshot);
    cursor_ = std::move(state->tail);
    last_revision_ = state->snapshot_revision;
    if (snapshot_) {
      pb::ReplayResponse message;
      message.mutable_snapshot()->set_revision(state->snapshot_revision);
      message.mutable_snapshot()->set_time_micros(state->snapshot_time_micros);
      message.mutable_snapshot()->set_transactions(state->snapshot_transactions);
      stream_.Write(message);
    }
    return ReadNext();
  }

  void Pump() {
    while (cursor_ && stream_.queued() < kMessagesAhead) {
      if (absl::Status status = WriteNext(); !status.ok()) {
        LogError("a replay failed", {{"status", status}});
        cursor_ = nullptr;
        stream_.Finish(rpc::ToGrpc(status));
      }
    }
  }

  absl::Status WriteNext() { return snapshot_ ? WritePart() : WriteFrame(); }

  absl::Status WritePart() {
    const absl::StatusOr<std::optional<SnapshotChunk>> chunk = snapshot_->Next();
    if (!chunk.ok()) return chunk.status();
    if (!*chunk) {
      snapshot_ = nullptr;
      return absl::OkStatus();
    }
    pb::ReplayResponse message;
    message.mutable_part()->set_transactions((*chunk)->transactions.data(), (*chunk)->transactions.size());
    crc_ = ExtendCrc32c(crc_, (*chunk)->transactions);
    stream_.Write(message);
    return absl::OkStatus();
  }

  // Joins the frames of the log, which may be as small as one transaction, into messages worth sending.
  absl::Status WriteFrame() {
    pb::ReplayResponse message;
    pb::Frame& joined = *message.mutable_frame();
    while (next_ &&
           (joined.count() == 0 || joined.transactions().size() + next_->transactions.size() <= kTargetFrameBytes)) {
      if (joined.count() == 0) joined.set_first_revision(next_->first_revision);
      joined.set_count(joined.count() + next_->count);
      joined.mutable_transactions()->append(next_->transactions.data(), next_->transactions.size());
      if (absl::Status status = ReadNext(); !status.ok()) return status;
    }
    if (joined.count() > 0) Send(message);
    if (!next_) End();
    return absl::OkStatus();
  }

  // Reads the next frame of the log; it is valid until the one after it is read.
  absl::Status ReadNext() {
    absl::StatusOr<std::optional<Frame>> frame = cursor_->Next();
    if (!frame.ok()) return frame.status();
    next_ = *std::move(frame);
    return absl::OkStatus();
  }

  void Send(const pb::ReplayResponse& message) {
    last_revision_ = message.frame().first_revision() + message.frame().count() - 1;
    count_ += message.frame().count();
    crc_ = ExtendCrc32c(crc_, message.frame().transactions());
    stream_.Write(message);
  }

  void End() {
    cursor_ = nullptr;
    pb::ReplayResponse message;
    message.mutable_end()->set_last_revision(last_revision_);
    message.mutable_end()->set_count(count_);
    message.mutable_end()->set_crc32c(crc_);
    stream_.Write(message);
    stream_.Finish(grpc::Status::OK);
  }

  LedgerService& ledger_;
  rpc::ServerStream& stream_;
  std::unique_ptr<SnapshotCursor> snapshot_;  // null when it was sent
  std::unique_ptr<LogCursor> cursor_;         // null at the end
  std::optional<Frame> next_;                 // not sent yet
  bool drained_ = false;
  uint64_t last_revision_ = 0;
  uint64_t count_ = 0;
  uint32_t crc_ = 0;
};

LedgerService::LedgerService(LedgerServiceOptions options, TxnLog* log, CheckWriter check_writer,
                             absl::AnyInvocable<void(const absl::Status&)> log_failed)
    : options_(std::move(options)),
      log_(log),
      check_writer_(std::move(check_writer)),
      service_(pb::OpenRequest::descriptor()->file()->FindServiceByName("Ledger")),
      log_failed_(std::move(log_failed)),
      committer_(std::make_unique<Committer>(
          log, [this](const absl::Status& status, size_t bytes) { Committed(status, bytes); })) {
  service_.AddUnary<pb::OpenRequest, pb::OpenResponse>(
      "Open", [this](rpc::UnaryCall& call, const pb::OpenRequest& request) {
        if (absl::Status status = CheckOpen(call.context(), request); !status.ok()) {
          return call.Finish(rpc::ToGrpc(status));
        }
        committer_->Run([this, &call, &request](TxnLog& log) { Open(call, request, log); });
      });
  service_.AddUnary<pb::ResumeRequest, pb::ResumeResponse>(
      "Resume", [this](rpc::UnaryCall& call, const pb::ResumeRequest& request) {
        absl::Status status = check_writer_(call.context());
        if (status.ok()) status = BeginResume(request);
        if (!status.ok()) return call.Finish(rpc::ToGrpc(status));
        committer_->Run([this, &call, &request](TxnLog& log) { Resume(call, request, log); });
      });
  service_.AddUnary<pb::StatusRequest, pb::StatusResponse>(
      "Status", [this](rpc::UnaryCall& call, const pb::StatusRequest& request) {
        if (absl::Status status = CheckPartition(request.partition()); !status.ok()) {
          return call.Finish(rpc::ToGrpc(status));
        }
        Status(call);
      });
  service_.AddStream("Append",
                     [this](rpc::ServerStream& stream) { return std::make_unique<AppendStream>(this, &stream); });
  service_.AddStream("Replay",
                     [this](rpc::ServerStream& stream) { return std::make_unique<ReplayStream>(this, &stream); });
}

LedgerService::~LedgerService() = default;

absl::Status LedgerService::CheckOpen(const grpc::ServerContext& context, const pb::OpenRequest& request) const {
  if (absl::Status status = check_writer_(context); !status.ok()) return status;
  if (absl::Status status = CheckPartition(request.partition()); !status.ok()) return status;
  return CheckWriterId(request.writer_id());
}

void LedgerService::Open(rpc::UnaryCall& call, const pb::OpenRequest& request, TxnLog& log) {
  const absl::StatusOr<uint64_t> epoch = BecomeWriter(request, log);
  if (!epoch.ok()) return call.Finish(rpc::ToGrpc(epoch.status()));
  const LogPosition position = log.position();
  pb::OpenResponse response;
  response.set_log_id(position.log_id);
  response.set_epoch(*epoch);
  response.set_durable_revision(position.durable_revision);
  call.Reply(response);
}

absl::Status LedgerService::CheckNoOtherWriter(const pb::OpenRequest& request, const LogPosition& position) const {
  if (!active_ || request.take_over_epoch() == position.epoch) return absl::OkStatus();
  const absl::Duration connected = absl::Now() - attached_at_;
  const absl::Duration unit = connected < absl::Seconds(1) ? absl::Milliseconds(1) : absl::Seconds(1);
  const std::string age = absl::FormatDuration(absl::Ceil(connected, unit));
  const std::string epoch = absl::StrCat(position.epoch);
  return Error(errors::kWriterActive,
               absl::StrCat("the ledger is in use by the writer ", writer_name_, ", connected for ", age,
                            "; stop that one first, or take the ledger over with --take-over=", epoch),
               {{"writer", writer_name_}, {"age", age}, {"epoch", epoch}});
}

absl::StatusOr<uint64_t> LedgerService::BecomeWriter(const pb::OpenRequest& request, TxnLog& log) {
  const LogPosition position = log.position();
  if (position.epoch > 0 && position.writer_id == request.writer_id()) return position.epoch;
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = CheckNoOtherWriter(request, position); !status.ok()) return status;
  }
  absl::StatusOr<uint64_t> epoch = log.BeginEpoch(request.writer_id());
  if (!epoch.ok()) {
    // For want of space nothing changes, and the writer before goes on.
    if (Is(epoch.status(), errors::kLogFailed)) Committed(epoch.status(), 0);
    return epoch;
  }
  MutexLock lock(&mutex_);
  // The stream that was there, or one that attached meanwhile. Nothing of it reaches the log: its frames carry the
  // epoch before, and those that are queued go.
  if (active_) EndActive(Fenced(*epoch));
  writer_name_ = request.writer_name();
  LogInfo("a writer opened the ledger",
          {{"writer", writer_name_}, {"epoch", *epoch}, {"durable_revision", position.durable_revision}});
  return epoch;
}

absl::Status LedgerService::CheckResume(const pb::ResumeRequest& request, const LogPosition& position) const {
  if (absl::Status status = CheckPartition(request.partition()); !status.ok()) return status;
  if (request.log_id() != position.log_id) {
    return Error(errors::kLedgerLostData,
                 absl::StrCat("this is another ledger, of log id ", absl::BytesToHexString(position.log_id), ", not ",
                              absl::BytesToHexString(request.log_id()), " that this writer opened"));
  }
  if (request.epoch() > position.epoch) {
    return Error(errors::kLedgerLostData,
                 absl::StrCat("the ledger gave out epoch ", request.epoch(), " and is at epoch ", position.epoch,
                              " now: it was rolled back"));
  }
  if (request.epoch() < position.epoch || request.writer_id() != position.writer_id) return Fenced(position.epoch);
  if (request.acknowledged_revision() > position.durable_revision) {
    return Error(errors::kLedgerLostData,
                 absl::StrCat("the ledger acknowledged revision ", request.acknowledged_revision(), " and ends at ",
                              position.durable_revision, " now: it was rolled back"));
  }
  return absl::OkStatus();
}

absl::Status LedgerService::BeginResume(const pb::ResumeRequest& request) {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckResume(request, log_->position()); !status.ok()) return status;
  // What the old stream has queued is sent again on the new one.
  if (active_) EndActive(absl::AbortedError("the writer resumed on another stream"));
  return absl::OkStatus();
}

void LedgerService::Resume(rpc::UnaryCall& call, const pb::ResumeRequest& request, TxnLog& log) {
  const LogPosition position = log.position();
  // Another writer may have come meanwhile.
  absl::Status status = CheckResume(request, position);
  // Or what the log is written to may still be away: the writer asks again, instead of queueing for it.
  if (status.ok()) status = log.CheckReachable();
  if (!status.ok()) return call.Finish(rpc::ToGrpc(status));
  {
    MutexLock lock(&mutex_);
    // While groups are refused it resumes again and again.
    if (refusal_.empty()) {
      LogInfo("the writer resumed", {{"epoch", position.epoch}, {"durable_revision", position.durable_revision}});
    }
  }
  pb::ResumeResponse response;
  response.set_durable_revision(position.durable_revision);
  call.Reply(response);
}

void LedgerService::Status(rpc::UnaryCall& call) {
  const LogPosition position = log_->position();
  pb::StatusResponse response;
  response.set_version(options_.version);
  response.set_backend(std::string(log_->backend()));
  response.set_log_id(position.log_id);
  response.set_epoch(position.epoch);
  response.set_durable_revision(position.durable_revision);
  response.set_size_bytes(log_->size_bytes());
  response.set_compacted_revision(position.compacted_revision);
  response.set_snapshot_revision(position.snapshot_revision);
  {
    MutexLock lock(&mutex_);
    if (active_) response.set_writer_name(writer_name_);
  }
  call.Reply(response);
}

absl::Status LedgerService::Attach(AppendStream* stream, const pb::Attach& attach) {
  if (absl::Status status = CheckPartition(attach.partition()); !status.ok()) return status;
  MutexLock lock(&mutex_);
  const LogPosition position = log_->position();
  if (attach.epoch() != position.epoch || attach.writer_id() != position.writer_id) return Fenced(position.epoch);
  if (active_) EndActive(absl::AbortedError("the writer attached another stream"));
  active_ = stream;
  active_epoch_ = position.epoch;
  attached_at_ = absl::Now();
  next_revision_ = position.durable_revision + 1;
  return absl::OkStatus();
}

absl::Status LedgerService::Enqueue(AppendStream* stream, pb::Frame* received, bool* full) {
  const Frame frame{received->first_revision(), received->count(), received->transactions()};
  if (absl::Status status = CheckFrame(frame); !status.ok()) return status;
  MutexLock lock(&mutex_);
  const LogPosition position = log_->position();
  if (active_ != stream) return Fenced(position.epoch);
  if (frame.last_revision() <= position.durable_revision) {
    stream->Acknowledge(position.durable_revision);
    return absl::OkStatus();
  }
  if (frame.first_revision != next_revision_) {
    return Error(errors::kGap, absl::StrCat("revision ", next_revision_, " must come next, not ", frame.first_revision),
                 {{"expected_revision", absl::StrCat(next_revision_)}});
  }
  next_revision_ += frame.count;
  queued_bytes_ += frame.transactions.size();
  *full = reading_paused_ = queued_bytes_ >= options_.max_queued_bytes;
  committer_->Append(active_epoch_,
                     QueuedFrame{frame.first_revision, frame.count, std::move(*received->mutable_transactions())});
  return absl::OkStatus();
}

void LedgerService::Detach(AppendStream* stream) {
  MutexLock lock(&mutex_);
  if (active_ != stream) return;
  LogInfo("the writer's stream ended", {{"writer", writer_name_}});
  EndActive(absl::OkStatus());
}

void LedgerService::EndActive(const absl::Status& why) {
  std::exchange(active_, nullptr)->Finish(why);
  queued_bytes_ -= committer_->DropQueued();
  reading_paused_ = false;
}

void LedgerService::Committed(const absl::Status& status, size_t bytes) {
  MutexLock lock(&mutex_);
  queued_bytes_ -= bytes;
  if (status.ok()) {
    if (!std::exchange(refusal_, "").empty()) {
      LogInfo("the log accepts groups again", {{"durable_revision", log_->position().durable_revision}});
    }
    if (!active_) return;
    active_->Acknowledge(log_->position().durable_revision);
    if (reading_paused_ && queued_bytes_ < options_.max_queued_bytes / 2) {
      reading_paused_ = false;
      active_->ResumeReading();
    }
    return;
  }
  // The writer tries again and again; only a change is news.
  if (const std::string refusal = status.ToString(); refusal != refusal_) {
    refusal_ = refusal;
    LogError("the log did not accept a group", {{"status", status}});
  }
  if (active_) EndActive(status);
  if (Is(status, errors::kLogFailed) && log_failed_) std::exchange(log_failed_, nullptr)(status);
}

}  // namespace kvs::txn
