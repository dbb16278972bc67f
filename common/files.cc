#include "common/files.h"

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace kvs {
namespace {

// For what just failed, as errno tells.
absl::Status SystemError(absl::string_view path, absl::string_view action) {
  const std::string message = absl::StrCat(path, ": cannot ", action, ": ", std::strerror(errno));
  return errno == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status WriteAll(int fd, absl::string_view contents, absl::string_view path) {
  while (!contents.empty()) {
    const ssize_t written = write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError(path, "write");
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(path, "open");
  const absl::Cleanup close_it = [fd] { close(fd); };
  if (fsync(fd) != 0) return SystemError(path, "sync");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(path, "open");
  const absl::Cleanup close_it = [fd] { close(fd); };
  std::string contents;
  char buffer[16384];
  while (true) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(path, "read");
    if (count == 0) return contents;
    contents.append(buffer, static_cast<size_t>(count));
    if (contents.size() > max_bytes) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": larger than the ", max_bytes, " bytes that such a file may have"));
    }
  }
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents, mode_t mode) {
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return SystemError(path, "create");
  absl::Cleanup remove_it = [&] { unlink(temporary.c_str()); };
  absl::Status status = WriteAll(fd, contents, path);
  if (status.ok() && fchmod(fd, mode) != 0) status = SystemError(path, "set the mode of");
  if (status.ok() && fsync(fd) != 0) status = SystemError(path, "sync");
  if (close(fd) != 0 && status.ok()) status = SystemError(path, "close");
  if (!status.ok()) return status;
  if (rename(temporary.c_str(), path.c_str()) != 0) return SystemError(path, "replace");
  std::move(remove_it).Cancel();
  return SyncDirectory(DirectoryOf(path));
}

absl::Status MakeDirectories(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return absl::OkStatus();
  if (errno == ENOENT) {
    if (absl::Status status = MakeDirectories(DirectoryOf(path), mode); !status.ok()) return status;
    if (mkdir(path.c_str(), mode) == 0) return absl::OkStatus();
  }
  struct stat info;
  if (errno == EEXIST && stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return absl::OkStatus();
    errno = ENOTDIR;
  }
  return SystemError(path, "create the directory");
}

}  // namespace kvs
