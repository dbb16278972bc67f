#include "tests/support/linearizability/load.h"

#include <absl/time/clock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "clients/cpp/channel.h"
#include "common/errors.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/message.h"
#include "common/rpc/status.h"
#include "tests/support/linearizability/operations.h"
#include "tests/support/linearizability/workload.h"

namespace kvs::linearizability {
namespace {

// Far over the time in which a server that runs answers.
constexpr absl::Duration kTimeout = absl::Seconds(30);
// Before a client that was refused asks for something else, or sends again.
constexpr absl::Duration kPause = absl::Milliseconds(5);
constexpr int kMaxAttempts = 50;
constexpr uint64_t kCallsPerProgress = 100;

// "/kvs.v1.IntStore/Put" by the name of its request.
const std::string& MethodOf(const google::protobuf::Message& request) {
  static const auto* const methods = [] {
    auto* by_request = new std::map<std::string, std::string>;
    const auto* pool = google::protobuf::DescriptorPool::generated_pool();
    for (const char* name :
         {"IntStore", "UintStore", "FloatStore", "StringStore", "SetStore", "MapStore", "Keys", "Batch"}) {
      const auto* service = pool->FindServiceByName(std::string("kvs.v1.") + name);
      for (int i = 0; i < service->method_count(); ++i) {
        const auto* method = service->method(i);
        (*by_request)[std::string(method->input_type()->name())] =
            "/" + std::string(service->full_name()) + "/" + std::string(method->name());
      }
    }
    return by_request;
  }();
  return methods->at(std::string(request.GetDescriptor()->name()));
}

class Load;

class Client {
 public:
  Client(Load* load, uint32_t number, const std::shared_ptr<grpc::Channel>& channel)
      : load_(*load), number_(number), stub_(channel) {}

  // Makes the next call, unless the load is over.
  void Start();
  // Names the attempt that is under way; 0 if there is none.
  uint64_t attempt_id() const { return attempt_ ? attempts_ : 0; }
  void CancelAttempt() { attempt_->context.TryCancel(); }

 private:
  struct Attempt {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  };

  Call& call();
  void Send();
  void MakeItHardToAnswer();
  void Finished();
  void End(Outcome outcome, const google::protobuf::Message& response);
  // The answer of the attempt in the form of a batch.
  v1::BatchExecuteResponse Answer() const;
  bool CanBeSentAgain() const;

  Load& load_;
  const uint32_t number_;
  grpc::GenericStub stub_;
  Workload::Request request_;
  size_t call_ = 0;  // in the history
  int attempts_of_call_ = 0;
  bool was_unknown_ = false;  // what became of an attempt of the call
  uint64_t attempts_ = 0;     // of all calls
  std::optional<Attempt> attempt_;
  grpc::Alarm alarm_;
  rpc::CallbackTag finished_{[this](bool) { Finished(); }};
  rpc::CallbackTag start_{[this](bool) { Start(); }};
  rpc::CallbackTag send_{[this](bool) { Send(); }};
};

// What all clients share.
class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options), workload_(options.seed) {}

  absl::StatusOr<History> Run() {
    for (uint32_t i = 0; i < options_.clients; ++i) {
      auto channel = client::MakeChannel(options_.server, client::ChannelUse::kLoad);
      if (!channel.ok()) return channel.status();
      clients_.push_back(std::make_unique<Client>(this, i, *channel));
    }
    busy_ = clients_.size();
    for (const auto& client : clients_) client->Start();
    void* tag = nullptr;
    bool ok = false;
    while (busy_ > 0 && queue_.Next(&tag, &ok)) {
      ++events_;
      static_cast<rpc::Tag*>(tag)->Complete(ok);
      CancelDue();
    }
    queue_.Shutdown();
    while (queue_.Next(&tag, &ok)) {
    }
    return std::move(history_);
  }

  bool is_over() const { return calls_ >= options_.calls; }
  // A client that is not over has one operation on the queue.
  void ClientIsOver() { --busy_; }

  // Times are all different.
  int64_t Now() {
    const int64_t now = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
    return last_nanos_ = std::max(last_nanos_ + 1, now);
  }

  // Cancels the attempt that the client has under way some events later, if it still is.
  void CancelLater(Client* client) {
    const uint64_t delay = workload_.Below(2 * uint64_t{options_.clients});
    cancellations_.insert({events_ + delay, {client, client->attempt_id()}});
  }

  void Ended(const Call& call) {
    workload_.Learn(call);
    if (call.outcome == Outcome::kRefused) return;
    if (++calls_ % kCallsPerProgress == 0 && options_.on_progress) options_.on_progress(calls_);
  }

