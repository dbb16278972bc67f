// BackupView: the files of a backup as its manifest lists them. To readers of a ledger it looks like the directory of
// one: what is in the directory besides, or in a file behind its listed size, is not there.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "txn_server/log/file/backup_manifest.h"
#include "txn_server/log/file/read_only_file_system.h"

namespace kvs::txn {

// Thread-safety: as of every FileSystem.
class BackupView : public ReadOnlyFileSystem {
 public:
  // `file_system` is borrowed.
  BackupView(FileSystem& file_system, BackupManifest manifest)
      : file_system_(file_system), manifest_(std::move(manifest)) {}

  absl::StatusOr<std::unique_ptr<File>> OpenForReading(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<bool> IsLocked(const std::string& path) override;

 private:
  FileSystem& file_system_;
  const BackupManifest manifest_;
};

}  // namespace kvs::txn
