// Looks at the bytes of frames without decoding their transactions.
#pragma once

#include <absl/status/status.h>

#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Checks that a frame is what it claims to be: a TransactionList of `count` transactions, each beginning with its
// revision and time, with consecutive revisions from `first_revision`, of at most kMaxFrameBytes, ending outside of a
// batch. Reads about 30 bytes a transaction. kMalformedFrame if it is not.
absl::Status CheckFrame(const Frame& frame);

}  // namespace kvs::txn
