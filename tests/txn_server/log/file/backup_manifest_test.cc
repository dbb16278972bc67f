#include "txn_server/log/file/backup_manifest.h"

#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"

namespace kvs::txn {
namespace {

BackupManifest SampleManifest() {
  return {"0123456789abcdef",
          3,
          1234,
          absl::FromUnixSeconds(1'763'717'400),
          {{"0000000001.snap", 4096, 0x9ab3c1d2}, {"0000000007.log", 12288, 0x01f2a3b4}}};
}

TEST_CASE("a manifest is text and is read back as it was written") {
  const std::string text = EncodeManifest(SampleManifest());
  CHECK_THAT(text, ContainsText("kvs backup 1\nlog 30313233343536373839616263646566\nepoch 3\nrevision 1234\n"
                                "made 2025-11-21T09:30:00Z\nfile 0000000001.snap 4096 9ab3c1d2\n"
                                "file 0000000007.log 12288 01f2a3b4\nend "));
  const auto read = ParseManifest(text);
  REQUIRE(read.status() == absl::OkStatus());
  CHECK(read->log_id == SampleManifest().log_id);
  CHECK(read->epoch == 3);
  CHECK(read->revision == 1234);
  CHECK(read->made == SampleManifest().made);
  REQUIRE(read->files.size() == 2);
  CHECK(read->files[1].name == "0000000007.log");
  CHECK(read->files[1].bytes == 12288);
  CHECK(read->files[1].crc32c == 0x01f2a3b4);
}

TEST_CASE("a manifest that was cut or changed anywhere is refused") {
  const std::string text = EncodeManifest(SampleManifest());
  for (size_t size = 0; size < text.size(); ++size) CHECK_FALSE(ParseManifest(text.substr(0, size)).ok());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    INFO("byte " << i);
    CHECK_FALSE(ParseManifest(changed).ok());
  }
}

TEST_CASE("a manifest names no file outside of its directory") {
  BackupManifest manifest = SampleManifest();
  manifest.files[0].name = "../secret";
  CHECK_FALSE(ParseManifest(EncodeManifest(manifest)).ok());
}

TEST_CASE("a manifest is replaced durably, and a missing one told apart from a broken one") {
  MemoryFileSystem files;
  CHECK(absl::IsNotFound(ReadManifest(files, "/backup").status()));
  REQUIRE(WriteManifest(files, "/backup", SampleManifest()) == absl::OkStatus());
  CHECK(files.TakeTrace() == std::vector<std::string>{"create /backup/BACKUP.tmp", "write /backup/BACKUP.tmp",
                                                      "sync /backup/BACKUP.tmp", "rename /backup/BACKUP",
                                                      "sync directory /backup"});
  CHECK(ReadManifest(files, "/backup")->revision == 1234);
  files.SetContents("/backup/BACKUP", "kvs backup 1\n");
  CHECK(Is(ReadManifest(files, "/backup").status(), errors::kDamagedLog));
}

}  // namespace
}  // namespace kvs::txn
