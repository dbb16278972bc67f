// LedgerService: txn.v1.Ledger over a TxnLog. Decides who the writer is, and moves frames between streams and the log.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/server_context.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/rpc/service.h"
#include "common/sync.h"
#include "txn/v1/ledger.pb.h"
#include "txn_server/api/committer.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

struct LedgerServiceOptions {
  std::string version;
  size_t max_queued_bytes = 64 << 20;  // frames received and not durable; past it nothing more is read
  absl::Duration heartbeat_interval = absl::Seconds(1);
  absl::Duration writer_timeout = absl::Seconds(5);  // a stream that says nothing for so long is ended
};

// Whether the caller may write; kNotPermitted if not.
using CheckWriter = std::function<absl::Status(const grpc::ServerContext&)>;

class LedgerService {
 public:
  // `log` outlives the service. `log_failed` is called once, from any thread, when the log has failed for good: the
  // process must end, since only a new one can know what is durable.
  LedgerService(LedgerServiceOptions options, TxnLog* log, CheckWriter check_writer,
                absl::AnyInvocable<void(const absl::Status&)> log_failed);
  LedgerService(const LedgerService&) = delete;
  LedgerService& operator=(const LedgerService&) = delete;
  // After the server has stopped.
  ~LedgerService();

  // What to add to the server.
  rpc::Service& service() { return service_; }

 private:
  class AppendStream;
  class ReplayStream;

  // Jobs of the committer's thread: no group is in flight.
  absl::Status CheckOpen(const grpc::ServerContext& context, const ::txn::v1::OpenRequest& request) const;
  void Open(rpc::UnaryCall& call, const ::txn::v1::OpenRequest& request, TxnLog& log) ABSL_LOCKS_EXCLUDED(mutex_);
  void Resume(rpc::UnaryCall& call, const ::txn::v1::ResumeRequest& request, TxnLog& log) ABSL_LOCKS_EXCLUDED(mutex_);
  void Status(rpc::UnaryCall& call);

  absl::StatusOr<uint64_t> BecomeWriter(const ::txn::v1::OpenRequest& request, TxnLog& log) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckNoOtherWriter(const ::txn::v1::OpenRequest& request, const LogPosition& position) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the stream of the writer that resumes.
  absl::Status BeginResume(const ::txn::v1::ResumeRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckResume(const ::txn::v1::ResumeRequest& request, const LogPosition& position) const;
  absl::Status Attach(AppendStream* stream, const ::txn::v1::Attach& attach) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Enqueue(AppendStream* stream, ::txn::v1::Frame* frame, bool* full) ABSL_LOCKS_EXCLUDED(mutex_);
  void Detach(AppendStream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndActive(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Committed(const absl::Status& status, size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  const LedgerServiceOptions options_;
  TxnLog* const log_;
  const CheckWriter check_writer_;
  rpc::Service service_;

  mutable Mutex mutex_;
  absl::AnyInvocable<void(const absl::Status&)> log_failed_ ABSL_GUARDED_BY(mutex_);
  // The stream of the current writer, while it is alive.
  AppendStream* active_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t active_epoch_ ABSL_GUARDED_BY(mutex_) = 0;  // when it attached
  std::string writer_name_ ABSL_GUARDED_BY(mutex_);
  absl::Time attached_at_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_revision_ ABSL_GUARDED_BY(mutex_) = 0;  // that the active stream must send
  std::string refusal_ ABSL_GUARDED_BY(mutex_);         // of the last group, empty if it was accepted
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_paused_ ABSL_GUARDED_BY(mutex_) = false;

  std::unique_ptr<Committer> committer_;
};

}  // namespace kvs::txn
