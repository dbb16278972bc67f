#include "common/rpc/health.h"

#include <optional>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "grpc/health/v1/health.pb.h"

namespace kvs::rpc {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

HealthCheckResponse::ServingStatus ToWire(HealthService::Status status) {
  switch (status) {
    case HealthService::Status::kServing:
      return HealthCheckResponse::SERVING;
    case HealthService::Status::kNotServing:
      return HealthCheckResponse::NOT_SERVING;
  }
  return HealthCheckResponse::UNKNOWN;
}

}  // namespace

// One Watch. Lock order: the mutex of the service, then what the stream locks.
class HealthService::Watcher final : public StreamHandler {
 public:
  Watcher(HealthService* health, ServerStream* stream) : health_(health), stream_(stream) {}

  bool OnMessage(const grpc::ByteBuffer& message) override {
    HealthCheckRequest request;
    if (!Parse(message, &request)) {
      stream_->Finish(Service::MalformedError(*HealthCheckRequest::descriptor()));
      return false;
    }
    MutexLock lock(&health_->mutex_);
    name_ = request.service();
    health_->watchers_.insert(this);
    SendNewest();
    return false;
  }

  // Tells the analysis that the caller holds the service's mutex, which has another name seen from here.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK(health_->mutex_) { health_->mutex_.AssertHeld(); }

  void OnHalfClose() override { stream_->Finish(Service::MalformedError(*HealthCheckRequest::descriptor())); }

  void OnWritten() override {
    MutexLock lock(&health_->mutex_);
    SendNewest();
  }

  void OnDrain() override {
    MutexLock lock(&health_->mutex_);
    Send(HealthCheckResponse::NOT_SERVING);
    stream_->Finish(grpc::Status::OK);
  }

  void OnDone() override {
    MutexLock lock(&health_->mutex_);
    health_->watchers_.erase(this);
  }

  // Sends the status of the name unless the client has it. One message at a time: while it is on its way the next one
  // is not chosen yet.
  void SendNewest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(health_->mutex_) {
    if (stream_->queued() > 0) return;
    const auto known = health_->statuses_.find(name_);
    Send(known == health_->statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : ToWire(known->second));
  }

 private:
  void Send(HealthCheckResponse::ServingStatus status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(health_->mutex_) {
    if (sent_ == status) return;
    sent_ = status;
    HealthCheckResponse response;
    response.set_status(status);
    stream_->Write(response);
  }

  HealthService* const health_;
  ServerStream* const stream_;
  std::string name_ ABSL_GUARDED_BY(health_->mutex_);
  std::optional<HealthCheckResponse::ServingStatus> sent_ ABSL_GUARDED_BY(health_->mutex_);
};

HealthService::HealthService() : service_(HealthCheckRequest::descriptor()->file()->FindServiceByName("Health")) {
  statuses_.emplace("", Status::kNotServing);
  service_.AddUnary<HealthCheckRequest, HealthCheckResponse>(
      "Check", [this](UnaryCall& call, const HealthCheckRequest& request) {
        HealthCheckResponse response;
        {
          MutexLock lock(&mutex_);
          if (const auto known = statuses_.find(request.service()); known != statuses_.end()) {
            response.set_status(ToWire(known->second));
          }
        }
        if (response.status() == HealthCheckResponse::UNKNOWN) {
          call.Finish(ToGrpc(Error(errors::kUnknownService, "this server has no service of that name")));
        } else {
          call.Reply(response);
        }
      });
  service_.AddStream("Watch", [this](ServerStream& stream) { return std::make_unique<Watcher>(this, &stream); });
}

void HealthService::Set(absl::string_view name, Status status) {
  MutexLock lock(&mutex_);
  statuses_[std::string(name)] = status;
  for (Watcher* watcher : watchers_) {
    watcher->AssertHeld();
    watcher->SendNewest();
  }
}

void HealthService::SetAll(Status status) {
  MutexLock lock(&mutex_);
  for (auto& [name, known] : statuses_) known = status;
  for (Watcher* watcher : watchers_) {
    watcher->AssertHeld();
    watcher->SendNewest();
  }
}

}  // namespace kvs::rpc
