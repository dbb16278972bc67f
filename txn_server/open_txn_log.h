// The one place that knows every kind of ledger.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "txn_server/config.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Opens the ledger that the settings name. What was repaired is in the log of the process.
absl::StatusOr<std::unique_ptr<TxnLog>> OpenTxnLog(const Config& config);

}  // namespace kvs::txn
