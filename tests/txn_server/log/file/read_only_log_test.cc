#include "txn_server/log/file/read_only_log.h"

#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"

namespace kvs::txn {
namespace {

TEST_CASE("a ledger is read without being changed, also one with a torn tail") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  const std::string acknowledged = ledger.written();
  ledger.Write(20, std::string(60, 'x'));
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  ledger.Zero(1, last.offset + 512, last.offset + 1024);
  const auto before = ledger.Snapshot();
  {
    const auto log = OpenReadOnlyLog("/log", ledger.files());
    REQUIRE(log.status() == absl::OkStatus());
    CHECK((*log)->position().durable_revision == 3);
    CHECK((*log)->position().epoch == 1);
    const auto all = ReadAll(**log);
    REQUIRE(all.status() == absl::OkStatus());
    CHECK(all->bytes == acknowledged);
    CHECK(absl::IsFailedPrecondition((*log)->BeginEpoch("other").status()));
    CHECK(absl::IsFailedPrecondition((*log)->Append(1, {MakeFrame(4, 1).frame()})));
    CHECK(absl::IsFailedPrecondition((*log)->Import({}, nullptr)));
    CHECK((*log)->Idle() == absl::OkStatus());
    CHECK((*log)->Close() == absl::OkStatus());
    CHECK(Is(ledger.Open(), errors::kLogInUse));
  }
  CHECK(ledger.Snapshot() == before);
}

TEST_CASE("a ledger that is in use, damaged or not there is not opened for a copy") {
  FileLedger ledger;
  CHECK(Is(OpenReadOnlyLog("/log", ledger.files()).status(), errors::kUnusableDirectory));
  ledger.Start();
  ledger.Write(3);
  CHECK(Is(OpenReadOnlyLog("/log", ledger.files()).status(), errors::kLogInUse));
  ledger.Stop();
  ledger.FlipByte(1, 1100);
  CHECK(Is(OpenReadOnlyLog("/log", ledger.files()).status(), errors::kDamagedLog));
}

}  // namespace
}  // namespace kvs::txn
