// Looks at the bytes of frames without decoding their transactions.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>

#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Checks that a frame is what it claims to be: a TransactionList of `count` transactions, each beginning with its
// revision and time, with consecutive revisions from `first_revision`, of at most kMaxFrameBytes, ending outside of a
// batch. Reads about 30 bytes a transaction; what its operation holds is not looked into. kMalformedFrame if it is not,
// naming the revision.
absl::Status CheckFrame(const Frame& frame);

// `frame`, which CheckFrame accepts, without its transactions before `from_revision`. REQUIRES: the frame holds that
// revision. The result refers to the bytes of `frame`, and begins inside a batch if `from_revision` is inside of one.
absl::StatusOr<Frame> FrameFrom(const Frame& frame, uint64_t from_revision);

// Checks a group of frames against each other and the log, and adds them up to a frame without bytes. kGap,
// kMalformedFrame as TxnLog::Append says.
absl::StatusOr<Frame> SumUp(absl::Span<const Frame> frames, uint64_t durable_revision);

}  // namespace kvs::txn
