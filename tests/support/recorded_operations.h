// RecordingFileSystem: writes down every change that is asked of a MemoryFileSystem, so that RecordedDisk can go
// through them again one by one, and whoever looks at it finds the disk as it was at any moment.
#pragma once

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/sync.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"

namespace kvs::txn {

// What whoever uses a log was told, and what it had asked for: what a crash must leave, and may.
struct Promise {
  uint64_t acknowledged_revision = 0;
  uint64_t begun_revision = 0;
  uint64_t acknowledged_epoch = 0;
  uint64_t begun_epoch = 0;
};

struct RecordedOperation {
  enum class Kind { kCreate, kOpen, kWrite, kReserve, kTruncate, kSync, kRename, kRemove, kSyncDirectory };

  Kind kind = Kind::kSync;
  std::string path;
  std::string to;      // of a rename
  size_t file = 0;     // the open file that it is done to, or that it opens
  uint64_t place = 0;  // the offset of a write, or the size that the file is to have
  std::string bytes;   // of a write
  Promise before;      // when it was begun

  std::string Describe() const {
    static constexpr const char* kNames[] = {"create", "open",   "write",  "reserve",       "truncate",
                                             "sync",   "rename", "remove", "sync directory"};
    std::string text = absl::StrCat(kNames[static_cast<int>(kind)], " ", path);
    if (kind == Kind::kWrite) absl::StrAppend(&text, " at ", place, ", ", bytes.size(), " bytes");
    if (kind == Kind::kReserve || kind == Kind::kTruncate) absl::StrAppend(&text, " to ", place);
    if (kind == Kind::kRename) absl::StrAppend(&text, " to ", to);
    return text;
  }
};

// Thread-safe. Operations that fail are not written down.
class RecordingFileSystem : public FileSystem {
 public:
  using Kind = RecordedOperation::Kind;

  // `base` is borrowed.
  explicit RecordingFileSystem(MemoryFileSystem& base) : base_(base) {}

