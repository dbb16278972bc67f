#include "txn_server/log/file/file_cursor.h"

#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"

namespace kvs::txn {
namespace {

// What a replay of everything ends with.
absl::Status Replayed(FileLedger& ledger) { return ReadAll(ledger.log()).status(); }

TEST_CASE("damage that comes while the log is open is found by the replay that meets it") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(5);
  const uint64_t damaged = ledger.LastFrame().offset;
  for (int i = 0; i < 20; ++i) ledger.Write(5, std::string(100, 'x'));
  REQUIRE(Replayed(ledger) == absl::OkStatus());
  SECTION("in a frame") {
    ledger.FlipByte(1, damaged + 100);
    const absl::Status status = Replayed(ledger);
    REQUIRE(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::Path(1));
    CHECK(MetadataOf(status, "offset") == std::to_string(damaged));
    // What does not touch it can still be read.
    CHECK(ReadAll(ledger.log(), 100).status() == absl::OkStatus());
  }
  SECTION("a missing segment") {
    ledger.files().Delete(FileLedger::Path(2));
    CHECK(RefusedAsDamaged(Replayed(ledger)));
  }
  SECTION("a segment that was exchanged") {
    ledger.files().SetContents(FileLedger::Path(2), ledger.files().Contents(FileLedger::Path(3)));
    CHECK(RefusedAsDamaged(Replayed(ledger)));
  }
  SECTION("a segment that was cut") {
    ledger.Truncate(1, 1024);
    CHECK(RefusedAsDamaged(Replayed(ledger)));
  }
  SECTION("a disk that cannot read") {
    ledger.files().SetFaults(
        [](MemoryFileSystem::Operation operation, const std::string&) -> std::optional<MemoryFileSystem::Fault> {
          if (operation != MemoryFileSystem::Operation::kRead) return std::nullopt;
          return MemoryFileSystem::Fault{absl::InternalError("Input/output error")};
        });
    const absl::Status status = Replayed(ledger);
    REQUIRE(RefusedAsDamaged(status));
    CHECK_THAT(std::string(status.message()), ContainsText("Input/output error"));
  }
}

TEST_CASE("a replay begins in the segment that holds the revision") {
  FileLedger ledger;
  ledger.Start();
  for (int i = 0; i < 20; ++i) ledger.Write(5, std::string(100, 'x'));
  // Segments before it are not read.
  ledger.FlipByte(1, 700);
  CHECK(ReadAll(ledger.log(), 90)->last_revision() == 100);
  CHECK_FALSE(ReadAll(ledger.log(), 1).ok());
}

TEST_CASE("epochs and seals between transactions are not shown") {
  FileLedger ledger;
  for (int i = 0; i < 5; ++i) {
    ledger.Start();
    if (i % 2 == 0) ledger.Write(2);
    REQUIRE(ledger.log().Idle() == absl::OkStatus());
    if (i % 3 == 0) ledger.Write(1);
    ledger.CheckReplay();
    ledger.Stop();
  }
}

}  // namespace
}  // namespace kvs::txn
