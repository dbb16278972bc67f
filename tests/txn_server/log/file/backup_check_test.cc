#include "txn_server/log/file/backup_check.h"

#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"
#include "txn_server/log/file/backup.h"
#include "txn_server/log/file/log_stat.h"

namespace kvs::txn {
namespace {

class BackedUp : public FileLedger {
 public:
  BackedUp() {
    Start();
    for (int i = 0; i < 20; ++i) Write(1, std::string(600, 'x'));
    Stop();
    REQUIRE(BackUpLog({"/log", "/backup", nullptr, &files()}).status() == absl::OkStatus());
  }

  absl::StatusOr<CheckedBackup> Check() { return CheckBackup("/backup", nullptr, files()); }
};

TEST_CASE("a whole backup is good, and is known for one") {
  BackedUp ledger;
  CHECK(IsBackup(ledger.files(), "/backup"));
  CHECK_FALSE(IsBackup(ledger.files(), "/log"));
  CHECK_FALSE(IsBackup(ledger.files(), "/nowhere"));
  const auto backup = ledger.Check();
  REQUIRE(backup.status() == absl::OkStatus());
  CHECK(backup->manifest.revision == 20);
  CHECK(backup->scan.tip.last_revision == 20);
}

TEST_CASE("a backup of which a byte was changed, or a file is missing, is not good") {
  BackedUp ledger;
  const std::string path = "/backup/0000000001.log";
  SECTION("a byte") {
    std::string bytes = ledger.files().Contents(path);
    bytes[700] ^= 1;
    ledger.files().SetContents(path, bytes);
  }
  SECTION("a file") { ledger.files().Delete(path); }
  const absl::Status status = ledger.Check().status();
  CHECK(Is(status, errors::kDamagedLog));
  CHECK(MetadataOf(status, "file") == path);
  CHECK_THAT(std::string(status.message()), ContainsText("The backup cannot be relied on"));
}

TEST_CASE("what is no backup is not called a damaged one, and a backup not a damaged ledger") {
  BackedUp ledger;
  CHECK(Is(CheckBackup("/log", nullptr, ledger.files()).status(), errors::kUnusableDirectory));
  for (const bool cut_short : {false, true}) {
    if (cut_short) {
      ledger.files().Delete("/backup/BACKUP");
      ledger.files().SetContents("/backup/BACKUP.lock", "");
      CHECK(Is(ledger.Check().status(), errors::kDamagedLog));
    }
    for (const absl::Status& status : {InspectLog("/backup", nullptr, ledger.files()).status(),
                                       StatLog("/backup", nullptr, ledger.files()).status()}) {
      CHECK(Is(status, errors::kUnusableDirectory));
      CHECK_THAT(std::string(status.message()), ContainsText("/backup is a backup and no ledger"));
      CHECK_THAT(std::string(status.message()), ContainsText(cut_short ? "was cut short" : "kvs log restore /backup"));
    }
  }
}

}  // namespace
}  // namespace kvs::txn
