#include "kvs_server/journal/ledger_link.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/alarm.h>

#include <algorithm>
#include <utility>

#include "common/crc32c.h"
#include "common/errors.h"
#include "common/latch.h"
#include "common/logging/logging.h"
#include "common/rpc/status.h"

namespace kvs::server {
namespace {

// How many transactions are applied together: enough for several threads, and few enough to stay in a processor's
// cache.
constexpr size_t kApplyAtOnce = 2048;

// How often the clocks of the link are looked at: heartbeats, silence, waits that took too long.
constexpr absl::Duration kTick = absl::Milliseconds(100);

std::string RandomId() {
  absl::BitGen random;
  std::string id(16, '\0');
  for (char& c : id) c = static_cast<char>(absl::Uniform<uint32_t>(random, 0, 256));
  return id;
}

// How a call ended that had so much time.
absl::Status EndOf(const grpc::Status& grpc_status, absl::Duration timeout) {
  absl::Status status = rpc::FromGrpc(grpc_status);
  if (!absl::IsDeadlineExceeded(status) || !ReasonOf(status).empty()) return status;
  return absl::DeadlineExceededError(
      absl::StrCat("the ledger does not answer: nothing came within ", absl::FormatDuration(timeout)));
}

}  // namespace

// A unary call that tells the link when it is over. Deletes itself.
template <class Request, class Response>
class LedgerLink::UnaryCall final : public rpc::Tag {
 public:
  using Done = void (LedgerLink::*)(const grpc::Status&, const Response&);

  template <class Prepare>
  UnaryCall(LedgerLink* link, const Request& request, Done done, Prepare prepare) : link_(link), done_(done) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + link->options_.call_timeout));
    link->CallBegan(&context_);
    reader_ = prepare(&context_, request, link->loop_->queue());
    reader_->StartCall();
    reader_->Finish(&response_, &status_, this);
  }

  void Complete(bool) override {
    LedgerLink* link = link_;
    link->CallEnded(&context_);
    (link->*done_)(status_, response_);
    delete this;
    link->StopOnLoop();
  }

 private:
  LedgerLink* const link_;
  const Done done_;
  grpc::ClientContext context_;
  Response response_;
  grpc::Status status_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
};

// The stream of a replay. Deletes itself.
class LedgerLink::ReplayCall {
 public:
  ReplayCall(LedgerLink* link, const ::txn::v1::ReplayRequest& request)
      : link_(link),
        started_([this](bool ok) { ok ? Read() : Finish(); }),
        read_([this](bool ok) { OnRead(ok); }),
        finished_([this](bool) { OnFinished(); }) {
    link->CallBegan(&context_);
    link->replay_context_ = &context_;
    reader_ = link->stub_->PrepareAsyncReplay(&context_, request, link->loop_->queue());
    reader_->StartCall(&started_);
  }

 private:
  // Into a message of its own, since the one before may still be borrowed from.
  void Read() {
    message_ = std::make_shared<::txn::v1::ReplayResponse>();
    reader_->Read(message_.get(), &read_);
  }
  void Finish() { reader_->Finish(&status_, &finished_); }
  void OnRead(bool ok) {
    if (!ok) return Finish();
    link_->OnReplayMessage(std::move(message_));
    Read();
  }
  void OnFinished() {
    LedgerLink* link = link_;
    link->CallEnded(&context_);
    link->replay_context_ = nullptr;
    link->OnReplayClosed(status_);
    delete this;
    link->StopOnLoop();
  }

  LedgerLink* const link_;
  grpc::ClientContext context_;
  std::shared_ptr<::txn::v1::ReplayResponse> message_;
  grpc::Status status_;
  std::unique_ptr<grpc::ClientAsyncReader<::txn::v1::ReplayResponse>> reader_;
  rpc::CallbackTag started_;
  rpc::CallbackTag read_;
  rpc::CallbackTag finished_;
};

LedgerLink::LedgerLink(LedgerLinkOptions options, ChannelSource channel, rpc::EventLoop* loop, Journal* journal,
                       LedgerLinkEvents events)
    : options_(std::move(options)),
      writer_id_(RandomId()),
      channel_(std::move(channel)),
      loop_(loop),
      journal_(journal),
      events_(std::move(events)) {
  loop->OnDrained([this, alive = alive_] {
    if (*alive) Flush();
  });
}

