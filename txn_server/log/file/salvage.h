// Makes a new ledger of what can still be read of a damaged one.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "txn_server/log/copy_log.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/rescued_frames.h"
#include "txn_server/log/file/rescued_state.h"
#include "txn_server/log/progress.h"

namespace kvs::txn {

struct SalvageOptions {
  std::string data_directory;    // of the damaged ledger, which nobody uses and which is not changed
  std::string target_directory;  // missing or empty; its parent exists
  ProgressFunction progress;
  FileSystem* file_system = &PosixFileSystem();
};

struct SalvageReport {
  std::vector<Loss> losses;
  std::vector<DoubtfulKey> doubtful_keys;
  CopyReport copy;
  std::string log_id;  // of the new ledger
};

// Revisions stay what they are, and the log id is new. The new ledger has as much history as there is behind the last
// transaction that is missing, beginning with a snapshot or with revision 1; where it cannot begin so, it has the state
// alone that the readable transactions amount to.
//
// kUnusableDirectory if there is no ledger, or something else is where the new one is to be; kLogInUse if a server uses
// it; kDamagedLog if nothing of it can be read; kUnsupportedLogVersion; kNoSpace. After an error nothing was made.
absl::StatusOr<SalvageReport> SalvageLog(const SalvageOptions& options);

}  // namespace kvs::txn
