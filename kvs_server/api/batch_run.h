// Runs batches, from the request to the answer that leaves when it may.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <vector>

#include "kvs/v1/batch.pb.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// How a batch ended, and what its results depend on.
struct BatchOutcome {
  struct Wait {
    uint64_t observed_revision;
    bool logged;
  };

  // Of the batch. Operations that failed for themselves are no error here.
  Outcome all;
  std::vector<Wait> waits;  // of an independent batch, one for each result
};

// Does what the request asks for, and fills in the response, which is empty; it is undefined if the outcome has an
// error. `actor` is empty for anonymous callers.
BatchOutcome RunBatch(Engine* engine, absl::string_view actor, const StoreOptions& options,
                      const v1::BatchExecuteRequest& request, v1::BatchExecuteResponse* response);

// For a wait that ended without an answer: the error of the call, or, if it is about some of the operations, OK with
// these errors in `response`, which is that of the batch. `durable_revision` is what is known to be durable.
absl::Status GiveUp(const BatchOutcome& outcome, uint64_t durable_revision, v1::BatchExecuteResponse* response);

}  // namespace kvs::server
