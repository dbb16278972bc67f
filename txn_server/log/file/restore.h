// Makes a ledger of a backup.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "txn_server/log/copy_log.h"
#include "txn_server/log/file/backup_manifest.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/progress.h"

namespace kvs::txn {

struct RestoreOptions {
  std::string backup_directory;
  std::string data_directory;  // missing or empty; its parent exists
  ProgressFunction progress;
  FileSystem* file_system = &PosixFileSystem();
};

struct RestoreReport {
  BackupManifest manifest;
  CopyReport copy;
  std::string log_id;  // of the new ledger: writers of the old one are fenced
};

// Checks every byte of the backup and makes a ledger with its revisions and a new log id. After an error there is none.
//
// kUnusableDirectory if there is no backup, or something else is where the ledger is to be; kDamagedLog if the backup
// was cut short, changed, or is not of one ledger; kNoSpace.
absl::StatusOr<RestoreReport> RestoreLog(const RestoreOptions& options);

}  // namespace kvs::txn
