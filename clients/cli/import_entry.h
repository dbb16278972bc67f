// What one line of an import asks for.
#pragma once

#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>

#include <optional>

#include "kvs/v1/batch.pb.h"
#include "kvs/v1/keys.pb.h"

namespace kvs::cli {

// A put of the entry's value, or, where it goes on with the value of the entry before it, more of that. The key lives
// for `ttl`, for ever if there is none. The type of the value must be that of the entry.
v1::BatchOperation OperationOf(const v1::ScanEntry& entry, const std::optional<absl::Duration>& ttl, bool goes_on);

// Makes an operation that changes one key depend on what is there.
void SetPrecondition(const v1::Precondition& precondition, v1::BatchOperation* operation);

// Takes out of an operation of OperationOf how long its key is to live, if that is limited.
std::optional<google::protobuf::Duration> TakeTtl(v1::BatchOperation* operation);

}  // namespace kvs::cli
