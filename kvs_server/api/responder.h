// Responder: what every call of the data services has in common: whether it is served now, who calls, and the wait
// until what its reply shows is durable.
#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "common/rpc/service.h"
#include "common/rpc/status.h"
#include "kvs_server/api/lists.h"
#include "kvs_server/engine/engine.h"
#include "kvs_server/journal/journal.h"

namespace kvs::server {

class Responder {
 public:
  // The verified identity of a caller, empty if it is anonymous; kNotPermitted for one that cannot be told. Called from
  // any event loop.
  using ActorOf = std::function<absl::StatusOr<std::string>(const grpc::ServerContext&)>;

  // `journal` outlives the responder.
  Responder(Journal* journal, ActorOf actor_of) : journal_(journal), actor_of_(std::move(actor_of)) {}

  // OK if data can be served; REPLAYING or DRAINING otherwise.
  absl::Status CheckServing() const;

  absl::StatusOr<std::string> ActorFor(const grpc::ServerContext& context) const { return actor_of_(context); }

  // Who calls, if data can be served to them; the error of CheckServing or ActorFor otherwise.
  absl::StatusOr<std::string> Admit(const grpc::ServerContext& context) const {
    if (absl::Status status = CheckServing(); !status.ok()) return status;
    return ActorFor(context);
  }

  // Answers the call when everything that the outcome observed is durable.
  void Respond(rpc::UnaryCall& call, const Outcome& outcome, const google::protobuf::MessageLite& response);
  void Respond(rpc::UnaryCall& call, ListAnswer answer);

  // Sends the response, or the error if there is one, when everything that the outcome observed is durable;
  // TOO_MANY_WAITING if the call would have to wait and may not. Where the wait ends without that, give_up(durability,
  // response, error) answers the call.
  template <class GiveUp>
  void SendWhenDurable(rpc::UnaryCall& call, const Outcome& outcome, const grpc::ByteBuffer& response,
                       const grpc::Status& error, GiveUp give_up) {
    // As nearly every read: then nothing has to be kept for later.
    if (outcome.observed_revision <= journal_->durable_revision()) return Send(call, response, error);
    if (absl::Status status = CheckWait(outcome); !status.ok()) return call.Finish(rpc::ToGrpc(status));
    call.Await(response.Length());
    journal_->WhenDurable(outcome.observed_revision, [&call, response, error,
                                                      give_up = std::move(give_up)](Durability durability) mutable {
      durability == Durability::kDurable ? Send(call, response, error) : give_up(durability, response, error);
    });
  }

  // From now on every call is refused with DRAINING.
  void Drain() { draining_ = true; }
  bool draining() const { return draining_; }

  Journal& journal() const { return *journal_; }

  // Adds an unary method. handle(const std::string& actor, const Request&, Response*) returns the Outcome; it is called
  // on the call's event loop when data can be served.
  template <class Request, class Response, class Handle>
  void Add(rpc::Service& service, absl::string_view method, Handle handle) {
    service.AddUnary<Request, Response>(method, HandlerOf<Request, Response>(handle));
  }
  // The same; first quick(const std::string& actor, absl::string_view request), which returns
  // std::optional<ListAnswer>, is given the bytes of the request.
  template <class Request, class Response, class Quick, class Handle>
  void Add(rpc::Service& service, absl::string_view method, Quick quick, Handle handle) {
    const auto try_quick = [this, quick](rpc::UnaryCall& call, absl::string_view request) {
      const absl::StatusOr<std::string> actor = Admit(call.context());
      if (!actor.ok()) return false;
      std::optional<ListAnswer> answer = quick(*actor, request);
      if (!answer) return false;
      Respond(call, *std::move(answer));
      return true;
    };
    service.AddUnary<Request, Response>(method, try_quick, HandlerOf<Request, Response>(handle));
  }

 private:
  template <class Request, class Response, class Handle>
  auto HandlerOf(Handle handle) {
    return [this, handle](rpc::UnaryCall& call, const Request& request) {
      Outcome outcome;
      auto* response = google::protobuf::Arena::CreateMessage<Response>(call.arena());
      const absl::StatusOr<std::string> actor = Admit(call.context());
      outcome.status = actor.status();
      if (outcome.status.ok()) {
        outcome = handle(*actor, request, response);
        response->set_latest_revision(outcome.latest_revision);
      }
      Respond(call, outcome, *response);
    };
  }

  // Whether a call with this outcome may wait for the ledger.
  absl::Status CheckWait(const Outcome& outcome) const;
  // As the public one, giving up with the error of the wait.
  void SendWhenDurable(rpc::UnaryCall& call, const Outcome& outcome, const grpc::ByteBuffer& response,
                       const grpc::Status& error);
  static void Send(rpc::UnaryCall& call, const grpc::ByteBuffer& response, const grpc::Status& error);

  Journal* const journal_;
  const ActorOf actor_of_;
  std::atomic<bool> draining_{false};
};

// The error of a wait that ended without an answer, for a call that changed something, or for one that did not.
absl::Status WaitError(bool logged);

// An outcome that ends before anything was evaluated.
inline Outcome Refused(absl::Status status) {
  Outcome outcome;
  outcome.status = std::move(status);
  return outcome;
}

}  // namespace kvs::server
