#include "txn_server/log/file/backup_view.h"

#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"

namespace kvs::txn {
namespace {

TEST_CASE("a view has the files of the manifest, as long as they were") {
  MemoryFileSystem files;
  files.SetContents("/backup/0000000001.log", "abcdef");
  files.SetContents("/backup/0000000002.log", "later");
  BackupManifest manifest;
  manifest.files = {{"0000000001.log", 4, 0}};
  BackupView view(files, manifest);
  CHECK(*view.List("/backup") == std::vector<std::string>{"0000000001.log"});
  CHECK(absl::IsNotFound(view.OpenForReading("/backup/0000000002.log").status()));
  const auto file = view.OpenForReading("/backup/0000000001.log");
  REQUIRE(file.ok());
  CHECK(*(*file)->Size() == 4);
  char buffer[8] = {};
  CHECK(*(*file)->ReadAt(2, buffer, sizeof(buffer)) == 2);
  CHECK(std::string(buffer, 2) == "cd");
  CHECK(*(*file)->ReadAt(4, buffer, sizeof(buffer)) == 0);
}

TEST_CASE("a view changes nothing") {
  MemoryFileSystem files;
  files.SetContents("/backup/0000000001.log", "abcdef");
  BackupManifest manifest;
  manifest.files = {{"0000000001.log", 6, 0}};
  BackupView view(files, manifest);
  CHECK(absl::IsFailedPrecondition(view.Create("/backup/new").status()));
  CHECK(absl::IsFailedPrecondition(view.OpenForWriting("/backup/0000000001.log").status()));
  CHECK(absl::IsFailedPrecondition(view.Rename("/backup/0000000001.log", "/backup/other")));
  CHECK(absl::IsFailedPrecondition(view.Remove("/backup/0000000001.log")));
  CHECK(absl::IsFailedPrecondition(view.CreateDirectory("/backup")));
  CHECK(absl::IsFailedPrecondition(view.RemoveDirectory("/backup")));
  CHECK(absl::IsFailedPrecondition(view.SyncDirectory("/backup")));
  CHECK(absl::IsFailedPrecondition(view.Lock("/backup/LOCK").status()));
  auto file = view.OpenForReading("/backup/0000000001.log");
  REQUIRE(file.ok());
  CHECK(absl::IsFailedPrecondition((*file)->WriteAt(0, {"x"})));
  CHECK(absl::IsFailedPrecondition((*file)->Truncate(0)));
  CHECK(absl::IsFailedPrecondition((*file)->Reserve(9)));
  CHECK(absl::IsFailedPrecondition((*file)->Sync()));
  CHECK(files.Contents("/backup/0000000001.log") == "abcdef");
}

}  // namespace
}  // namespace kvs::txn
