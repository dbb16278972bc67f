#include <absl/strings/str_cat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "common/errors.h"
#include "txn_server/log/file/file_system.h"

namespace kvs::txn {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

absl::Status SystemError(int error, absl::string_view operation, const std::string& path) {
  const std::string what = absl::StrCat("cannot ", operation, " ", path);
  if (error == ENOSPC || error == EDQUOT) {
    return Error(errors::kNoSpace, absl::ErrnoToStatus(error, what).message());
  }
  return absl::ErrnoToStatus(error, what);
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int get() const { return number_; }

 private:
  int number_;
};

absl::StatusOr<Descriptor> Open(const std::string& path, int flags, absl::string_view operation) {
  int number = -1;
  do {
    number = open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  } while (number < 0 && errno == EINTR);
  if (number < 0) return SystemError(errno, operation, path);
  return Descriptor(number);
}

class PosixFile : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  absl::StatusOr<uint64_t> Size() override {
    struct stat info;
    if (fstat(descriptor_.get(), &info) != 0) return SystemError(errno, "look at", path_);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* buffer, size_t size) override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = pread(descriptor_.get(), buffer + done, size - done, static_cast<off_t>(offset + done));
      if (n == 0) break;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SystemError(errno, "read", path_);
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> pieces) override {
    std::vector<iovec> rest;
    rest.reserve(pieces.size());
    for (const absl::string_view piece : pieces) {
      if (!piece.empty()) rest.push_back({const_cast<char*>(piece.data()), piece.size()});
    }
    for (size_t first = 0; first < rest.size();) {
      const int count = static_cast<int>(std::min<size_t>(rest.size() - first, IOV_MAX));
      const ssize_t n = pwritev(descriptor_.get(), &rest[first], count, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SystemError(errno, "write", path_);
      offset += static_cast<uint64_t>(n);
      first = Advance(rest, first, static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  absl::Status Reserve(uint64_t size) override {
    int result = 0;
    do {
      result = fallocate(descriptor_.get(), 0, 0, static_cast<off_t>(size));
    } while (result != 0 && errno == EINTR);
    // A file system that cannot reserve takes the space when it is written.
    if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return absl::OkStatus();
    return SystemError(errno, "reserve space for", path_);
  }

  void ForgetCached() override { posix_fadvise(descriptor_.get(), 0, 0, POSIX_FADV_DONTNEED); }

  absl::Status Truncate(uint64_t size) override {
    if (ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) return SystemError(errno, "cut", path_);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (fdatasync(descriptor_.get()) != 0) return SystemError(errno, "sync", path_);
    return absl::OkStatus();
  }

 private:
  // Takes `written` bytes off the front of the pieces from `first` on, and returns the first that is left.
  static size_t Advance(std::vector<iovec>& pieces, size_t first, size_t written) {
    while (first < pieces.size() && written >= pieces[first].iov_len) written -= pieces[first++].iov_len;
    if (first < pieces.size()) {
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + written;
      pieces[first].iov_len -= written;
    }
    return first;
  }

  const Descriptor descriptor_;
  const std::string path_;
};

struct flock WholeFile() {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool IsAt(int descriptor, const std::string& path) {
  struct stat opened;
  struct stat named;
  return fstat(descriptor, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

// An open file description lock: unlike flock it can be asked about without being taken, and unlike a POSIX lock it
// also holds against the same process and is not given up when another descriptor of the file is closed.
class PosixFileLock : public FileLock {
 public:
  PosixFileLock(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  absl::Status CheckInPlace() const override {
    if (IsAt(descriptor_.get(), path_)) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        path_, " is not the file that this process locked: it, or its directory, was moved, removed or replaced"));
  }

 private:
  const Descriptor descriptor_;
  const std::string path_;
};

// The holder writes its process id into the file for people to see; nothing depends on it.
void WriteProcessId(int descriptor) {
  const std::string text = absl::StrCat(getpid(), "\n");
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, text.data(), text.size(), 0) < 0) return;
}

std::string ReadProcessId(int descriptor) {
  char text[32];
  const ssize_t size = pread(descriptor, text, sizeof(text), 0);
  const std::string line(text, size < 0 ? 0 : static_cast<size_t>(size));
  const auto end = std::find_if(line.begin(), line.end(), [](unsigned char c) { return std::isdigit(c) == 0; });
  return std::string(line.begin(), end);
}

absl::Status InUse(const std::string& path, const std::string& pid) {
  return Error(
      errors::kLogInUse,
      absl::StrCat(HolderName(pid), " holds ", path, ": only one may use a ledger; stop it, or name another directory"),
      {{"pid", pid}});
}

class PosixFileSystemImpl : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    return OpenFile(path, O_RDWR | O_CREAT | O_TRUNC, "create");
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForReading(const std::string& path) override {
    return OpenFile(path, O_RDONLY, "open");
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForWriting(const std::string& path) override {
    return OpenFile(path, O_RDWR, "open");
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) return SystemError(errno, "rename to", to);
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return SystemError(errno, "remove", path);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    DIR* stream = opendir(directory.c_str());
    if (stream == nullptr) return SystemError(errno, "list", directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(stream)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
      errno = 0;
    }
    const int error = errno;
    closedir(stream);
    if (error != 0) return SystemError(error, "list", directory);
    return names;
  }

  absl::Status CreateDirectory(const std::string& directory) override {
    if (mkdir(directory.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
      return SystemError(errno, "create directory", directory);
    }
    return absl::OkStatus();
  }

  absl::Status RemoveDirectory(const std::string& directory) override {
    if (rmdir(directory.c_str()) != 0) return SystemError(errno, "remove directory", directory);
    return absl::OkStatus();
  }

  absl::Status CheckReplaceable(const std::string& directory) override {
    const std::string name = directory.substr(directory.rfind('/') + 1);
    struct statx info;
    if (statx(AT_FDCWD, directory.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) != 0) {
      return SystemError(errno, "look at", directory);
    }
    const bool is_mount = (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    if (S_ISDIR(info.stx_mode) && !is_mount && name != "." && name != ".." && !name.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(directory, is_mount ? " is a mount point" : " is a link or no name of a directory",
                     ", which another directory cannot replace"));
  }

  absl::Status CopyRights(const std::string& from, const std::string& to) override {
    struct stat wanted;
    struct stat info;
    if (stat(from.c_str(), &wanted) != 0) return SystemError(errno, "look at", from);
    if (stat(to.c_str(), &info) != 0) return SystemError(errno, "look at", to);
    const bool same_owner = wanted.st_uid == info.st_uid && wanted.st_gid == info.st_gid;
    if (!same_owner && chown(to.c_str(), wanted.st_uid, wanted.st_gid) != 0 && errno != EPERM) {
      return SystemError(errno, "change the owner of", to);
    }
    if (S_ISDIR(info.st_mode) && chmod(to.c_str(), wanted.st_mode & 07777) != 0) {
      return SystemError(errno, "change the mode of", to);
    }
    return absl::OkStatus();
  }

  absl::Status SyncDirectory(const std::string& directory) override {
    auto descriptor = Open(directory, O_RDONLY | O_DIRECTORY, "open");
    if (!descriptor.ok()) return descriptor.status();
    if (fsync(descriptor->get()) != 0) return SystemError(errno, "sync", directory);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    while (true) {
      auto descriptor = Open(path, O_RDWR | O_CREAT, "open");
      if (!descriptor.ok()) return descriptor.status();
      struct flock lock = WholeFile();
      if (fcntl(descriptor->get(), F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES) return InUse(path, ReadProcessId(descriptor->get()));
        return SystemError(errno, "lock", path);
      }
      // Its last holder may have removed it, or given it another name, since it was opened.
      if (!IsAt(descriptor->get(), path)) continue;
      WriteProcessId(descriptor->get());
      return std::make_unique<PosixFileLock>(*std::move(descriptor), path);
    }
  }

  absl::StatusOr<bool> IsLocked(const std::string& path) override {
    auto descriptor = Open(path, O_RDONLY, "open");
    if (absl::IsNotFound(descriptor.status())) return false;
    if (!descriptor.ok()) return descriptor.status();
    struct flock lock = WholeFile();
    if (fcntl(descriptor->get(), F_OFD_GETLK, &lock) != 0) return SystemError(errno, "look at the lock", path);
    return lock.l_type != F_UNLCK;
  }

 private:
  static absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, int flags,
                                                        absl::string_view operation) {
    auto descriptor = Open(path, flags, operation);
    if (!descriptor.ok()) return descriptor.status();
    return std::make_unique<PosixFile>(*std::move(descriptor), path);
  }
};

}  // namespace

std::string HolderName(absl::string_view process_id) {
  return process_id.empty() ? "another process" : absl::StrCat("process ", process_id);
}

FileSystem& PosixFileSystem() {
  static PosixFileSystemImpl file_system;
  return file_system;
}

}  // namespace kvs::txn
