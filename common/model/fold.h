// Fold: what an operation does to a value. The only code that knows; live writes, replay and every reader of a ledger
// use it.
#pragma once

#include <absl/status/status.h>

#include "common/model/transaction.h"
#include "common/model/value.h"

namespace kvs {

// Changes `value` as `operation` says; where the key was absent, `value` is a T{}. DataLoss if the operation does not
// belong to the type, or cannot have had its effect on this value: then the log it comes from is not the history of
// this state. `value` is undefined after an error. REQUIRES: not a Delete, which leaves no value. Defined for every
// alternative of Value.
template <class T>
absl::Status Fold(T& value, const Operation& operation);

// Whether the operation can only be one on a key that is present, whatever its value is.
bool NeedsKey(const Operation& operation);

}  // namespace kvs
