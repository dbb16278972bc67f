// The seam between the file ledger and the operating system: everything that the ledger does to a disk goes through it.
//
// Errors are kNoSpace for a full disk or quota, NOT_FOUND for a missing file, PERMISSION_DENIED, FAILED_PRECONDITION
// for a read-only file system, and whatever else absl::ErrnoToStatus gives; their messages name the operation and the
// path. Paths are joined with '/'.
//
// What survives a power cut: the bytes of a file after its Sync; its name after the SyncDirectory that follows. Without
// them any sector of 512 bytes is either as it was or as it was written.
//
// Thread-safety: a FileSystem from any thread; a File from any thread as long as nobody writes to what another reads or
// writes.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kvs::txn {

// An open file; closed by the destructor.
class File {
 public:
  virtual ~File() = default;

  virtual absl::StatusOr<uint64_t> Size() = 0;

  // Reads `size` bytes from `offset` and returns how many there were: fewer only at the end of the file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, char* buffer, size_t size) = 0;

  // Writes the pieces one after the other. After an error any part of them may have been written.
  virtual absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> pieces) = 0;

  // Takes the space for `size` bytes now, where the file system can; writing to it is still needed.
  virtual absl::Status Reserve(uint64_t size) = 0;

  // What is durable is read from the disk again, where that can be had.
  virtual void ForgetCached() {}

  // Cuts the file to `size` bytes.
  virtual absl::Status Truncate(uint64_t size) = 0;

  // Makes all bytes written before durable (fdatasync). After an error nobody knows which are.
  virtual absl::Status Sync() = 0;
};

// Given up by the destructor, or by the end of the process, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
  // FAILED_PRECONDITION if its file is not at its path any more: it, or a directory above, was moved, removed or
  // replaced. From any thread.
  virtual absl::Status CheckInPlace() const = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Makes the file, or empties it.
  virtual absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<File>> OpenForReading(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<File>> OpenForWriting(const std::string& path) = 0;

  // Replaces `to` where it exists; a directory only if it is empty.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;

  // The names in a directory, in no order, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  // OK where it exists. Its parent must exist.
  virtual absl::Status CreateDirectory(const std::string& directory) = 0;
  // FAILED_PRECONDITION or ALREADY_EXISTS unless it is empty.
  virtual absl::Status RemoveDirectory(const std::string& directory) = 0;
  // FAILED_PRECONDITION if Rename cannot replace the directory, were it empty: a mount point, a link, or "." at the
  // end.
  virtual absl::Status CheckReplaceable(const std::string& directory) = 0;
  // Gives a file the owner of another, and a directory its mode, too. The owner stays what it is where this process may
  // not change it.
  virtual absl::Status CopyRights(const std::string& from, const std::string& to) = 0;
  // Makes what was created, renamed and removed in it durable.
  virtual absl::Status SyncDirectory(const std::string& directory) = 0;

  // Takes the lock that the file `path` stands for, making the file where it is missing. kLogInUse with the holder's
  // process id, where it is known, while another process or another FileLock holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // Whether somebody holds it. Changes nothing.
  virtual absl::StatusOr<bool> IsLocked(const std::string& path) = 0;
};

// What people call the holder of a lock: "process 17", or "another process" if its id is not known, and empty.
std::string HolderName(absl::string_view process_id);

// The file system of this machine. Files are readable by their owner only.
FileSystem& PosixFileSystem();

}  // namespace kvs::txn
