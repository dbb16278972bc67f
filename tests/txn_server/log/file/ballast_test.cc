#include "txn_server/log/file/ballast.h"

#include <filesystem>

#include "common/errors.h"
#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/small_disk.h"
#include "tests/support/temp_dir.h"

namespace kvs::txn {
namespace {

const std::string kBallastPath = "/log/BALLAST";
using FileOperation = MemoryFileSystem::Operation;

TEST_CASE("a ballast takes its space, gives some of it or all, and takes it again") {
  MemoryFileSystem files;
  Ballast ballast(files, kBallastPath, 1000);
  CHECK(ballast.bytes() == 0);
  ballast.Fill();
  CHECK(ballast.bytes() == 1000);
  CHECK(files.Contents(kBallastPath).size() == 1000);
  CHECK(ballast.Spend(300));
  CHECK(ballast.bytes() == 700);
  CHECK(files.Contents(kBallastPath).size() == 700);
  CHECK(ballast.Spend(5000));
  CHECK(ballast.bytes() == 0);
  CHECK(files.Contents(kBallastPath).empty());
  CHECK_FALSE(ballast.Spend(1));
  ballast.Fill();
  CHECK(ballast.bytes() == 1000);
}

TEST_CASE("a ballast that is there is kept, made larger or made smaller") {
  MemoryFileSystem files;
  const size_t found = GENERATE(0U, 500U, 1000U, 3000U);
  files.SetContents(kBallastPath, std::string(found, '\0'));
  Ballast ballast(files, kBallastPath, 1000);
  ballast.Fill();
  CHECK(ballast.bytes() == 1000);
  CHECK(files.Contents(kBallastPath).size() == 1000);
  files.TakeTrace();
  ballast.Fill();
  CHECK(files.TakeTrace().empty());
}

TEST_CASE("where there is no room the ballast stays what it is, until there is") {
  MemoryFileSystem files;
  Ballast ballast(files, kBallastPath, 1000);
  ballast.Fill();
  ballast.Spend(600);
  files.SetFaults([](FileOperation operation, const std::string&) -> std::optional<MemoryFileSystem::Fault> {
    if (operation != FileOperation::kReserve) return std::nullopt;
    return MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space left")};
  });
  ballast.Fill();
  CHECK(ballast.bytes() == 400);
  files.SetFaults(nullptr);
  ballast.Fill();
  CHECK(ballast.bytes() == 1000);
}

TEST_CASE("where there is little room the ballast takes that") {
  const SmallDisk disk("size=100k");
  if (!disk.mounted()) return;
  Ballast ballast(PosixFileSystem(), disk.path() + "/BALLAST", kMiB);
  ballast.Fill();
  CHECK(ballast.bytes() > 80 * kKiB);
  CHECK(ballast.bytes() <= 100 * kKiB);
  CHECK_FALSE(ballast.full());
  CHECK(std::filesystem::file_size(disk.path() + "/BALLAST") == ballast.bytes());
}

TEST_CASE("without a ballast there is no file") {
  MemoryFileSystem files;
  Ballast ballast(files, kBallastPath, 0);
  ballast.Fill();
  CHECK(ballast.bytes() == 0);
  CHECK_FALSE(ballast.Spend(1));
  CHECK_FALSE(files.Exists(kBallastPath));
}

TEST_CASE("a ballast of former times is given back where none is wanted any more") {
  MemoryFileSystem files;
  files.SetContents(kBallastPath, std::string(1000, '\0'));
  Ballast ballast(files, kBallastPath, 0);
  ballast.Fill();
  CHECK_FALSE(files.Exists(kBallastPath));
}

TEST_CASE("a ballast takes its space on a disk") {
  TempDir temp;
  const std::string path = temp / "BALLAST";
  Ballast ballast(PosixFileSystem(), path, 256 * kKiB);
  ballast.Fill();
  const auto file = PosixFileSystem().OpenForReading(path);
  REQUIRE(file.ok());
  CHECK(*(*file)->Size() == 256 * kKiB);
  CHECK(ballast.Spend(200 * kKiB));
  CHECK(*(*file)->Size() == 56 * kKiB);
}

}  // namespace
}  // namespace kvs::txn
