// OwnedFileSystem: how the holder of a ledger's lock changes its files.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "txn_server/log/file/file_system.h"

namespace kvs::txn {

// Files are named by path, while the lock is on a file that may be moved, together with its directory. This changes
// nothing in a directory that was put in the place of the one that is locked: FAILED_PRECONDITION.
class OwnedFileSystem : public FileSystem {
 public:
  // `base` is borrowed. Without a lock there is nothing to check.
  OwnedFileSystem(FileSystem& base, std::unique_ptr<FileLock> lock) : base_(base), lock_(std::move(lock)) {}

  // Whether the lock is still where it was taken.
  absl::Status CheckOwned() const { return lock_ ? lock_->CheckInPlace() : absl::OkStatus(); }

  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    if (absl::Status status = CheckOwned(); !status.ok()) return status;
    return base_.Create(path);
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForReading(const std::string& path) override {
    return base_.OpenForReading(path);
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForWriting(const std::string& path) override {
    if (absl::Status status = CheckOwned(); !status.ok()) return status;
    return base_.OpenForWriting(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (absl::Status status = CheckOwned(); !status.ok()) return status;
    return base_.Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    if (absl::Status status = CheckOwned(); !status.ok()) return status;
    return base_.Remove(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override { return base_.List(directory); }
  absl::Status CreateDirectory(const std::string& directory) override { return base_.CreateDirectory(directory); }
  absl::Status RemoveDirectory(const std::string& directory) override { return base_.RemoveDirectory(directory); }
  absl::Status CheckReplaceable(const std::string& directory) override { return base_.CheckReplaceable(directory); }
  absl::Status CopyRights(const std::string& from, const std::string& to) override {
    return base_.CopyRights(from, to);
  }
  absl::Status SyncDirectory(const std::string& directory) override {
    if (absl::Status status = CheckOwned(); !status.ok()) return status;
    return base_.SyncDirectory(directory);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return base_.Lock(path); }
  absl::StatusOr<bool> IsLocked(const std::string& path) override { return base_.IsLocked(path); }

 private:
  FileSystem& base_;
  const std::unique_ptr<FileLock> lock_;
};

}  // namespace kvs::txn
