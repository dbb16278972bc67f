#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <vector>

#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "txn_server/log/file/file_system.h"

namespace kvs::txn {
namespace {

std::string ReadWhole(File& file) {
  std::string bytes(*file.Size(), '\0');
  CHECK(*file.ReadAt(0, bytes.data(), bytes.size()) == bytes.size());
  return bytes;
}

TEST_CASE("what is written in pieces is read back") {
  TempDir temp;
  FileSystem& files = PosixFileSystem();
  auto file = files.Create(temp / "a");
  REQUIRE(file.ok());
  REQUIRE((*file)->WriteAt(0, {"hello", "", " ", "world"}) == absl::OkStatus());
  REQUIRE((*file)->WriteAt(6, {"W"}) == absl::OkStatus());
  REQUIRE((*file)->Sync() == absl::OkStatus());
  auto again = files.OpenForReading(temp / "a");
  REQUIRE(again.ok());
  CHECK(ReadWhole(**again) == "hello World");
  char buffer[8];
  CHECK(*(*again)->ReadAt(9, buffer, sizeof(buffer)) == 2);
  CHECK(*(*again)->ReadAt(11, buffer, sizeof(buffer)) == 0);
  CHECK(*(*again)->ReadAt(50, buffer, sizeof(buffer)) == 0);
}

TEST_CASE("more pieces than one system call takes are written") {
  TempDir temp;
  auto file = PosixFileSystem().Create(temp / "a");
  REQUIRE(file.ok());
  std::vector<std::string> texts;
  std::string all;
  for (int i = 0; i < 5000; ++i) {
    texts.push_back(std::string(static_cast<size_t>(i % 50), static_cast<char>('a' + i % 26)));
    all += texts.back();
  }
  const std::vector<absl::string_view> pieces(texts.begin(), texts.end());
  REQUIRE((*file)->WriteAt(0, pieces) == absl::OkStatus());
  CHECK(ReadWhole(**file) == all);
}

TEST_CASE("a write that the system takes in parts is finished") {
  TempDir temp;
  auto file = PosixFileSystem().Create(temp / "a");
  REQUIRE(file.ok());
  const std::string first(3 << 20, 'a');
  const std::string second(5, 'b');
  REQUIRE((*file)->WriteAt(0, {first, second}) == absl::OkStatus());
  CHECK(ReadWhole(**file) == first + second);
}

// Limits the size of files while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
    signal_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit before_ = {};
  void (*signal_)(int) = nullptr;
};

TEST_CASE("a write that fails says which file and why") {
  TempDir temp;
  auto file = PosixFileSystem().Create(temp / "a");
  REQUIRE(file.ok());
  absl::Status status;
  {
    FileSizeLimit limit(1000);
    status = (*file)->WriteAt(0, {std::string(2000, 'x')});
  }
  CHECK_FALSE(status.ok());
  CHECK_FALSE(Is(status, errors::kNoSpace));
  CHECK_THAT(std::string(status.message()), ContainsText("cannot write " + temp.path() + "/a: File too large"));
}

TEST_CASE("a disk that is full is told from other failures") {
  auto file = PosixFileSystem().OpenForWriting("/dev/full");
  REQUIRE(file.ok());
  CHECK(Is((*file)->WriteAt(0, {"x"}), errors::kNoSpace));
}

TEST_CASE("reserving takes space, cutting gives it back") {
  TempDir temp;
  auto file = PosixFileSystem().Create(temp / "a");
  REQUIRE(file.ok());
  REQUIRE((*file)->Reserve(1 << 20) == absl::OkStatus());
  REQUIRE((*file)->WriteAt(0, {"hello"}) == absl::OkStatus());
  REQUIRE((*file)->Truncate(2) == absl::OkStatus());
  CHECK(ReadWhole(**file) == "he");
}

TEST_CASE("creating empties a file, renaming replaces one, removing removes one") {
  TempDir temp;
  FileSystem& files = PosixFileSystem();
  std::ofstream(temp / "a") << "old";
  std::ofstream(temp / "b") << "other";
  REQUIRE(files.Create(temp / "a").ok());
  REQUIRE(files.Rename(temp / "a", temp / "b") == absl::OkStatus());
  REQUIRE(files.SyncDirectory(temp.path()) == absl::OkStatus());
  CHECK(*files.List(temp.path()) == std::vector<std::string>{"b"});
  CHECK(*(*files.OpenForReading(temp / "b"))->Size() == 0);
  REQUIRE(files.Remove(temp / "b") == absl::OkStatus());
  CHECK(files.List(temp.path())->empty());
}

TEST_CASE("what is missing is NOT_FOUND") {
  TempDir temp;
  FileSystem& files = PosixFileSystem();
  CHECK(absl::IsNotFound(files.OpenForReading(temp / "a").status()));
  CHECK(absl::IsNotFound(files.OpenForWriting(temp / "a").status()));
  CHECK(absl::IsNotFound(files.Remove(temp / "a")));
  CHECK(absl::IsNotFound(files.Rename(temp / "a", temp / "b")));
  CHECK(absl::IsNotFound(files.List(temp / "a").status()));
  CHECK(absl::IsNotFound(files.SyncDirectory(temp / "a")));
  CHECK(absl::IsNotFound(files.CreateDirectory(temp / "a/b")));
  CHECK(files.CreateDirectory(temp / "a") == absl::OkStatus());
  CHECK(files.CreateDirectory(temp / "a") == absl::OkStatus());
}

TEST_CASE("a lock holds against the same process, and asking about it changes nothing") {
  TempDir temp;
  FileSystem& files = PosixFileSystem();
  CHECK_FALSE(*files.IsLocked(temp / "LOCK"));
  CHECK(files.List(temp.path())->empty());
  auto lock = files.Lock(temp / "LOCK");
  REQUIRE(lock.ok());
  CHECK(*files.IsLocked(temp / "LOCK"));
  const absl::Status second = files.Lock(temp / "LOCK").status();
  CHECK(Is(second, errors::kLogInUse));
  CHECK(MetadataOf(second, "pid") == std::to_string(getpid()));
  CHECK(*files.IsLocked(temp / "LOCK"));
  lock->reset();
  CHECK_FALSE(*files.IsLocked(temp / "LOCK"));
  CHECK(files.Lock(temp / "LOCK").ok());
}

}  // namespace
}  // namespace kvs::txn
