// All that a file ledger holds, as kvs log dump shows it.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "txn/v1/transaction.pb.h"

namespace kvs::linearizability {

using Ledger = std::vector<::txn::v1::Transaction>;

// The transactions in the order of the log, read by the generated code and not by that of the servers. An error if it
// is damaged. REQUIRES: no server writes to it, and it keeps its whole history.
absl::StatusOr<Ledger> ReadLedger(const std::string& directory);

}  // namespace kvs::linearizability
