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
  grpc::Status error;
  grpc::ByteBuffer bytes;
  if (outcome.status.ok()) {
    bytes = rpc::Serialize(response);
    call.Expect(bytes.Length());
  } else {
    error = rpc::ToGrpc(outcome.status);
  }
  SendWhenDurable(call, outcome, std::move(bytes), std::move(error));
}

void Responder::Respond(rpc::UnaryCall& call, ListAnswer answer) {
  const Outcome outcome = answer.outcome;
  grpc::ByteBuffer bytes = CallResponse(std::move(answer));
  call.Expect(bytes.Length());
  SendWhenDurable(call, outcome, std::move(bytes), grpc::Status::OK);
}

void Responder::SendWhenDurable(rpc::UnaryCall& call, const Outcome& outcome, grpc::ByteBuffer bytes,
                                grpc::Status error) {
  journal_->WhenDurable(outcome.observed_revision, [&call, logged = outcome.logged, error = std::move(error),
                                                    bytes = std::move(bytes)](Durability durability) mutable {
    // Where nothing more becomes durable, reads tell what may be nowhere else.
    if (durability == Durability::kUnknown || (durability == Durability::kLost && logged)) {
      call.Finish(rpc::ToGrpc(WaitError(logged)));
    } else if (error.ok()) {
      call.Reply(bytes);
    } else {
      call.Finish(error);
    }
  });
}

}  // namespace kvs::server
