#include "txn_server/log/file/file_bytes.h"

#include "common/crc32c.h"
#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"

namespace kvs::txn {
namespace {

std::unique_ptr<File> FileWith(MemoryFileSystem& files, const std::string& bytes) {
  files.SetContents("/file", bytes);
  auto file = files.OpenForReading("/file");
  REQUIRE(file.ok());
  return *std::move(file);
}

TEST_CASE("the beginning of a file is given piece by piece") {
  MemoryFileSystem files;
  const std::string bytes = std::string(kMiB, 'a') + std::string(kMiB, 'b') + "cd";
  const auto file = FileWith(files, bytes);
  std::string read;
  const auto use = [&](uint64_t offset, absl::string_view piece) {
    CHECK(offset == read.size());
    read += std::string(piece);
    return absl::OkStatus();
  };
  REQUIRE(ReadPrefix(*file, bytes.size() - 1, use) == absl::OkStatus());
  CHECK(read == bytes.substr(0, bytes.size() - 1));
  uint64_t told = 0;
  const auto crc = PrefixCrc32c(*file, bytes.size() - 1, [&](uint64_t n) { told += n; });
  REQUIRE(crc.ok());
  CHECK(*crc == Crc32c(read));
  CHECK(told == read.size());
}

TEST_CASE("a file that is too short is told apart from one that cannot be read") {
  MemoryFileSystem files;
  const auto file = FileWith(files, "abc");
  CHECK(absl::IsOutOfRange(PrefixCrc32c(*file, 4, [](uint64_t) {}).status()));
  files.SetFaults([](MemoryFileSystem::Operation, const std::string&) {
    return MemoryFileSystem::Fault{absl::InternalError("I/O error")};
  });
  CHECK(absl::IsInternal(PrefixCrc32c(*file, 3, [](uint64_t) {}).status()));
}

TEST_CASE("an error of the user ends the reading") {
  MemoryFileSystem files;
  const auto file = FileWith(files, std::string(3 * kMiB, 'a'));
  int pieces = 0;
  const auto use = [&](uint64_t, absl::string_view) {
    ++pieces;
    return absl::CancelledError("enough");
  };
  CHECK(absl::IsCancelled(ReadPrefix(*file, 3 * kMiB, use)));
  CHECK(pieces == 1);
}

}  // namespace
}  // namespace kvs::txn