void LedgerLink::Start() {
  loop_->Post([this] {
    Tick();
    Open();
  });
}

void LedgerLink::Stop() {
  Latch stopped;
  loop_->Post([this, &stopped] {
    stopping_ = true;
    *alive_ = false;
    stopped_ = [&stopped] { stopped.CountDown(); };
    for (const auto& timer : {tick_, retry_}) {
      if (timer) loop_->Cancel(*timer);
    }
    for (grpc::ClientContext* call : calls_) call->TryCancel();
    if (stream_) stream_->Cancel();
    StopOnLoop();
  });
  stopped.Wait();
}

void LedgerLink::StopOnLoop() {
  if (!stopping_ || !stopped_ || stream_ || !calls_.empty()) return;
  std::exchange(stopped_, nullptr)();
}

void LedgerLink::CallBegan(grpc::ClientContext* context) { calls_.push_back(context); }

void LedgerLink::CallEnded(grpc::ClientContext* context) {
  calls_.erase(std::find(calls_.begin(), calls_.end(), context));
}

void LedgerLink::SetState(LedgerState state, absl::string_view detail) {
  state_ = state;
  journal_->SetState(state, detail);
  events_.state_changed(state);
}

void LedgerLink::Connected() {
  failed_attempts_ = 0;
  told_.clear();
  SetState(LedgerState::kConnected, "");
}

// Every attempt fails for its reason, and most for the one before: only a change is news.
void LedgerLink::Tell(LogLevel level, absl::string_view message, const absl::Status& status) {
  std::string trouble = absl::StrCat(message, ": ", status.ToString());
  if (trouble == told_) return;
  told_ = std::move(trouble);
  Log(level, message, {{"status", status}, {"durable_revision", journal_->durable_revision()}});
}

void LedgerLink::OpenBreaker(const absl::Status& status) {
  if (Is(status, errors::kNoSpace)) {
    Tell(LogLevel::kError, "the ledger has no space: mutations are refused until it has some, reads go on", status);
    SetState(LedgerState::kReadOnly, status.message());
  } else {
    Tell(LogLevel::kWarn, "the ledger is away: mutations are refused until it is back, reads go on", status);
    SetState(LedgerState::kAway, status.message());
  }
  Retry(&LedgerLink::Resume);
}

void LedgerLink::Retry(void (LedgerLink::*attempt)()) {
  if (stopping_ || ended_) return;
  const int doublings = std::min(failed_attempts_++, 16);
  const absl::Duration ceiling = std::min(options_.min_backoff * (1 << doublings), options_.max_backoff);
  retry_ = loop_->RunAfter(ceiling * absl::Uniform(random_, 0.5, 1.0), [this, attempt] {
    if (!ended_) (this->*attempt)();
  });
}

void LedgerLink::GiveUp(const absl::Status& status) {
  ended_ = true;
  events_.fatal(status);
}

// The states below end the attempts: they do not get better by themselves.

void LedgerLink::Fail(LedgerState state, const absl::Status& status) {
  ended_ = true;
  SetState(state, status.message());
}

void LedgerLink::LoseData(absl::string_view detail) {
  LogError(
      "the ledger holds less than it acknowledged: mutations are refused, reads go on; the memory of this process may "
      "be the only good copy, so do not restart it before its data is saved",
      {{"detail", detail}});
  Fail(LedgerState::kDataLoss, absl::DataLossError(detail));
}

bool LedgerLink::FailIfPermanent(const absl::Status& status) {
  if (Is(status, errors::kLedgerLostData)) {
    LoseData(status.message());
  } else if (Is(status, errors::kFenced)) {
    Fail(LedgerState::kFenced, status);
    events_.fatal(status);
  } else if (Is(status, errors::kGap) || Is(status, errors::kMalformedFrame) || Is(status, errors::kUnknownPartition)) {
    LogError("the ledger can never accept what is pending: mutations are refused, reads go on", {{"status", status}});
    Fail(LedgerState::kRefused, status);
  } else {
    return false;
  }
  return true;
}

