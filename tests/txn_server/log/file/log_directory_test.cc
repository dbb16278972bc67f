#include "txn_server/log/file/log_directory.h"

#include <filesystem>

#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temp_dir.h"

namespace kvs::txn {
namespace {

TEST_CASE("segments have the names that the format page gives") {
  CHECK(SegmentPath("/log", 1) == "/log/0000000001.log");
  CHECK(SegmentPath("/log", 12345678901) == "/log/12345678901.log");
  CHECK(LockPath("/log") == "/log/LOCK");
}

TEST_CASE("a directory is sorted into segments, half-made ones and what is not a ledger's") {
  MemoryFileSystem files;
  for (const std::string name :
       {"0000000010.log", "0000000002.log", "12345678901.log", "0000000003.log.tmp", "LOCK", "lost+found", ".snapshot",
        "2.log", "0000000000.log", "000000000a.log", "notes.txt", ".log", "00000000011.log"}) {
    files.SetContents("/log/" + name, "");
  }
  const auto listing = ListDirectory(files, "/log");
  REQUIRE(listing.ok());
  CHECK(listing->segment_ids == std::vector<uint64_t>{2, 10, 12345678901});
  CHECK(listing->temporary_names == std::vector<std::string>{"0000000003.log.tmp"});
  CHECK(listing->foreign_names ==
        std::vector<std::string>{"0000000000.log", "00000000011.log", "000000000a.log", "2.log", "notes.txt"});
}

TEST_CASE("a directory that is being filled is no ledger") {
  MemoryFileSystem files;
  files.SetContents("/log/0000000001.log", "");
  CHECK(CheckFinished(*ListDirectory(files, "/log"), "/log") == absl::OkStatus());
  files.SetContents("/log/UNFINISHED", "");
  const auto listing = ListDirectory(files, "/log");
  CHECK(listing->foreign_names.empty());
  const absl::Status status = CheckFinished(*listing, "/log");
  CHECK(Is(status, errors::kUnusableDirectory));
  CHECK_THAT(std::string(status.message()), ContainsText("interrupted"));
}

TEST_CASE("a directory is outside of another, whatever it is called") {
  const TempDir temp;
  REQUIRE(PosixFileSystem().CreateDirectory(temp / "a") == absl::OkStatus());
  std::filesystem::create_directory_symlink(std::string(temp / "a"), std::string(temp / "link"));
  const std::string a = temp / "a";
  for (const std::string& inside : {a, a + "/", a + "/b", a + "/b/c/", a + "/../a/b", temp / "link", temp / "link/b"}) {
    INFO(inside);
    CHECK(Is(CheckOutside(inside, a), errors::kUnusableDirectory));
    CHECK(Is(CheckOutside(inside, a + "/"), errors::kUnusableDirectory));
  }
  for (const std::string& outside : {a + "b", a + "/../b", temp / "b/a", std::string("/")}) {
    INFO(outside);
    CHECK(CheckOutside(outside, a) == absl::OkStatus());
  }
  CHECK(Is(CheckOutside("here/b", "./here"), errors::kUnusableDirectory));
  CHECK(Is(CheckOutside("here", "/"), errors::kUnusableDirectory));
}

TEST_CASE("zeros are written exactly where they are asked for") {
  MemoryFileSystem files;
  files.SetContents("/log/a", std::string(3 << 20, 'x'));
  auto file = files.OpenForWriting("/log/a");
  REQUIRE(file.ok());
  REQUIRE(WriteZeros(**file, 100, (2 << 20) + 7) == absl::OkStatus());
  const std::string bytes = files.Contents("/log/a");
  CHECK(bytes.find('\0') == 100);
  CHECK(bytes.find('x', 100) == (2 << 20) + 7);
  CHECK(bytes.size() == 3 << 20);
}

}  // namespace
}  // namespace kvs::txn
