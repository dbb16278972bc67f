#include "txn_server/log/file/closed_mark.h"

#include <random>

#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

const std::string kMarkPath = ClosedMarkPath("/log");

// Nothing stays that was not synced.
void CutPower(MemoryFileSystem& files) {
  std::mt19937_64 random;
  files.PowerCut(random, MemoryFileSystem::Unsynced::kLost);
}

ClosedMark SampleMark() { return {"0123456789abcdef", {3, 4608, 41, 2, "writer", 0xAABBCCDD}}; }

TEST_CASE("a mark is read back as it was written") {
  MemoryFileSystem files;
  REQUIRE(files.CreateDirectory("/log") == absl::OkStatus());
  CHECK(absl::IsNotFound(ReadClosedMark(files, "/log").status()));
  REQUIRE(WriteClosedMark(files, "/log", SampleMark()) == absl::OkStatus());
  CHECK(files.Contents(kMarkPath).size() == kClosedMarkBytes);
  const auto found = ReadClosedMark(files, "/log");
  REQUIRE(found.ok());
  CHECK(found->problem.empty());
  CHECK(found->mark.log_id == SampleMark().log_id);
  CHECK(found->mark.end == SampleMark().end);
  REQUIRE(RemoveClosedMark(files, "/log") == absl::OkStatus());
  CHECK(absl::IsNotFound(ReadClosedMark(files, "/log").status()));
}

TEST_CASE("a mark of a newer version is not guessed at") {
  ClosedMark mark = SampleMark();
  mark.min_reader_version = kFormatVersion + 1;
  ClosedMark read;
  CHECK(DecodeClosedMark(EncodeClosedMark(mark), &read) ==
        "it needs a program that reads version 2; this one reads up to 1");
}

TEST_CASE("a mark has its name when it is durable, and a power cut does not take it away") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  ledger.Stop();
  CutPower(ledger.files());
  REQUIRE(ledger.files().Contents(kMarkPath).size() == kClosedMarkBytes);
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.log().position().durable_revision == 1);
}

TEST_CASE("a start takes the mark away before it writes anything") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  ledger.Stop();
  ledger.files().TakeTrace();
  ledger.Start();
  const std::vector<std::string> trace = ledger.files().TakeTrace();
  REQUIRE(trace.size() > 2);
  CHECK(trace[0] == "remove " + kMarkPath);
  CHECK(trace[1] == "sync directory /log");
  CutPower(ledger.files());
  CHECK(absl::IsNotFound(ReadClosedMark(ledger.files(), "/log").status()));
}

TEST_CASE("a start that cannot take the mark away changes nothing") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  ledger.Stop();
  ledger.files().TakeTrace();
  const MemoryFileSystem::Operation operation =
      GENERATE(MemoryFileSystem::Operation::kRemove, MemoryFileSystem::Operation::kSyncDirectory);
  ledger.files().SetFaults([operation](MemoryFileSystem::Operation done, const std::string&) {
    return done == operation ? std::make_optional(MemoryFileSystem::Fault{absl::InternalError("I/O error")})
                             : std::nullopt;
  });
  CHECK(absl::IsInternal(ledger.Open()));
  for (const std::string& line : ledger.files().TakeTrace()) {
    CHECK((line == "remove " + kMarkPath || line == "sync directory /log"));
  }
  ledger.files().SetFaults(nullptr);
  CHECK(ledger.Open() == absl::OkStatus());
}

TEST_CASE("a log that has failed is not marked as closed") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  ledger.files().SetFaults([](MemoryFileSystem::Operation operation, const std::string&) {
    const bool fails = operation == MemoryFileSystem::Operation::kSync;
    return fails ? std::make_optional(MemoryFileSystem::Fault{absl::InternalError("I/O error")}) : std::nullopt;
  });
  CHECK(Is(ledger.Append(MakeFrame(2, 1, "value")), errors::kLogFailed));
  ledger.files().SetFaults(nullptr);
  CHECK(Is(ledger.log().Close(), errors::kLogFailed));
  CHECK(absl::IsNotFound(ReadClosedMark(ledger.files(), "/log").status()));
}

TEST_CASE("a log is closed although there is no room for its mark") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  ledger.files().SetFaults([](MemoryFileSystem::Operation operation, const std::string& path) {
    const bool fails = operation == MemoryFileSystem::Operation::kWrite && absl::StartsWith(path, kMarkPath);
    return fails ? std::make_optional(MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space")}) : std::nullopt;
  });
  ledger.Stop();
  CHECK_THAT(ledger.notices().back(), ContainsText("no space for /log/CLOSED"));
  ledger.files().SetFaults(nullptr);
  for (const auto& [path, bytes] : ledger.files().AllContents("/log/")) CHECK(!absl::StartsWith(path, kMarkPath));
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.log().position().durable_revision == 1);
}

TEST_CASE("a log that was closed and lost its end is refused with what to do") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  ledger.Stop();
  ledger.Zero(1, kSegmentHeaderBytes, FileLedger::kSmallSegment);
  const absl::Status status = ledger.Open();
  CHECK(Is(status, errors::kDamagedLog));
  CHECK_THAT(std::string(status.message()),
             ContainsText("/log/0000000001.log is damaged at offset 512, before the first revision: the log ends here, "
                          "and was closed at offset 2048 of segment 1, behind revision 1: /log/CLOSED says so"));
}

TEST_CASE("a log that was closed and lost all its segments is refused, and not begun anew before somebody says so") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  ledger.Stop();
  ledger.DeleteSegments();
  const auto left = ledger.Snapshot();
  const absl::Status status = ledger.Open();
  REQUIRE(Is(status, errors::kDamagedLog));
  CHECK_THAT(std::string(status.message()), ContainsText("to begin with an empty ledger, remove /log/CLOSED"));
  CHECK(ledger.Snapshot() == left);
  ledger.files().Delete(kMarkPath);
  CHECK(ledger.Open() == absl::OkStatus());
}

}  // namespace
}  // namespace kvs::txn