void LedgerLink::Connect() { stub_ = ::txn::v1::Ledger::NewStub(channel_()); }

void LedgerLink::Open() {
  Connect();
  ::txn::v1::OpenRequest request;
  request.set_partition(options_.partition);
  request.set_writer_id(writer_id_);
  request.set_writer_name(options_.writer_name);
  request.set_take_over_epoch(options_.take_over_epoch);
  new UnaryCall<::txn::v1::OpenRequest, ::txn::v1::OpenResponse>(
      this, request, &LedgerLink::OnOpened, [this](auto* context, const auto& message, auto* queue) {
        return stub_->PrepareAsyncOpen(context, message, queue);
      });
}

void LedgerLink::OnOpened(const grpc::Status& grpc_status, const ::txn::v1::OpenResponse& response) {
  if (stopping_) return;
  const absl::Status status = EndOf(grpc_status, options_.call_timeout);
  if (Is(status, errors::kWriterActive) || absl::IsPermissionDenied(status)) {
    return GiveUp(status);
  }
  if (!status.ok()) {
    Tell(LogLevel::kWarn, "waiting for the ledger", status);
    SetState(Is(status, errors::kNoSpace) ? LedgerState::kReadOnly : LedgerState::kWaiting, status.message());
    return Retry(&LedgerLink::Open);
  }
  failed_attempts_ = 0;
  told_.clear();
  log_id_ = response.log_id();
  epoch_ = response.epoch();
  opened_revision_ = response.durable_revision();
  journal_->SetLedger(log_id_, epoch_, opened_revision_);
  LogInfo("opened the ledger", {{"log_id", absl::BytesToHexString(log_id_)},
                                {"epoch", epoch_},
                                {"durable_revision", response.durable_revision()}});
  SetState(LedgerState::kReplaying, "replaying");
  Attach();
  Replay();
}

void LedgerLink::Attach() {
  ::txn::v1::Attach attach;
  attach.set_partition(options_.partition);
  attach.set_epoch(epoch_);
  attach.set_writer_id(writer_id_);
  last_heard_ = last_sent_ = absl::Now();
  stream_ = new AppendStream(stub_.get(), loop_, this, attach);
}

void LedgerLink::Replay() {
  ::txn::v1::ReplayRequest request;
  request.set_partition(options_.partition);
  // The state at first; when that was cut behind its snapshot, only what is missing.
  replay_from_ = applied_revision_ == 0 ? 0 : applied_revision_ + 1;
  request.set_from_revision(replay_from_);
  replayed_before_ = applied_revision_;
  replay_count_ = 0;
  replay_crc_ = 0;
  replay_complete_ = false;
  replay_under_way_ = true;
  replay_heard_ = absl::Now();
  progress_.Begin(replay_heard_);
  new ReplayCall(this, request);
}

void LedgerLink::ReplayRest() {
  Connect();
  Replay();
}

void LedgerLink::ReplayAnew() {
  Connect();
  events_.clear();
  snapshot_.reset();
  applied_revision_ = 0;
  journal_->Replayed(0, 0);
  Replay();
}

void LedgerLink::OnReplayMessage(std::shared_ptr<const ::txn::v1::ReplayResponse> message) {
  replay_heard_ = absl::Now();
  if (stopping_ || ended_) return;
  replay_message_ = std::move(message);
  const absl::Status status = ApplyReplayMessage();
  if (status.ok()) return;
  // What came before comes first, though it is found later.
  const absl::Status applied = events_.finish_apply();
  GiveUp(applied.ok() ? status : applied);
}

absl::Status LedgerLink::ApplyReplayMessage() {
  using Response = ::txn::v1::ReplayResponse;
  const Response& message = *replay_message_;
  if (replay_complete_) return absl::DataLossError("the ledger went on with a replay that it had ended");
  switch (message.message_case()) {
    case Response::kSnapshot:
      return BeginSnapshot(message.snapshot());
    case Response::kPart:
      return ApplyPart(message.part());
    case Response::kFrame:
      if (absl::Status status = EndSnapshot(); !status.ok()) return status;
      return ApplyFrame(message.frame());
    case Response::kEnd: {
      absl::Status status = EndSnapshot();
      if (status.ok()) status = CheckReplayEnd(message.end());
      replay_complete_ = status.ok();
      return status;
    }
    case Response::MESSAGE_NOT_SET:
      break;
  }
  return absl::DataLossError("the ledger sent a replay message that this version does not know");
}

