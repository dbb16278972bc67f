// Makes a ledger that is there as a whole or not at all.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

struct NewLedgerOptions {
  std::string directory;  // missing or empty; its parent exists
  uint64_t segment_bytes = 0;
  FileSystem* file_system = &PosixFileSystem();
};

// kUnusableDirectory unless a ledger can be made there, and without changing what is in `source`, which it is made of:
// a directory, or empty if it is made of something else.
absl::Status CheckNewLedgerDirectory(FileSystem& file_system, const std::string& directory, const std::string& source);

// Calls `fill` with an empty log, whose id is new, in a directory beside, DIRECTORY.partial, which becomes `directory`
// with the owner and mode of the empty one that it replaces, when that is done and reads back as it was written. After
// an error nothing is left. Returns where the log ends.
//
// What an interrupted attempt left in DIRECTORY.partial is replaced. kUnusableDirectory if anything else is there, such
// as a whole ledger.
absl::StatusOr<LogPosition> CreateLedger(const NewLedgerOptions& options,
                                         absl::FunctionRef<absl::Status(TxnLog& log)> fill);

}  // namespace kvs::txn
