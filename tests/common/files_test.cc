#include "common/files.h"

#include <sys/stat.h>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kvs {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat info{};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

TEST_CASE("a file is replaced, with its mode, and nothing else is left") {
  const TempDir dir;
  const std::string path = dir / "file";
  REQUIRE(WriteFileAtomically(path, "old", 0644).ok());
  REQUIRE(WriteFileAtomically(path, std::string(100000, 'n'), 0600).ok());
  CHECK(ReadSmallFile(path, 100000).value() == std::string(100000, 'n'));
  CHECK(ModeOf(path) == 0600);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a file that cannot be replaced leaves nothing behind") {
  const TempDir dir;
  REQUIRE(MakeDirectories(dir / "taken/inside", 0700).ok());
  const absl::Status status = WriteFileAtomically(dir / "taken", "x", 0600);
  CHECK_FALSE(status.ok());
  CHECK(std::string(status.message()).find(dir / "taken") == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a file that is too large, absent or a directory is refused by name") {
  const TempDir dir;
  REQUIRE(WriteFileAtomically(dir / "file", "12345", 0600).ok());
  CHECK(ReadSmallFile(dir / "file", 5).ok());
  CHECK(ReadSmallFile(dir / "file", 4).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReadSmallFile(dir / "absent", 5).status().code() == absl::StatusCode::kNotFound);
  CHECK(ReadSmallFile(dir.path(), 5).status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("directories are made with their parents") {
  const TempDir dir;
  REQUIRE(MakeDirectories(dir / "a/b/c", 0700).ok());
  REQUIRE(MakeDirectories(dir / "a/b/c", 0755).ok());
  CHECK(ModeOf(dir / "a") == 0700);
  CHECK(ModeOf(dir / "a/b/c") == 0700);
  REQUIRE(WriteFileAtomically(dir / "file", "", 0600).ok());
  CHECK_FALSE(MakeDirectories(dir / "file", 0700).ok());
  CHECK_FALSE(MakeDirectories(dir / "file/below", 0700).ok());
}

}  // namespace
}  // namespace kvs
