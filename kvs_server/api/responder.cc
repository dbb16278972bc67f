#include "kvs_server/api/responder.h"

#include <absl/strings/str_cat.h>

#include "common/errors.h"
#include "common/rpc/status.h"

namespace kvs::server {

absl::Status WaitError(bool logged) {
  if (logged) {
    return Error(
        errors::kOutcomeUnknown,
        "the change was made but its ledger has not confirmed it: it may or may not survive; send it again with the "
        "request_id that it has, or else read the key before trying again");
  }
  return Error(
      errors::kPendingWrite,
      "the answer depends on a change that the ledger has not confirmed; nothing was changed, try again later");
}

absl::Status Responder::CheckServing() const {
  if (draining_)
    return Error(errors::kDraining, "nothing was changed: the server is about to stop; try another or later");
  if (journal_->replayed()) return absl::OkStatus();
  const JournalStatus status = journal_->status();
  if (status.state != LedgerState::kReplaying) {
    return Error(errors::kReplaying, absl::StrCat("nothing was changed: the server waits for its ledger (",
                                                  status.detail, "); try again later"));
  }
  return Error(errors::kReplaying,
               absl::StrCat("nothing was changed: the server is replaying its ledger, ", status.replay_revision, " of ",
                            status.replay_last_revision, " revisions; try again later"),
               {{"revision", absl::StrCat(status.replay_revision)},
                {"last_revision", absl::StrCat(status.replay_last_revision)}});
}

void Responder::Respond(rpc::UnaryCall& call, const Outcome& outcome, const google::protobuf::MessageLite& response) {
  // What is answered is made now: the state may be another one when the wait is over.
  if (outcome.status.ok()) {
    SendWhenDurable(call, outcome, rpc::Serialize(response), grpc::Status::OK);
  } else {
    SendWhenDurable(call, outcome, grpc::ByteBuffer(), rpc::ToGrpc(outcome.status));
  }
}

void Responder::Respond(rpc::UnaryCall& call, ListAnswer answer) {
  const Outcome outcome = answer.outcome;
  SendWhenDurable(call, outcome, CallResponse(std::move(answer)), grpc::Status::OK);
}

void Responder::SendWhenDurable(rpc::UnaryCall& call, const Outcome& outcome, const grpc::ByteBuffer& response,
                                const grpc::Status& error) {
  SendWhenDurable(call, outcome, response, error,
                  [&call, logged = outcome.logged](Durability durability, const grpc::ByteBuffer& response,
                                                   const grpc::Status& error) {
                    // Where nothing more becomes durable, reads tell what may be nowhere else.
                    if (durability == Durability::kLost && !logged) return Send(call, response, error);
                    call.Finish(rpc::ToGrpc(WaitError(logged)));
                  });
}

absl::Status Responder::CheckWait(const Outcome& outcome) const {
  // What was logged has been let in before.
  return outcome.logged ? absl::OkStatus() : journal_->CheckWaits();
}

void Responder::Send(rpc::UnaryCall& call, const grpc::ByteBuffer& response, const grpc::Status& error) {
  error.ok() ? call.Reply(response) : call.Finish(error);
}

}  // namespace kvs::server
