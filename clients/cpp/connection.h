// The channel to one server with the stubs on it, and the rules of client.h about retries. Internal to this library.
// Thread-safe.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "clients/cpp/options.h"
#include "common/errors.h"
#include "common/limits.h"
#include "kvs/v1/batch.grpc.pb.h"
#include "kvs/v1/float_store.grpc.pb.h"
#include "kvs/v1/int_store.grpc.pb.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "kvs/v1/maintenance.grpc.pb.h"
#include "kvs/v1/map_store.grpc.pb.h"
#include "kvs/v1/set_store.grpc.pb.h"
#include "kvs/v1/string_store.grpc.pb.h"
#include "kvs/v1/uint_store.grpc.pb.h"

namespace kvs::client {

// The nearest duration that a message can have.
google::protobuf::Duration ToProto(absl::Duration duration);

// What a call does to the data, which decides when it may be repeated. A named mutation has a request_id.
enum class Effect { kRead, kMutation, kNamedMutation };

// Whether an error says that nothing was done and that this may pass.
bool SaysNothingWasDone(const absl::Status& status);

// A name for a request that no other one has: 128 random bits.
std::string NewRequestId();

class Connection {
 public:
  static absl::StatusOr<std::shared_ptr<const Connection>> Make(const Options& options);

  // Makes one unary call with its retries: Call(Effect::kRead, *connection.ints, &v1::IntStore::Stub::Get, request,
  // options).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Effect effect, Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request, const CallOptions& options) const {
    Response response;
    const absl::Status status = Retry(effect, options, [&](absl::Time deadline) {
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(deadline));
      return (stub.*method)(&context, request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  // The same for a mutation: puts into the request what the options say about it.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Mutate(Stub& stub,
                                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                  Request request, const MutationOptions& options) const {
    if (options.precondition) *request.mutable_precondition() = options.precondition->proto();
    if (options.ttl) {
      if constexpr (requires { request.mutable_ttl(); }) {
        *request.mutable_ttl() = ToProto(*options.ttl);
      } else {
        return Error(errors::kInvalidTtl, "nothing was changed: this call takes no ttl");
      }
    }
    request.set_request_id(options.request_id);
    if (options.request_id.empty() && MayBeNamed(request)) request.set_request_id(NewRequestId());
    const Effect effect = request.request_id().empty() ? Effect::kMutation : Effect::kNamedMutation;
    return Call(effect, stub, method, request, {.timeout = options.timeout});
  }

  // Makes attempts until one succeeds or its error is final. `attempt` is given the time at which it has to end. The
  // error of a mutation that may have happened in one of them says so.
  absl::Status Retry(Effect effect, const CallOptions& options,
                     absl::FunctionRef<grpc::Status(absl::Time deadline)> attempt) const;

  absl::Duration Timeout(const CallOptions& options) const { return options.timeout.value_or(options_.timeout); }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  const std::unique_ptr<v1::IntStore::Stub> ints;
  const std::unique_ptr<v1::UintStore::Stub> uints;
  const std::unique_ptr<v1::FloatStore::Stub> floats;
  const std::unique_ptr<v1::StringStore::Stub> strings;
  const std::unique_ptr<v1::SetStore::Stub> sets;
  const std::unique_ptr<v1::MapStore::Stub> maps;
  const std::unique_ptr<v1::Keys::Stub> keys;
  const std::unique_ptr<v1::Batch::Stub> batch;
  const std::unique_ptr<v1::Maintenance::Stub> maintenance;

 private:
  Connection(const Options& options, std::string address, std::shared_ptr<grpc::Channel> channel);

  // OK once the channel has a connection; kUnreachable with the transport's reason if it can have none, or has none at
  // the deadline.
  absl::Status AwaitConnection(absl::Time deadline) const;

  // Whether it takes effect as it would without a request_id: one record of the ledger has room for the changes.
  template <typename Request>
  static bool MayBeNamed(const Request& request) {
    if constexpr (requires { request.keys(); }) return request.ByteSizeLong() <= kMaxNamedBytes;
    return true;
  }
  static constexpr size_t kMaxNamedBytes = 1 * kMiB;

  bool MayRepeat(Effect effect, const absl::Status& status) const;

  const Options options_;
  const std::string address_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace kvs::client
