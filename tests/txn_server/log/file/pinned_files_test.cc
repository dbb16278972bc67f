#include "txn_server/log/file/pinned_files.h"

#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

std::string TextOf(FileSystem& files, const std::string& path) {
  const auto file = files.OpenForReading(path);
  REQUIRE(file.status() == absl::OkStatus());
  char buffer[64];
  return std::string(buffer, *(*file)->ReadAt(0, buffer, sizeof(buffer)));
}

TEST_CASE("pinned files can be read after they were removed, and new ones are not seen") {
  MemoryFileSystem files;
  files.SetContents("/log/0000000001.log", "segment");
  files.SetContents("/log/0000000001.snap", "snapshot");
  files.SetContents("/log/LOCK", "1\n");
  const auto pinned = PinnedFiles::Open(files, "/log");
  REQUIRE(pinned.status() == absl::OkStatus());
  files.Delete("/log/0000000001.log");
  files.Delete("/log/0000000001.snap");
  files.SetContents("/log/0000000002.log", "later");
  CHECK(*(*pinned)->List("/log") == std::vector<std::string>{"0000000001.log", "0000000001.snap"});
  CHECK(TextOf(**pinned, "/log/0000000001.log") == "segment");
  CHECK(TextOf(**pinned, "/log/0000000001.snap") == "snapshot");
}

TEST_CASE("of very many files the oldest are pinned") {
  MemoryFileSystem files;
  for (uint64_t id = 1; id <= kMaxPinnedFiles + 1; ++id) files.SetContents(SegmentPath("/log", id), "x");
  const auto pinned = PinnedFiles::Open(files, "/log");
  REQUIRE(pinned.status() == absl::OkStatus());
  for (uint64_t id = 1; id <= kMaxPinnedFiles + 1; ++id) files.Delete(SegmentPath("/log", id));
  CHECK((*pinned)->List("/log")->size() == kMaxPinnedFiles + 1);
  CHECK((*pinned)->OpenForReading(SegmentPath("/log", kMaxPinnedFiles)).ok());
  CHECK(absl::IsNotFound((*pinned)->OpenForReading(SegmentPath("/log", kMaxPinnedFiles + 1)).status()));
}

}  // namespace
}  // namespace kvs::txn
