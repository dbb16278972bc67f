// ReadOnlyFileSystem: what file systems have in common through which a ledger is only read.
#pragma once

#include <absl/strings/str_cat.h>

#include <memory>
#include <string>

#include "txn_server/log/file/file_system.h"

namespace kvs::txn {

// Refuses every change with FAILED_PRECONDITION.
class ReadOnlyFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override { return Refuse("create", path); }
  absl::StatusOr<std::unique_ptr<File>> OpenForWriting(const std::string& path) override {
    return Refuse("write", path);
  }
  absl::Status Rename(const std::string&, const std::string& to) override { return Refuse("rename to", to); }
  absl::Status Remove(const std::string& path) override { return Refuse("remove", path); }
  absl::Status CreateDirectory(const std::string& directory) override { return Refuse("create", directory); }
  absl::Status RemoveDirectory(const std::string& directory) override { return Refuse("remove", directory); }
  absl::Status CheckReplaceable(const std::string& directory) override { return Refuse("replace", directory); }
  absl::Status CopyRights(const std::string&, const std::string& to) override { return Refuse("change", to); }
  absl::Status SyncDirectory(const std::string& directory) override { return Refuse("sync", directory); }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return Refuse("lock", path); }

 private:
  static absl::Status Refuse(absl::string_view what, const std::string& path) {
    return absl::FailedPreconditionError(absl::StrCat("it is only read: cannot ", what, " ", path));
  }
};

// A file of which everything but reading is refused.
class ReadOnlyFile : public File {
 public:
  absl::Status WriteAt(uint64_t, absl::Span<const absl::string_view>) override { return Refuse("write"); }
  absl::Status Reserve(uint64_t) override { return Refuse("reserve"); }
  absl::Status Truncate(uint64_t) override { return Refuse("cut"); }
  absl::Status Sync() override { return Refuse("sync"); }

 private:
  static absl::Status Refuse(absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat("it is only read: cannot ", what, " the file"));
  }
};

}  // namespace kvs::txn