  // All so far; while nobody uses this.
  const std::vector<RecordedOperation>& operations() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return operations_; }
  const Promise& promise() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return promise_; }

  void Begin(uint64_t revision, uint64_t epoch) {
    MutexLock lock(&mu_);
    promise_.begun_revision = revision;
    promise_.begun_epoch = epoch;
  }
  // What was begun is durable, somebody was told.
  void Acknowledge() {
    MutexLock lock(&mu_);
    promise_.acknowledged_revision = promise_.begun_revision;
    promise_.acknowledged_epoch = promise_.begun_epoch;
  }

  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    MutexLock lock(&mu_);
    return Opened(Kind::kCreate, path, base_.Create(path));
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForWriting(const std::string& path) override {
    MutexLock lock(&mu_);
    return Opened(Kind::kOpen, path, base_.OpenForWriting(path));
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForReading(const std::string& path) override {
    return base_.OpenForReading(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    MutexLock lock(&mu_);
    RecordedOperation operation{Kind::kRename, from};
    operation.to = to;
    return Record(std::move(operation), base_.Rename(from, to));
  }
  absl::Status Remove(const std::string& path) override {
    MutexLock lock(&mu_);
    return Record({Kind::kRemove, path}, base_.Remove(path));
  }
  absl::Status SyncDirectory(const std::string& directory) override {
    MutexLock lock(&mu_);
    return Record({Kind::kSyncDirectory, directory}, base_.SyncDirectory(directory));
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override { return base_.List(directory); }
  absl::Status CreateDirectory(const std::string& directory) override { return base_.CreateDirectory(directory); }
  absl::Status RemoveDirectory(const std::string& directory) override { return base_.RemoveDirectory(directory); }
  absl::Status CheckReplaceable(const std::string& directory) override { return base_.CheckReplaceable(directory); }
  absl::Status CopyRights(const std::string& from, const std::string& to) override {
    return base_.CopyRights(from, to);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return base_.Lock(path); }
  absl::StatusOr<bool> IsLocked(const std::string& path) override { return base_.IsLocked(path); }

 private:
  class RecordedFile : public File {
   public:
    RecordedFile(RecordingFileSystem& owner, std::unique_ptr<File> base, std::string path, size_t number)
        : owner_(owner), base_(std::move(base)), path_(std::move(path)), number_(number) {}

    absl::StatusOr<uint64_t> Size() override { return base_->Size(); }
    absl::StatusOr<size_t> ReadAt(uint64_t offset, char* buffer, size_t size) override {
      return base_->ReadAt(offset, buffer, size);
    }
    absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> pieces) override {
      std::string bytes;
      for (const absl::string_view piece : pieces) absl::StrAppend(&bytes, piece);
      MutexLock lock(&owner_.mu_);
      return Record(Kind::kWrite, offset, std::move(bytes), base_->WriteAt(offset, pieces));
    }
    absl::Status Reserve(uint64_t size) override {
      MutexLock lock(&owner_.mu_);
      return Record(Kind::kReserve, size, "", base_->Reserve(size));
    }
    absl::Status Truncate(uint64_t size) override {
      MutexLock lock(&owner_.mu_);
      return Record(Kind::kTruncate, size, "", base_->Truncate(size));
    }
    absl::Status Sync() override {
      MutexLock lock(&owner_.mu_);
      return Record(Kind::kSync, 0, "", base_->Sync());
    }

   private:
    absl::Status Record(Kind kind, uint64_t place, std::string bytes, const absl::Status& status)
        ABSL_EXCLUSIVE_LOCKS_REQUIRED(owner_.mu_) {
      return owner_.Record({kind, path_, "", number_, place, std::move(bytes)}, status);
    }

    RecordingFileSystem& owner_;
    const std::unique_ptr<File> base_;
    const std::string path_;
    const size_t number_;
  };

  absl::Status Record(RecordedOperation operation, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!status.ok()) return status;
    operation.before = promise_;
    operations_.push_back(std::move(operation));
    return status;
  }

  absl::StatusOr<std::unique_ptr<File>> Opened(Kind kind, const std::string& path,
                                               absl::StatusOr<std::unique_ptr<File>> file)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!file.ok()) return file;
    ++files_;
    Record({kind, path, "", files_}, absl::OkStatus()).IgnoreError();
    return std::make_unique<RecordedFile>(*this, *std::move(file), path, files_);
  }

  MemoryFileSystem& base_;
  Mutex mu_;
  std::vector<RecordedOperation> operations_ ABSL_GUARDED_BY(mu_);
  size_t files_ ABSL_GUARDED_BY(mu_) = 0;
  Promise promise_ ABSL_GUARDED_BY(mu_);
};

// The disk after some of the operations.
class RecordedDisk {
 public:
  const MemoryFileSystem& files() const { return files_; }

  void Apply(const RecordedOperation& operation) { REQUIRE(TryApply(operation) == absl::OkStatus()); }

 private:
  using Kind = RecordedOperation::Kind;

  absl::Status TryApply(const RecordedOperation& operation) {
    switch (operation.kind) {
      case Kind::kCreate:
        return Keep(operation.file, files_.Create(operation.path));
      case Kind::kOpen:
        return Keep(operation.file, files_.OpenForWriting(operation.path));
      case Kind::kWrite:
        return open_.at(operation.file)->WriteAt(operation.place, {operation.bytes});
      case Kind::kReserve:
        return open_.at(operation.file)->Reserve(operation.place);
      case Kind::kTruncate:
        return open_.at(operation.file)->Truncate(operation.place);
      case Kind::kSync:
        return open_.at(operation.file)->Sync();
      case Kind::kRename:
        return files_.Rename(operation.path, operation.to);
      case Kind::kRemove:
        return files_.Remove(operation.path);
      case Kind::kSyncDirectory:
        return files_.SyncDirectory(operation.path);
    }
    return absl::OkStatus();
  }

  absl::Status Keep(size_t number, absl::StatusOr<std::unique_ptr<File>> file) {
    if (file.ok()) open_[number] = *std::move(file);
    return file.status();
  }

  MemoryFileSystem files_;
  std::map<size_t, std::unique_ptr<File>> open_;
};

}  // namespace kvs::txn
