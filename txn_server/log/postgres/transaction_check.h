// Tells transactions that kvs_server may have made from those that no row can be, because somebody changed it by hand.
#pragma once

#include "common/model/transaction.h"

namespace kvs::txn {

// Whether the transaction, looked at alone, may have been made: its numbers are finite and do not overflow, it has a
// key, names and the elements that its operation needs, and they are within their limits. Whatever the ledger accepts
// passes, so that it can be read again.
bool MayHaveBeenMade(const Transaction& transaction);

}  // namespace kvs::txn
