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

// kUnusableDirectory unless a ledger can be made there.
absl::Status CheckNewLedgerDirectory(FileSystem& file_system, const std::string& directory);

// Calls `fill` with an empty log, whose id is new, in a directory beside, DIRECTORY.partial, which becomes `directory`
// when that is done and reads back as it was written. After an error nothing is left. Returns where the log ends.
absl::StatusOr<LogPosition> CreateLedger(const NewLedgerOptions& options,
                                         absl::FunctionRef<absl::Status(TxnLog& log)> fill);

}  // namespace kvs::txn