absl::Status LedgerLink::BeginSnapshot(const ::txn::v1::SnapshotBegin& begin) {
  if (replay_from_ != 0 || snapshot_ || applied_revision_ != 0) {
    return absl::DataLossError("the ledger sent a snapshot that nobody asked for");
  }
  snapshot_ = begin;
  snapshot_count_ = 0;
  return absl::OkStatus();
}

absl::Status LedgerLink::ApplyPart(const ::txn::v1::SnapshotPart& part) {
  if (!snapshot_) return absl::DataLossError("the ledger sent a part of a snapshot that it did not announce");
  const auto check = [this](const Transaction& transaction) {
    if (++snapshot_count_ > snapshot_->transactions()) return WrongCountInSnapshot();
    if (transaction.revision > snapshot_->revision()) {
      return absl::DataLossError(absl::StrCat("the snapshot of revision ", snapshot_->revision(),
                                              " holds a transaction of revision ", transaction.revision));
    }
    return absl::OkStatus();
  };
  TransactionListReader list([this](const RememberedRequest& request) {
    if (request.revision > snapshot_->revision()) {
      return absl::DataLossError(absl::StrCat("it holds a request of revision ", request.revision));
    }
    events_.remember(request);
    return absl::OkStatus();
  });
  list.Reset(part.transactions());
  const auto what = [this] { return absl::StrCat("the snapshot of revision ", snapshot_->revision()); };
  if (absl::Status status = ApplyAll(&list, what, check); !status.ok()) return status;
  replay_crc_ = ExtendCrc32c(replay_crc_, part.transactions());
  if (snapshot_count_ > 0) {
    const double share = static_cast<double>(snapshot_count_) / static_cast<double>(snapshot_->transactions());
    journal_->ReplayedPart(static_cast<uint64_t>(share * static_cast<double>(snapshot_->revision())));
  }
  return absl::OkStatus();
}

absl::Status LedgerLink::ApplyAll(TransactionListReader* list, absl::FunctionRef<std::string()> what,
                                  absl::FunctionRef<absl::Status(const Transaction&)> check) {
  return events_.apply(replay_message_, [&](std::vector<Transaction>& some) -> absl::Status {
    while (some.size() < kApplyAtOnce) {
      const auto item = list->Next();
      if (!item.ok()) {
        return absl::DataLossError(absl::StrCat(what(), " cannot be read: ", item.status().message()));
      }
      if (!*item) break;
      if (absl::Status status = check((*item)->transaction); !status.ok()) return status;
      some.push_back(std::move((*item)->transaction));
    }
    return absl::OkStatus();
  });
}

absl::Status LedgerLink::WrongCountInSnapshot() const {
  return absl::DataLossError(absl::StrCat("the snapshot of revision ", snapshot_->revision(), " had ", snapshot_count_,
                                          " transactions instead of ", snapshot_->transactions()));
}

absl::Status LedgerLink::EndSnapshot() {
  if (!snapshot_) return absl::OkStatus();
  if (snapshot_count_ != snapshot_->transactions()) return WrongCountInSnapshot();
  applied_revision_ = snapshot_->revision();
  journal_->Replayed(applied_revision_, snapshot_->time_micros());
  snapshot_.reset();
  return absl::OkStatus();
}

