// Logged transactions as people and programs read them in `kvs log dump`.
#pragma once

#include <string>

#include "common/model/transaction.h"

namespace kvs::cli {

// One line, not ended: 7 2026-01-31T10:00:00.000000Z int "visits" increment by 1 to 42, by spiffe://kvs/client/alice
std::string TransactionText(const Transaction& transaction);

// One object: revision, time, actor, type, key, previousRevision, operation, and what the operation carries. 64-bit
// integers are strings, as in the JSON of every other command.
std::string TransactionJson(const Transaction& transaction);

}  // namespace kvs::cli