  Workload& workload() { return workload_; }
  History& history() { return history_; }
  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  void CancelDue() {
    while (!cancellations_.empty() && cancellations_.begin()->first <= events_) {
      const auto [client, attempt] = cancellations_.begin()->second;
      if (client->attempt_id() == attempt) client->CancelAttempt();
      cancellations_.erase(cancellations_.begin());
    }
  }

  const LoadOptions& options_;
  Workload workload_;
  History history_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::multimap<uint64_t, std::pair<Client*, uint64_t>> cancellations_;  // by the number of the event
  size_t busy_ = 0;
  uint64_t events_ = 0;
  uint64_t calls_ = 0;
  int64_t last_nanos_ = 0;
};

Call& Client::call() { return load_.history()[call_]; }

void Client::Start() {
  if (load_.is_over()) return load_.ClientIsOver();
  request_ = load_.workload().Next();
  attempts_of_call_ = 0;
  was_unknown_ = false;
  call_ = load_.history().size();
  load_.history().push_back({.client = number_, .kind = request_.kind, .request = request_.batch.SerializeAsString()});
  call().invoked_nanos = load_.Now();
  Send();
}

void Client::Send() {
  const google::protobuf::Message* request = &request_.batch;
  if (request_.kind == CallKind::kSingle) request = &RequestOf(request_.batch.operations(0));
  attempt_.emplace();
  ++attempts_;
  ++attempts_of_call_;
  attempt_->context.set_wait_for_ready(true);
  attempt_->context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  MakeItHardToAnswer();
  attempt_->reader =
      stub_.PrepareUnaryCall(&attempt_->context, MethodOf(*request), rpc::Serialize(*request), load_.queue());
  attempt_->reader->StartCall();
  attempt_->reader->Finish(&attempt_->response, &attempt_->status, static_cast<rpc::Tag*>(&finished_));
}

// One attempt in 25.
void Client::MakeItHardToAnswer() {
  const uint64_t chance = load_.workload().Below(50);
  if (chance == 0) load_.CancelLater(this);
  if (chance != 1) return;
  const auto patience = absl::Microseconds(200 + load_.workload().Below(3000));
  attempt_->context.set_deadline(absl::ToChronoTime(absl::Now() + patience));
}

void Client::Finished() {
  const absl::Status status = rpc::FromGrpc(attempt_->status);
  Outcome outcome = OutcomeOf(status);
  if (outcome == Outcome::kAnswered) return End(outcome, Answer());
  if (outcome == Outcome::kFailed) return End(outcome, rpc::ToProto(status));
  was_unknown_ |= outcome == Outcome::kUnknown;
  if (!was_unknown_) return End(Outcome::kRefused, rpc::ToProto(status));
  if (attempts_of_call_ == kMaxAttempts || !CanBeSentAgain()) return End(Outcome::kUnknown, rpc::ToProto(status));
  attempt_.reset();
  alarm_.Set(load_.queue(), absl::ToChronoTime(absl::Now() + kPause), static_cast<rpc::Tag*>(&send_));
}

// Two in three of those that take effect once however often they are sent.
bool Client::CanBeSentAgain() const {
  v1::BatchExecuteRequest named = request_.batch;
  if (request_.kind == CallKind::kIndependent) return false;
  const bool is_named = request_.kind == CallKind::kAtomic ? !request_.batch.request_id().empty()
                                                           : HasRequestId(request_.batch.operations(0));
  return is_named && !load_.workload().OneIn(3);
}

v1::BatchExecuteResponse Client::Answer() const {
  v1::BatchExecuteResponse answer;
  if (request_.kind != CallKind::kSingle) {
    rpc::Parse(attempt_->response, &answer);
    return answer;
  }
  auto& response = MutableResponse(request_.batch.operations(0), answer.add_results());
  rpc::Parse(attempt_->response, &response);
  const auto* latest = response.GetDescriptor()->FindFieldByName("latest_revision");
  answer.set_latest_revision(response.GetReflection()->GetUInt64(response, latest));
  response.GetReflection()->ClearField(&response, latest);
  return answer;
}

void Client::End(Outcome outcome, const google::protobuf::Message& response) {
  call().returned_nanos = load_.Now();
  call().outcome = outcome;
  call().response = response.SerializeAsString();
  attempt_.reset();
  load_.Ended(call());
  if (outcome != Outcome::kRefused) return Start();
  alarm_.Set(load_.queue(), absl::ToChronoTime(absl::Now() + kPause), static_cast<rpc::Tag*>(&start_));
}

}  // namespace

absl::StatusOr<History> RunLoad(const LoadOptions& options) { return Load(options).Run(); }

}  // namespace kvs::linearizability