absl::Status LedgerLink::ApplyFrame(const ::txn::v1::Frame& frame) {
  uint64_t revision = applied_revision_;
  int64_t time_micros = 0;
  const auto check = [&revision, &time_micros](const Transaction& transaction) {
    if (transaction.revision != revision + 1) {
      return absl::DataLossError(
          absl::StrCat("the replay jumps from revision ", revision, " to ", transaction.revision));
    }
    revision = transaction.revision;
    time_micros = transaction.time_micros;
    return absl::OkStatus();
  };
  TransactionListReader list;
  list.Reset(frame.transactions());
  const auto what = [&revision] { return absl::StrCat("the replay after revision ", revision); };
  if (absl::Status status = ApplyAll(&list, what, check); !status.ok()) return status;
  replay_crc_ = ExtendCrc32c(replay_crc_, frame.transactions());
  if (revision == applied_revision_) return absl::OkStatus();
  replay_count_ += revision - applied_revision_;
  applied_revision_ = revision;
  journal_->Replayed(applied_revision_, time_micros);
  return absl::OkStatus();
}

absl::Status LedgerLink::CheckReplayEnd(const ::txn::v1::ReplayEnd& end) const {
  if (end.last_revision() != applied_revision_ || end.count() != replay_count_ || end.crc32c() != replay_crc_) {
    return absl::DataLossError(absl::StrCat("the replay from revision ", replay_from_, " ended at ", applied_revision_,
                                            " with ", replay_count_, " transactions, but the ledger sent ", end.count(),
                                            " up to ", end.last_revision(), ", or other bytes"));
  }
  if (applied_revision_ < opened_revision_) {
    return absl::DataLossError(absl::StrCat("the ledger held revision ", opened_revision_,
                                            " when it was opened, and its replay ends at ", applied_revision_));
  }
  return absl::OkStatus();
}

void LedgerLink::OnReplayClosed(const grpc::Status& grpc_status) {
  replay_under_way_ = false;
  progress_.End();
  replay_message_.reset();
  const absl::Status applied = events_.finish_apply();
  if (stopping_ || ended_) return;
  if (!applied.ok()) return GiveUp(applied);
  if (replay_complete_) return OnReplayed();
  absl::Status status = rpc::FromGrpc(grpc_status);
  if (absl::IsOutOfRange(status) && !Is(status, errors::kCompacted) && applied_revision_ > 0) {
    status = absl::DataLossError(
        absl::StrCat("the ledger held revision ", applied_revision_, " and lost it: ", status.message()));
  }
  if (absl::IsDataLoss(status)) {
    return GiveUp(status);
  }
  if (applied_revision_ > replayed_before_) {
    failed_attempts_ = 0;
    told_.clear();
  }
  if (snapshot_ || Is(status, errors::kCompacted)) {
    Tell(LogLevel::kWarn, "the replay was cut; beginning anew", status);
    return Retry(&LedgerLink::ReplayAnew);
  }
  Tell(LogLevel::kWarn, "the replay was cut; going on from where it stopped", status);
  Retry(&LedgerLink::ReplayRest);
}

void LedgerLink::OnReplayed() {
  failed_attempts_ = 0;
  journal_->ReplayEnded();
  events_.replayed();
  if (stream_) {
    Connected();
    loop_->RequestDrain();
  } else {
    SetState(LedgerState::kReconnecting, "the stream to the ledger ended during the replay");
    Resume();
  }
}

void LedgerLink::Resume() {
  Connect();
  ::txn::v1::ResumeRequest request;
  request.set_partition(options_.partition);
  request.set_log_id(log_id_);
  request.set_epoch(epoch_);
  request.set_writer_id(writer_id_);
  request.set_acknowledged_revision(journal_->durable_revision());
  request.set_sent_revision(journal_->sent_revision());
  new UnaryCall<::txn::v1::ResumeRequest, ::txn::v1::ResumeResponse>(
      this, request, &LedgerLink::OnResumed, [this](auto* context, const auto& message, auto* queue) {
        return stub_->PrepareAsyncResume(context, message, queue);
      });
}

void LedgerLink::OnResumed(const grpc::Status& grpc_status, const ::txn::v1::ResumeResponse& response) {
  if (stopping_ || ended_) return;
  const absl::Status status = EndOf(grpc_status, options_.call_timeout);
  if (!status.ok()) {
    if (!FailIfPermanent(status)) OpenBreaker(status);
    return;
  }
  if (response.durable_revision() < journal_->durable_revision()) {
    return LoseData(absl::StrCat("it acknowledged revision ", journal_->durable_revision(), " and now ends at ",
                                 response.durable_revision()));
  }
  if (response.durable_revision() > journal_->durable_revision()) unproven_ = false;
  if (!journal_->Acknowledge(response.durable_revision())) {
    return LoseData(absl::StrCat("it holds revision ", response.durable_revision(), ", which this writer never sent"));
  }
  journal_->Rewind();
  Attach();
}

