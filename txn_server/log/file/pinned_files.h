// PinnedFiles: the segments and snapshots of a ledger in use, as they were at one moment. They are kept open, so that
// they can be read also when the compaction has removed them since.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "txn_server/log/file/read_only_file_system.h"

namespace kvs::txn {

// Files that are kept open at most, well below what a process may open. Of more than that, the newest are opened when
// they are read: these are not removed soon.
inline constexpr size_t kMaxPinnedFiles = 512;

// Thread-safety: as of every FileSystem.
class PinnedFiles : public ReadOnlyFileSystem {
 public:
  // Opens the files. `file_system` is borrowed.
  static absl::StatusOr<std::unique_ptr<PinnedFiles>> Open(FileSystem& file_system, const std::string& directory);

  absl::StatusOr<std::unique_ptr<File>> OpenForReading(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<bool> IsLocked(const std::string& path) override { return file_system_.IsLocked(path); }

 private:
  explicit PinnedFiles(FileSystem& file_system) : file_system_(file_system) {}

  // NOT_FOUND if one was removed after it was listed.
  absl::Status OpenAll(const std::string& directory);

  FileSystem& file_system_;
  std::map<std::string, std::shared_ptr<File>> files_;  // by path; null if it is not kept open
};

}  // namespace kvs::txn
