// A gRPC server that does what a test tells it to, for what the real pair does only in rare moments: fails so many
// times with a given error, breaks a list off in the middle, claims to have lost its ledger.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/latch.h"
#include "common/rpc/status.h"
#include "common/sync.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "kvs/v1/batch.grpc.pb.h"
#include "kvs/v1/int_store.grpc.pb.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "kvs/v1/maintenance.grpc.pb.h"
#include "tests/support/catch.h"

namespace kvs {

class ScriptedServer {
 public:
  explicit ScriptedServer(std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials(),
                          const std::string& address = "127.0.0.1:0") {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address, std::move(credentials), &port_);
    builder.RegisterService(&ints_);
    builder.RegisterService(&keys_);
    builder.RegisterService(&batch_);
    builder.RegisterService(&maintenance_);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~ScriptedServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }
  std::string address() const { return "localhost:" + std::to_string(port_); }

  // The next data calls end with these errors, in this order; those after them succeed.
  void FailNext(std::vector<absl::Status> errors) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    errors_.assign(errors.begin(), errors.end());
  }

  // The data calls that have arrived.
  int calls() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    return calls_;
  }

  // The request_id of each IntStore.Put and Batch.Execute that has arrived.
  std::vector<std::string> request_ids() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    return request_ids_;
  }

  // The operations of the next Batch.Execute end so, of each call the next list of them; those of later calls succeed.
  void EndOperations(std::vector<std::vector<absl::Status>> ends) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    operation_ends_.assign(ends.begin(), ends.end());
  }

  // How many operations each Batch.Execute had.
  std::vector<int> operations() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    return operations_;
  }

  // What Maintenance.Status answers.
  void SetStatus(const v1::MaintenanceStatusResponse& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    status_ = status;
  }

  // What the health of a service is; services without one are NOT_FOUND.
  void SetHealth(const std::string& service, grpc::health::v1::HealthCheckResponse::ServingStatus health)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    health_by_service_[service] = health;
  }

  // Keys.List waits for this before it ends.
  void HoldList(Latch* release) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    list_release_ = release;
  }

  // Keys.List answers this many parts and then `end`.
  void SetList(int parts, const absl::Status& end) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    list_parts_ = parts;
    list_end_ = end;
  }

 private:
  // Counts a data call and says how it ends.
  absl::Status Arrive() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    ++calls_;
    if (errors_.empty()) return absl::OkStatus();
    const absl::Status error = errors_.front();
    errors_.pop_front();
    return error;
  }

  void Note(const std::string& request_id) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    request_ids_.push_back(request_id);
  }

  std::vector<absl::Status> BeginBatch(const v1::BatchExecuteRequest& request) ABSL_LOCKS_EXCLUDED(mutex_) {
    Note(request.request_id());
    const MutexLock lock(&mutex_);
    operations_.push_back(request.operations_size());
    std::vector<absl::Status> ends(request.operations_size());
    if (!operation_ends_.empty()) ends = operation_ends_.front();
    if (!operation_ends_.empty()) operation_ends_.pop_front();
    return ends;
  }

  class Ints final : public v1::IntStore::Service {
   public:
    explicit Ints(ScriptedServer* server) : server_(server) {}

    grpc::Status Get(grpc::ServerContext*, const v1::IntStoreGetRequest*, v1::IntStoreGetResponse* response) override {
      response->set_value(42);
      return rpc::ToGrpc(server_->Arrive());
    }
    grpc::Status Put(grpc::ServerContext*, const v1::IntStorePutRequest* request,
                     v1::IntStorePutResponse* response) override {
      server_->Note(request->request_id());
      response->set_revision(7);
      return rpc::ToGrpc(server_->Arrive());
    }

    grpc::Status MultiPut(grpc::ServerContext*, const v1::IntStoreMultiPutRequest*,
                          v1::IntStoreMultiPutResponse*) override {
      return rpc::ToGrpc(server_->Arrive());
    }

   private:
    ScriptedServer* const server_;
  };

  class KeyService final : public v1::Keys::Service {
   public:
    explicit KeyService(ScriptedServer* server) : server_(server) {}

    grpc::Status List(grpc::ServerContext* context, const v1::KeysListRequest*,
                      grpc::ServerWriter<v1::KeysListResponse>* writer) override {
      const absl::Status arrived = server_->Arrive();
      if (!arrived.ok()) return rpc::ToGrpc(arrived);
      int parts = 0;
      absl::Status end;
      Latch* release = nullptr;
      {
        const MutexLock lock(&server_->mutex_);
        parts = server_->list_parts_;
        end = server_->list_end_;
        release = server_->list_release_;
      }
      for (int i = 0; i < parts && !context->IsCancelled(); ++i) {
        v1::KeysListResponse part;
        part.add_keys()->set_key("key " + std::to_string(i));
        if (!writer->Write(part)) break;
      }
      if (release != nullptr) release->Wait();
      return rpc::ToGrpc(end);
    }

   private:
    ScriptedServer* const server_;
  };

  class BatchService final : public v1::Batch::Service {
   public:
    explicit BatchService(ScriptedServer* server) : server_(server) {}

    grpc::Status Execute(grpc::ServerContext*, const v1::BatchExecuteRequest* request,
                         v1::BatchExecuteResponse* response) override {
      for (const absl::Status& end : server_->BeginBatch(*request)) {
        v1::BatchResult& result = *response->add_results();
        if (!end.ok()) *result.mutable_error() = rpc::ToProto(end);
      }
      return rpc::ToGrpc(server_->Arrive());
    }

   private:
    ScriptedServer* const server_;
  };

  class MaintenanceService final : public v1::Maintenance::Service {
   public:
    explicit MaintenanceService(ScriptedServer* server) : server_(server) {}

    grpc::Status Status(grpc::ServerContext*, const v1::MaintenanceStatusRequest*,
                        v1::MaintenanceStatusResponse* response) override {
      const MutexLock lock(&server_->mutex_);
      *response = server_->status_;
      return grpc::Status::OK;
    }
    grpc::Status Echo(grpc::ServerContext*, const v1::MaintenanceEchoRequest* request,
                      v1::MaintenanceEchoResponse* response) override {
      response->set_message(request->message());
      response->set_actor("anonymous");
      return grpc::Status::OK;
    }

   private:
    ScriptedServer* const server_;
  };

  class HealthService final : public grpc::health::v1::Health::Service {
   public:
    explicit HealthService(ScriptedServer* server) : server_(server) {}

    grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                       grpc::health::v1::HealthCheckResponse* response) override {
      const MutexLock lock(&server_->mutex_);
      const auto found = server_->health_by_service_.find(request->service());
      if (found == server_->health_by_service_.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "unknown");
      response->set_status(found->second);
      return grpc::Status::OK;
    }

   private:
    ScriptedServer* const server_;
  };

  mutable Mutex mutex_;
  std::deque<absl::Status> errors_ ABSL_GUARDED_BY(mutex_);
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> request_ids_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::vector<absl::Status>> operation_ends_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> operations_ ABSL_GUARDED_BY(mutex_);
  int list_parts_ ABSL_GUARDED_BY(mutex_) = 0;
  Latch* list_release_ ABSL_GUARDED_BY(mutex_) = nullptr;
  absl::Status list_end_ ABSL_GUARDED_BY(mutex_);
  v1::MaintenanceStatusResponse status_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, grpc::health::v1::HealthCheckResponse::ServingStatus> health_by_service_
      ABSL_GUARDED_BY(mutex_) = {{"", grpc::health::v1::HealthCheckResponse::SERVING}};
  Ints ints_{this};
  KeyService keys_{this};
  BatchService batch_{this};
  MaintenanceService maintenance_{this};
  HealthService health_{this};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kvs