void LedgerLink::OnAppendResponse(const ::txn::v1::AppendResponse& response) {
  last_heard_ = absl::Now();
  if (ended_ || stopping_) return;
  if (response.message_case() == ::txn::v1::AppendResponse::kDurableRevision) {
    if (response.durable_revision() > journal_->durable_revision()) unproven_ = false;
    if (!journal_->Acknowledge(response.durable_revision())) {
      return LoseData(absl::StrCat("it acknowledged revision ", response.durable_revision(), ", which was never sent"));
    }
  }
  // Only the ledger's word that it took the stream, and where something waits for it that it wrote again, closes the
  // breaker.
  const bool open =
      state_ == LedgerState::kReconnecting || state_ == LedgerState::kAway || state_ == LedgerState::kReadOnly;
  if (open && !unproven_) {
    LogInfo("the ledger is back", {{"durable_revision", journal_->durable_revision()}});
    Connected();
  }
}

void LedgerLink::Flush() {
  if (!stream_ || !stream_->writable() || stopping_ || ended_) return;
  const auto frame = journal_->NextToSend();
  if (!frame) return;
  ::txn::v1::AppendRequest request;
  request.mutable_frame()->set_first_revision(frame->first_revision);
  request.mutable_frame()->set_count(frame->count);
  request.mutable_frame()->set_transactions(frame->transactions);
  last_sent_ = absl::Now();
  stream_->Write(request);
}

void LedgerLink::OnAppendClosed(const grpc::Status& grpc_status) {
  stream_ = nullptr;
  if (stopping_) return StopOnLoop();
  absl::Status status = rpc::FromGrpc(grpc_status);
  if (std::exchange(was_silent_, false) && absl::IsCancelled(status)) {
    status = absl::UnavailableError(absl::StrCat("the ledger has been silent for too long: nothing came within ",
                                                 absl::FormatDuration(options_.silence_timeout)));
  }
  if (ended_ || FailIfPermanent(status)) return;
  // During the replay nothing is pending; the stream is taken up again when the replay is over.
  if (state_ == LedgerState::kReplaying) return;
  unproven_ = journal_->status().pending_bytes > 0;
  if (state_ == LedgerState::kConnected && !Is(status, errors::kNoSpace)) {
    LogWarn("lost the stream to the ledger; reconnecting", {{"status", status}});
    SetState(LedgerState::kReconnecting, status.message());
    return Resume();
  }
  OpenBreaker(status);
}

void LedgerLink::Tick() {
  const absl::Time now = absl::Now();
  journal_->ExpireWaits(now);
  // What came while the loop stood still, or the whole process, has not been read yet: such time is no silence.
  const absl::Duration stood_still = std::max(now - ticked_ - 2 * kTick, absl::ZeroDuration());
  last_heard_ += stood_still;
  replay_heard_ += stood_still;
  ticked_ = now;
  if (stream_ && now - last_heard_ > options_.silence_timeout) {
    was_silent_ = true;
    stream_->Cancel();
    last_heard_ = now;
  } else if (stream_ && stream_->writable() && now - last_sent_ > options_.heartbeat_interval) {
    ::txn::v1::AppendRequest request;
    request.mutable_heartbeat();
    last_sent_ = now;
    stream_->Write(request);
  }
  if (replay_under_way_ && now - replay_heard_ > options_.replay_timeout) {
    LogWarn("the ledger has been silent for too long in a replay; asking again", {{"limit", options_.replay_timeout}});
    replay_context_->TryCancel();
    replay_heard_ = now;
  }
  const JournalStatus status = journal_->status();
  if (replay_under_way_) progress_.Update(status.replay_revision, status.replay_last_revision, now);
  tick_ = loop_->RunAfter(kTick, [this] { Tick(); });
}

}  // namespace kvs::server
