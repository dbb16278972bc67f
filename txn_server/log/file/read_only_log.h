// The file ledger as a TxnLog that is only read: the source of copies.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A log that was scanned. What would change it is refused with FAILED_PRECONDITION. `file_system` is borrowed, `lock`
// is kept and may be null.
std::unique_ptr<TxnLog> MakeReadOnlyLog(FileSystem& file_system, const LogScan& scan, std::unique_ptr<FileLock> lock);

// Reads and checks the whole ledger in `directory`, to which nobody may write meanwhile; its files are not changed.
// kUnusableDirectory if there is none, kLogInUse if somebody uses it, kDamagedLog if it is damaged. A torn tail, which
// was never acknowledged, is left out.
absl::StatusOr<std::unique_ptr<TxnLog>> OpenReadOnlyLog(const std::string& directory,
                                                        FileSystem& file_system = PosixFileSystem());

}  // namespace kvs::txn
