// Checks that a backup is whole.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "txn_server/log/file/backup_manifest.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/progress.h"

namespace kvs::txn {

struct CheckedBackup {
  BackupManifest manifest;
  LogScan scan;  // of its files, through a BackupView
};

// Compares every byte with the manifest, and reads the files as a ledger. kUnusableDirectory if there is no backup;
// kDamagedLog if it was cut short, changed, or is not of one ledger.
absl::StatusOr<CheckedBackup> CheckBackup(const std::string& directory, const ProgressFunction& progress,
                                          FileSystem& file_system = PosixFileSystem());

}  // namespace kvs::txn
