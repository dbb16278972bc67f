// txn_server copy: moves a ledger to another place, or to another kind of ledger.
#pragma once

#include <iosfwd>

namespace kvs::txn {

// Copies the ledger that --from names into a new one that --to names; revisions stay what they are, the log id is new.
// `argv` begins with the word "copy". Says on `out` what was copied, and on `err` how far it is and what went wrong.
// Returns the exit code (common/exit_codes.h).
int RunCopy(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace kvs::txn
