// Backs up a file ledger, which may be in use.
//
// The backup has the ledger's files as far as they are valid, by their names, and BACKUP, which is written last. A
// segment only ever grows, so that a longer copy of one serves the backup before as well; files that are not needed any
// more are removed when the new BACKUP is durable. A backup that is interrupted leaves the one before.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "txn_server/log/file/backup_manifest.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/progress.h"

namespace kvs::txn {

struct BackupOptions {
  std::string data_directory;
  std::string backup_directory;  // made if it is missing
  ProgressFunction progress;
  FileSystem* file_system = &PosixFileSystem();
};

struct BackupReport {
  BackupManifest manifest;
  uint64_t files_copied = 0;
  uint64_t bytes_copied = 0;
  uint64_t files_reused = 0;  // which the backup had already
  uint64_t bytes_reused = 0;
  std::vector<std::string> damaged_snapshots;  // that were left out; the state is there without them
};

// Makes or renews the backup. Every byte of the ledger is checked, and what the backup has already is compared.
//
// kUnusableDirectory if there is no ledger, or the other directory holds something else than a backup of it; kLogInUse
// while another backup is made there; kDamagedLog if the ledger is damaged; kNoSpace.
absl::StatusOr<BackupReport> BackUpLog(const BackupOptions& options);

}  // namespace kvs::txn
