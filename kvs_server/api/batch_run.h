// BatchRun: one batch, from its request to the answer that leaves when it may.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <vector>

#include "kvs/v1/batch.pb.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

class BatchRun {
 public:
  // Does what the request asks for. `actor` is empty for anonymous callers. The response, which is empty, outlives the
  // run; it is undefined if `outcome` has an error.
  BatchRun(Engine* engine, absl::string_view actor, const StoreOptions& options, const v1::BatchExecuteRequest& request,
           v1::BatchExecuteResponse* response);

  // Of a batch of one operation that was done already, with this outcome.
  BatchRun(const Outcome& outcome, v1::BatchExecuteResponse* response);

  // Of the batch. Operations that failed for themselves are no error here.
  const Outcome& outcome() const { return outcome_; }

  // For a wait that ended without an answer: the error of the call, or, if it is about some of the operations, OK with
  // these errors in the response. `durable_revision` is what is known to be durable.
  absl::Status GiveUp(uint64_t durable_revision);

 private:
  // What the result of an operation depends on.
  struct Wait {
    uint64_t observed_revision;
    bool logged;
  };

  void RunIndependent(Engine* engine, absl::string_view actor, const StoreOptions& options,
                      const v1::BatchExecuteRequest& request);
  Outcome RunAtomic(Engine* engine, absl::string_view actor, const StoreOptions& options,
                    const v1::BatchExecuteRequest& request);
  // Does the operations in the unit, as long as they succeed. The revisions in their responses are provisional.
  Outcome RunInUnit(Unit& unit, const StoreOptions& options, const v1::BatchExecuteRequest& request);
  // The rest of the operations has no room in the reply.
  void RefuseRest(int operation_count);

  v1::BatchExecuteResponse& response_;
  Outcome outcome_;
  std::vector<Wait> waits_;  // of an independent batch, one for each result
};

}  // namespace kvs::server
