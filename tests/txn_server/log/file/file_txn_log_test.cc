#include "txn_server/log/file/file_txn_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"
#include "tests/support/log_state.h"
#include "tests/support/small_disk.h"
#include "tests/support/temp_dir.h"
#include "txn_server/log/file/backup.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

using FileOperation = MemoryFileSystem::Operation;
using Fault = MemoryFileSystem::Fault;

// Fails what `which` says, until it is told otherwise.
void FailWhen(FileLedger& ledger, const absl::Status& status, size_t written,
              std::function<bool(FileOperation, const std::string&)> which) {
  ledger.files().SetFaults([=](FileOperation operation, const std::string& path) -> std::optional<Fault> {
    if (!which(operation, path)) return std::nullopt;
    return Fault{status, written};
  });
}

const absl::Status kFull = Error(errors::kNoSpace, "No space left on device");
const absl::Status kBroken = absl::InternalError("Input/output error");

size_t CountOf(const std::vector<std::string>& trace, const std::string& line) {
  return static_cast<size_t>(std::count(trace.begin(), trace.end(), line));
}

TEST_CASE("a group commit is one write and one sync") {
  FileLedger ledger;
  ledger.options().segment_bytes = kMiB;
  ledger.Start();
  ledger.files().TakeTrace();
  const std::vector<SampleFrame> frames = {MakeFrame(1, 3), MakeFrame(4, 2), MakeFrame(6, 1)};
  REQUIRE(ledger.log().Append(1, {frames[0].frame(), frames[1].frame(), frames[2].frame()}) == absl::OkStatus());
  CHECK(ledger.files().TakeTrace() ==
        std::vector<std::string>{"write /log/0000000001.log", "sync /log/0000000001.log"});
}

TEST_CASE("being idle seals once, and not again until something was appended") {
  FileLedger ledger;
  ledger.options().segment_bytes = kMiB;
  ledger.Start();
  ledger.Write(1);
  ledger.files().TakeTrace();
  REQUIRE(ledger.log().Idle() == absl::OkStatus());
  // The frame, then the place behind it in the header of the spare.
  CHECK(ledger.files().TakeTrace() == std::vector<std::string>{
                                          "write /log/0000000001.log",
                                          "sync /log/0000000001.log",
                                          "write /log/0000000002.log",
                                          "sync /log/0000000002.log",
                                      });
  REQUIRE(ledger.log().Idle() == absl::OkStatus());
  CHECK(ledger.files().TakeTrace().empty());
  REQUIRE(ledger.log().Close() == absl::OkStatus());
  CHECK(CountOf(ledger.files().TakeTrace(), "sync /log/0000000001.log") == 0);
  ledger.Kill();
  // Nor after a start that wrote nothing.
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.files().TakeTrace();
  REQUIRE(ledger.log().Idle() == absl::OkStatus());
  CHECK(CountOf(ledger.files().TakeTrace(), "sync /log/0000000002.log") == 0);
}

TEST_CASE("a log that was killed is sealed when it is idle again") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  REQUIRE(ledger.log().Idle() == absl::OkStatus());
  ledger.Kill();
  CHECK(ledger.LastFrame().kind == FrameKind::kSeal);
}

// With a single transaction for each frame, sealed behind some of them, as after kill -9.
void WriteAndKill(FileLedger& ledger, uint32_t sealed_frames, uint32_t more_frames) {
  ledger.Start();
  for (uint32_t i = 0; i < sealed_frames; ++i) ledger.Write();
  REQUIRE(ledger.log().Idle() == absl::OkStatus());
  for (uint32_t i = 0; i < more_frames; ++i) ledger.Write();
  ledger.Kill();
}

// It is sealed when it is idle, with this as the newest revision, and stays so after kill -9.
void CheckSealsAt(FileLedger& ledger, uint64_t revision) {
  REQUIRE(ledger.log().Idle() == absl::OkStatus());
  ledger.Kill();
  const auto report = InspectLog("/log", nullptr, ledger.files());
  REQUIRE(report.ok());
  CHECK(report->scan.is_sealed);
  CHECK(report->scan.tip.last_revision == revision);
}

TEST_CASE("a sealed log that lost its end is refused, with what it lost") {
  FileLedger ledger;
  WriteAndKill(ledger, 3, 0);
  const auto whole = ledger.Snapshot();
  // An epoch, three transactions, a seal.
  constexpr uint64_t kFrames = 5;
  for (uint64_t frame = 0; frame < kFrames; ++frame) {
    INFO("zeros from frame " << frame);
    ledger.Restore(whole);
    const uint64_t offset = kSegmentHeaderBytes + frame * kSectorBytes;
    ledger.Zero(1, offset, FileLedger::kSmallSegment);
    const absl::Status status = ledger.Open();
    CHECK(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::Path(1));
    CHECK(MetadataOf(status, "offset") == absl::StrCat(offset));
    CHECK_THAT(std::string(status.message()),
               ContainsText("was whole up to offset 3072, behind revision 3: /log/0000000002.log says so"));
    const auto report = InspectLog("/log", nullptr, ledger.files());
    REQUIRE(report.ok());
    CHECK(report->scan.lost_revision == (frame < kFrames - 1 ? 3 : 0));
  }
}

TEST_CASE("a log that goes on after it was sealed loses nothing unnoticed of what it had then") {
  FileLedger ledger;
  WriteAndKill(ledger, 2, 2);
  const auto whole = ledger.Snapshot();
  // An epoch, two transactions, a seal, two transactions.
  for (uint64_t frame = 0; frame < 6; ++frame) {
    INFO("zeros from frame " << frame);
    ledger.Restore(whole);
    ledger.Zero(1, kSegmentHeaderBytes + frame * kSectorBytes, FileLedger::kSmallSegment);
    const absl::Status status = ledger.Open();
    CHECK(status.ok() == (frame > 3));
    if (!status.ok()) CHECK(RefusedAsDamaged(status));
    ledger.Kill();
  }
}

TEST_CASE("a spare that says where another history of the log was sealed is refused") {
  FileLedger ledger;
  ledger.Start();
  ledger.Kill();
  const auto before = ledger.Snapshot();
  WriteAndKill(ledger, 1, 0);
  const std::string spare = ledger.files().Contents(FileLedger::Path(3));
  ledger.Restore(before);
  ledger.Start();
  for (int i = 0; i < 3; ++i) ledger.Write(1, "another value");
  ledger.Kill();
  ledger.files().SetContents(FileLedger::Path(3), spare);
  const absl::Status status = ledger.Open();
  CHECK(RefusedAsDamaged(status));
  CHECK(MetadataOf(status, "file") == FileLedger::Path(3));
  CHECK_THAT(std::string(status.message()),
             ContainsText("it says that /log/0000000002.log was whole up to offset 2048, behind revision 1, where that "
                          "has no such frame: one of the two is from another time"));
}

TEST_CASE("a log that has no room to say where it was sealed is not sealed, and goes on") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write();
  FailWhen(ledger, kFull, 0, [](FileOperation operation, const std::string& path) {
    return operation == FileOperation::kWrite && path == FileLedger::Path(2);
  });
  CHECK(Is(ledger.log().Idle(), errors::kNoSpace));
  ledger.files().SetFaults(nullptr);
  ledger.Write();
  CheckSealsAt(ledger, 2);
}

TEST_CASE("a log that fails to say where it was sealed has ended") {
  FileLedger ledger;
  const FileOperation operation = GENERATE(FileOperation::kWrite, FileOperation::kSync);
  ledger.Start();
  ledger.Write();
  FailWhen(ledger, kBroken, 0, [operation](FileOperation done, const std::string& path) {
    return done == operation && path == FileLedger::Path(2);
  });
  CHECK(Is(ledger.log().Idle(), errors::kLogFailed));
  ledger.files().SetFaults(nullptr);
  CHECK(Is(ledger.Append(MakeFrame(2, 1)), errors::kLogFailed));
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.log().position().durable_revision == 1);
}

TEST_CASE("where a larger spare was made for a frame that then had no room, the log is sealed anew") {
  FileLedger ledger;
  WriteAndKill(ledger, 1, 0);
  ledger.Start();
  ledger.Write();
  REQUIRE(ledger.log().Idle() == absl::OkStatus());
  // The spare behind the larger one.
  FailWhen(ledger, kFull, 0, [](FileOperation operation, const std::string& path) {
    return operation == FileOperation::kWrite && absl::StartsWith(path, FileLedger::Path(4));
  });
  CHECK(Is(ledger.Append(MakeFrame(3, 1, std::string(3 * FileLedger::kSmallSegment, 'x'))), errors::kNoSpace));
  REQUIRE(ledger.files().Contents(FileLedger::Path(3)).size() > FileLedger::kSmallSegment);
  CheckSealsAt(ledger, 2);
}

TEST_CASE("segments follow each other, and finished ones are cut behind their last frame") {
  FileLedger ledger;
  ledger.Start();
  for (int i = 0; i < 50; ++i) ledger.Write(5, std::string(100, 'x'));
  ledger.CheckReplay();
  const auto report = InspectLog("/log", nullptr, ledger.files());
  REQUIRE(report.ok());
  CHECK(report->live);
  REQUIRE(report->scan.segments.size() > 5);
  for (size_t i = 0; i + 1 < report->scan.segments.size(); ++i) {
    CHECK(report->scan.segments[i].file_bytes == report->scan.segments[i].valid_bytes);
  }
  ledger.Stop();
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckReplay();
}

TEST_CASE("the next segment is durable before the first frame goes into one") {
  FileLedger ledger;
  ledger.Start();
  for (int i = 0; i < 50; ++i) ledger.Write(5, std::string(100, 'x'));
  const std::vector<std::string> trace = ledger.files().TakeTrace();
  const auto begin = trace.begin();
  for (uint64_t id = 1; id < 8; ++id) {
    INFO("segment " << id);
    // The first write under its own name is the header; of the first segment the first frame.
    auto first_frame = std::find(begin, trace.end(), "write " + FileLedger::Path(id));
    if (id > 1) first_frame = std::find(first_frame + 1, trace.end(), "write " + FileLedger::Path(id));
    const auto renamed = std::find(begin, trace.end(), "rename " + FileLedger::Path(id + 1));
    const auto synced = std::find(renamed, trace.end(), "sync directory /log");
    REQUIRE(first_frame != trace.end());
    CHECK(synced < first_frame);
  }
}

TEST_CASE("a frame larger than a segment gets a larger one") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Write(1, std::string(100'000, 'x'));
  ledger.Write(1);
  ledger.Write(1, std::string(200'000, 'x'));
  ledger.CheckReplay();
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckReplay();
}

TEST_CASE("transactions with a sector of zeros are refused, and the log goes on") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  const absl::Status status = ledger.Append(MakeFrame(2, 1, std::string(2000, '\0')));
  CHECK(Is(status, errors::kMalformedFrame));
  CHECK_THAT(std::string(status.message()), ContainsText("revisions from 2"));
  ledger.Write(1, std::string(500, '\0'));
  ledger.CheckReplay();
}

TEST_CASE("a failed sync ends the log: every later call fails, and nothing is tried again") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  const auto cursor = ledger.log().Replay(1);
  FailWhen(ledger, GENERATE(kBroken, kFull), 0,
           [](FileOperation op, const std::string&) { return op == FileOperation::kSync; });
  CHECK(Is(ledger.Append(MakeFrame(2, 1)), errors::kLogFailed));
  ledger.files().SetFaults(nullptr);
  ledger.files().TakeTrace();
  CHECK(Is(ledger.Append(MakeFrame(2, 1)), errors::kLogFailed));
  CHECK(Is(ledger.log().BeginEpoch("w").status(), errors::kLogFailed));
  CHECK(Is(ledger.log().Idle(), errors::kLogFailed));
  CHECK(Is(ledger.log().Replay(1).status(), errors::kLogFailed));
  CHECK(Is(ledger.log().Close(), errors::kLogFailed));
  CHECK(ledger.files().TakeTrace().empty());
  CHECK(ledger.log().position().durable_revision == 1);
}

TEST_CASE("a failed write ends the log") {
  FileLedger ledger;
  ledger.Start();
  FailWhen(ledger, kBroken, 700, [](FileOperation op, const std::string&) { return op == FileOperation::kWrite; });
  CHECK(Is(ledger.Append(MakeFrame(1, 1)), errors::kLogFailed));
  ledger.files().SetFaults(nullptr);
  CHECK(Is(ledger.Append(MakeFrame(1, 1)), errors::kLogFailed));
}

TEST_CASE("a failure to prepare a segment, other than for want of space, ends the log") {
  FileLedger ledger;
  ledger.Start();
  const FileOperation failing = GENERATE(FileOperation::kCreate, FileOperation::kRename, FileOperation::kSyncDirectory);
  FailWhen(ledger, kBroken, 0, [failing](FileOperation op, const std::string&) { return op == failing; });
  absl::Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) {
    status = ledger.Append(MakeFrame(ledger.log().position().durable_revision + 1, 5, std::string(100, 'x')));
  }
  CHECK(Is(status, errors::kLogFailed));
}

TEST_CASE("without space nothing of a frame is kept, the log goes on, and resumes when there is space") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  // The disk fills up inside the frame; what was allocated before can still be written.
  auto writes = std::make_shared<int>(0);
  FailWhen(ledger, kFull, 700,
           [writes](FileOperation op, const std::string&) { return op == FileOperation::kWrite && (*writes)++ == 0; });
  const std::string before = ledger.files().Contents(FileLedger::Path(1));
  CHECK(Is(ledger.Append(MakeFrame(4, 20)), errors::kNoSpace));
  CHECK(ledger.files().Contents(FileLedger::Path(1)) == before);
  CHECK(ledger.log().position().durable_revision == 3);
  ledger.CheckReplay();
  ledger.Write(2);
  ledger.CheckReplay();
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.notices().empty());
  ledger.CheckReplay();
}

TEST_CASE("what was written of a frame without space does not come back after a power cut") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  auto writes = std::make_shared<int>(0);
  const size_t written = GENERATE(size_t{512}, size_t{1024}, size_t{1 << 20});
  FailWhen(ledger, kFull, written,
           [writes](FileOperation op, const std::string&) { return op == FileOperation::kWrite && (*writes)++ == 0; });
  CHECK(Is(ledger.Append(MakeFrame(4, 20)), errors::kNoSpace));
  ledger.Kill();
  ledger.files().SetFaults(nullptr);
  std::mt19937 random(7);
  ledger.files().PowerCut(random);
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.log().position().durable_revision == 3);
}

TEST_CASE("when a frame cannot be taken back, the log ends") {
  FileLedger ledger;
  ledger.Start();
  FailWhen(ledger, kFull, 700, [](FileOperation op, const std::string&) { return op == FileOperation::kWrite; });
  CHECK(Is(ledger.Append(MakeFrame(1, 20)), errors::kLogFailed));
}

TEST_CASE("without space for the next segment appends are refused, reads go on, and appends resume with space") {
  FileLedger ledger;
  ledger.Start();
  FailWhen(ledger, kFull, 0, [](FileOperation op, const std::string&) { return op == FileOperation::kReserve; });
  absl::Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) {
    status = ledger.Append(MakeFrame(ledger.log().position().durable_revision + 1, 5, std::string(100, 'x')));
  }
  REQUIRE(Is(status, errors::kNoSpace));
  ledger.CheckReplay();
  CHECK(ledger.log().Idle() == absl::OkStatus());
  ledger.files().SetFaults(nullptr);
  ledger.Kill();
  ledger.Start();
  for (int i = 0; i < 20; ++i) ledger.Write(5, std::string(100, 'x'));
  ledger.CheckReplay();
}

TEST_CASE("appends resume in the same process when there is space again") {
  FileLedger ledger;
  ledger.Start();
  FailWhen(ledger, kFull, 0, [](FileOperation op, const std::string&) { return op == FileOperation::kReserve; });
  absl::Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) {
    status = ledger.Append(MakeFrame(ledger.log().position().durable_revision + 1, 5, std::string(100, 'x')));
  }
  REQUIRE(Is(status, errors::kNoSpace));
  REQUIRE(Is(ledger.Append(MakeFrame(ledger.log().position().durable_revision + 1, 9, std::string(900, 'x'))),
             errors::kNoSpace));
  ledger.files().SetFaults(nullptr);
  for (int i = 0; i < 20; ++i) ledger.Write(5, std::string(100, 'x'));
  ledger.CheckReplay();
}

TEST_CASE("a log on a full disk opens and can be read, and says no to writers") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Stop();
  FailWhen(ledger, kFull, 0, [](FileOperation op, const std::string&) { return op == FileOperation::kReserve; });
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckReplay();
  CHECK(Is(ledger.log().BeginEpoch("w").status(), errors::kNoSpace));
  ledger.files().SetFaults(nullptr);
  CHECK(ledger.log().BeginEpoch("w").status() == absl::OkStatus());
}

TEST_CASE("a new log on a full disk is refused as such, and leaves nothing behind") {
  FileLedger ledger;
  FailWhen(ledger, kFull, 100, [](FileOperation op, const std::string&) { return op == FileOperation::kWrite; });
  CHECK(Is(ledger.Open(), errors::kNoSpace));
  CHECK(ledger.files().List("/log")->empty());
  ledger.files().SetFaults(nullptr);
  CHECK(ledger.Open() == absl::OkStatus());
}

TEST_CASE("a log has one owner at a time") {
  FileLedger ledger;
  ledger.Start();
  CHECK(Is(OpenFileTxnLog(ledger.options()).status(), errors::kLogInUse));
  ledger.Kill();
  CHECK(OpenFileTxnLog(ledger.options()).status() == absl::OkStatus());
}

TEST_CASE("options that cannot work are refused") {
  FileLedger ledger;
  ledger.options().segment_bytes = GENERATE(uint64_t{0}, kMinSegmentBytes - kSectorBytes, kMinSegmentBytes + 1);
  CHECK(absl::IsInvalidArgument(ledger.Open()));
  ledger.options().segment_bytes = kMinSegmentBytes;
  ledger.options().new_log_id = "short";
  CHECK(absl::IsInvalidArgument(ledger.Open()));
  ledger.options().directory = "";
  CHECK_FALSE(ledger.Open().ok());
}

// On the disk of this machine.

FileTxnLogOptions OnDisk(const std::string& directory) {
  FileTxnLogOptions options;
  options.directory = directory;
  options.segment_bytes = 64 * kKiB;
  return options;
}

TEST_CASE("a missing directory is made, for its owner alone, and a trailing slash is no matter") {
  TempDir temp;
  REQUIRE(OpenFileTxnLog(OnDisk(temp / "data//")).status() == absl::OkStatus());
  struct stat info;
  REQUIRE(stat((temp / "data").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  REQUIRE(stat((temp / "data/0000000001.log").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(info.st_size == 64 * kKiB);
}

TEST_CASE("a ledger whose segments were all removed is refused, and nothing is started in their place") {
  FileLedger ledger;
  ledger.options().compaction.min_bytes = 4 * kKiB;
  ledger.options().compaction.percent = 10;
  ledger.Start();
  while (ledger.reports().empty()) ledger.Write(1, std::string(600, 'x'));
  ledger.Stop();
  ledger.DeleteSegments();
  const auto left = ledger.Snapshot();
  REQUIRE_FALSE(left.empty());
  const std::string snapshot = ledger.reports().back().snapshot.path;
  const absl::Status inspected = InspectLog("/log", nullptr, ledger.files()).status();
  for (const absl::Status& status : {inspected, ledger.Open()}) {
    CHECK(Is(status, errors::kDamagedLog));
    CHECK_THAT(std::string(status.message()), ContainsText(snapshot + " is the newest"));
    CHECK_THAT(std::string(status.message()), ContainsText("kvs log salvage /log TARGET"));
  }
  CHECK(ledger.Snapshot() == left);
}

TEST_CASE("a ledger that was killed and lost its segments is not begun anew as long as its ballast is there") {
  FileLedger ledger;
  ledger.options().compaction.ballast_bytes = 64 * kKiB;
  ledger.Start();
  ledger.Write();
  ledger.Kill();
  ledger.DeleteSegments();
  const auto left = ledger.Snapshot();
  const absl::Status status = ledger.Open();
  REQUIRE(Is(status, errors::kDamagedLog));
  CHECK_THAT(std::string(status.message()), ContainsText("to begin with an empty ledger, remove /log/BALLAST"));
  CHECK(ledger.Snapshot() == left);
  ledger.files().Delete(BallastPath("/log"));
  CHECK(ledger.Open() == absl::OkStatus());
}

TEST_CASE("a missing parent is refused with what to do") {
  TempDir temp;
  const absl::Status status = OpenFileTxnLog(OnDisk(temp / "no/data")).status();
  CHECK(Is(status, errors::kUnusableDirectory));
  CHECK_THAT(std::string(status.message()), ContainsText(temp.path() + "/no does not exist; create it"));
}

TEST_CASE("a directory with other files is refused, one that a mount made is not") {
  TempDir temp;
  std::filesystem::create_directory(temp / "lost+found");
  std::ofstream(temp / ".hidden") << "x";
  SECTION("a foreign file") {
    std::ofstream(temp / "holiday.jpg") << "x";
    const absl::Status status = OpenFileTxnLog(OnDisk(temp.path())).status();
    CHECK(Is(status, errors::kUnusableDirectory));
    CHECK_THAT(std::string(status.message()), ContainsText("holiday.jpg"));
  }
  SECTION("a fresh mount") { CHECK(OpenFileTxnLog(OnDisk(temp.path())).status() == absl::OkStatus()); }
}

TEST_CASE("a backup is no ledger to open, finished or not, and nothing is left in it") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Stop();
  REQUIRE(BackUpLog({"/log", "/backup", nullptr, &ledger.files()}).status() == absl::OkStatus());
  ledger.files().SetContents("/backup/BACKUP.lock", "");
  std::string remedy = "\"kvs log verify /backup\" checks it";
  SECTION("finished") {}
  SECTION("finished, and copied without its lock") { ledger.files().Delete("/backup/BACKUP.lock"); }
  SECTION("being made, or cut short") {
    ledger.files().Delete("/backup/BACKUP");
    remedy = "it is being made, or was cut short";
  }
  const auto before = ledger.files().List("/backup");
  ledger.options().directory = "/backup";
  const absl::Status status = ledger.Open();
  CHECK(Is(status, errors::kUnusableDirectory));
  CHECK_THAT(std::string(status.message()), ContainsText("/backup is a backup and no ledger: " + remedy));
  CHECK(*ledger.files().List("/backup") == *before);
}

// Runs `test` without the rights of root, which may write anywhere.
template <class F>
void WithoutRoot(const std::string& directory, F test) {
  const bool root = geteuid() == 0;
  if (root) {
    REQUIRE(chown(directory.c_str(), 65534, 65534) == 0);
    REQUIRE(seteuid(65534) == 0);
  }
  test();
  if (root) REQUIRE(seteuid(0) == 0);
}

TEST_CASE("a read-only directory is refused with what to do") {
  TempDir temp;
  REQUIRE(chmod(temp.path().c_str(), 0500) == 0);
  absl::Status status;
  absl::Status inside;
  WithoutRoot(temp.path(), [&] {
    status = OpenFileTxnLog(OnDisk(temp.path())).status();
    inside = OpenFileTxnLog(OnDisk(temp / "data")).status();
  });
  REQUIRE(chmod(temp.path().c_str(), 0700) == 0);
  CHECK(Is(status, errors::kUnusableDirectory));
  CHECK_THAT(std::string(status.message()), ContainsText("change the rights of " + temp.path()));
  CHECK(Is(inside, errors::kUnusableDirectory));
}

TEST_CASE("a ledger that became read-only is refused and not called damaged") {
  TempDir temp;
  REQUIRE(OpenFileTxnLog(OnDisk(temp.path())).status() == absl::OkStatus());
  REQUIRE(chmod((temp / "0000000001.log").c_str(), 0000) == 0);
  absl::Status status;
  WithoutRoot(temp.path(), [&] {
    if (chmod((temp / "LOCK").c_str(), 0666) != 0) errno = 0;
    status = OpenFileTxnLog(OnDisk(temp.path())).status();
  });
  CHECK(Is(status, errors::kUnusableDirectory));
}

TEST_CASE("a directory that another process owns is refused with its process id") {
  TempDir temp;
  REQUIRE(OpenFileTxnLog(OnDisk(temp.path())).status() == absl::OkStatus());
  int to_parent[2];
  int to_child[2];
  REQUIRE(pipe(to_parent) == 0);
  REQUIRE(pipe(to_child) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    close(to_child[1]);
    char byte = 0;
    const auto lock = PosixFileSystem().Lock(LockPath(temp.path()));
    if (write(to_parent[1], lock.ok() ? "y" : "n", 1) == 1 && read(to_child[0], &byte, 1) != 0) _exit(1);
    _exit(0);  // without its destructors, as after kill -9
  }
  close(to_child[0]);
  char byte = 0;
  REQUIRE(read(to_parent[0], &byte, 1) == 1);
  REQUIRE(byte == 'y');
  const absl::Status status = OpenFileTxnLog(OnDisk(temp.path())).status();
  CHECK(Is(status, errors::kLogInUse));
  CHECK(MetadataOf(status, "pid") == std::to_string(child));
  CHECK_THAT(std::string(status.message()), ContainsText("process " + std::to_string(child)));
  close(to_child[1]);
  int exit_status = 0;
  REQUIRE(waitpid(child, &exit_status, 0) == child);
  CHECK(exit_status == 0);
  CHECK(OpenFileTxnLog(OnDisk(temp.path())).status() == absl::OkStatus());
  close(to_parent[0]);
  close(to_parent[1]);
}

TEST_CASE("a full disk stops appends, and freed space lets them go on") {
  const SmallDisk disk("size=2m");
  if (!disk.mounted()) return;
  FileTxnLogOptions options = OnDisk(disk.path() + "/log");
  options.segment_bytes = 256 * kKiB;
  options.compaction.retention = Retention::kFull;
  options.compaction.ballast_bytes = 0;
  options.compaction.min_bytes = 200 * kKiB;
  options.compaction.percent = 10;
  std::atomic<int> snapshots = 0;
  std::atomic<int> attempts = 0;
  options.compacted = [&](const CompactionReport&) { ++snapshots, ++attempts; };
  options.compaction_failed = [&](const absl::Status&, bool) { ++attempts; };
  auto log = OpenFileTxnLog(options);
  REQUIRE(log.ok());
  REQUIRE((*log)->BeginEpoch("w").ok());
  std::ofstream(disk.path() + "/ballast") << std::string(1 << 20, 'b');
  const auto append = [&log](std::string* written) {
    const SampleFrame frame = MakeFrame((*log)->position().durable_revision + 1, 10, std::string(3000, 'x'));
    absl::Status status = (*log)->Append(1, {frame.frame()});
    if (status.ok()) *written += frame.bytes;
    return status;
  };
  std::string written;
  absl::Status status;
  while (status.ok()) status = append(&written);
  CHECK(Is(status, errors::kNoSpace));
  CHECK(ReadAll(**log)->bytes == written);
  const auto report = InspectLog(options.directory);
  REQUIRE(report.ok());
  // What there was of prepared segments was used.
  for (const SegmentSummary& spare : report->scan.spares) CHECK(spare.file_bytes == kMinSegmentBytes);
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (attempts == 0 && absl::Now() < deadline) std::this_thread::yield();
  CHECK(Is(append(&written), errors::kNoSpace));
  const int before = snapshots;
  std::filesystem::remove(disk.path() + "/ballast");
  CHECK(append(&written) == absl::OkStatus());
  CHECK(ReadAll(**log)->bytes == written);
  // And snapshots: the compaction has not stopped for good. What is appended makes one due and leaves room for it,
  // also with the segments that are prepared.
  for (int i = 0; i < 8; ++i) CHECK(append(&written) == absl::OkStatus());
  while (snapshots == before && absl::Now() < deadline) std::this_thread::yield();
  CHECK(snapshots > before);
}

TEST_CASE("a log whose directory is moved, removed or replaced acknowledges nothing more, and leaves the other alone") {
  const bool replaced = GENERATE(false, true);
  const TempDir temp;
  const std::string place = temp / "log";
  auto log = OpenFileTxnLog(OnDisk(place));
  REQUIRE(log.ok());
  REQUIRE((*log)->BeginEpoch("w").ok());
  const auto append = [&log](uint64_t revision) { return (*log)->Append(1, {MakeFrame(revision, 1).frame()}); };
  REQUIRE(append(1) == absl::OkStatus());
  std::filesystem::rename(place, temp / "moved");
  if (replaced) REQUIRE(OpenFileTxnLog(OnDisk(place)).ok());
  const auto files_of = [](const std::string& directory) {
    std::map<std::string, std::filesystem::file_time_type> files;
    if (!std::filesystem::exists(directory)) return files;
    for (const auto& file : std::filesystem::directory_iterator(directory)) files[file.path()] = file.last_write_time();
    return files;
  };
  const auto before = files_of(place);
  const absl::Status status = append(2);
  CHECK(Is(status, errors::kLogFailed));
  CHECK_THAT(std::string(status.message()), ContainsText("was moved, removed or replaced"));
  // Not even a large frame, which needs a segment of its own.
  CHECK_FALSE((*log)->Append(1, {MakeFrame(2, 1, std::string(3 * kMiB, 'x')).frame()}).ok());
  log->reset();
  CHECK(files_of(place) == before);
  log = OpenFileTxnLog(OnDisk(temp / "moved"));
  REQUIRE(log.ok());
  CHECK((*log)->position().durable_revision >= 1);
}

TEST_CASE("a log that needs another segment in a directory that was replaced makes none there") {
  const TempDir temp;
  const std::string place = temp / "log";
  auto log = OpenFileTxnLog(OnDisk(place));
  REQUIRE(log.ok());
  REQUIRE((*log)->BeginEpoch("w").ok());
  std::filesystem::rename(place, temp / "moved");
  std::filesystem::create_directory(place);
  const absl::Status status = (*log)->Append(1, {MakeFrame(1, 1, std::string(3 * kMiB, 'x')).frame()});
  CHECK(Is(status, errors::kLogFailed));
  log->reset();
  CHECK(std::filesystem::is_empty(place));
}

// A ledger on a small disk, with a writer that tries again where there is no space, as kvs_server does.
class CrampedLedger {
 public:
  CrampedLedger(const std::string& directory, uint64_t segment_bytes, uint64_t min_bytes, uint64_t ballast_bytes) {
    options_ = OnDisk(directory);
    options_.segment_bytes = segment_bytes;
    options_.compaction.min_bytes = min_bytes;
    options_.compaction.ballast_bytes = ballast_bytes;
    options_.compaction.shortest_retry = absl::Milliseconds(1);
    options_.compaction.longest_retry = absl::Milliseconds(100);
    options_.compaction.ballast_retry = absl::Milliseconds(20);
    options_.compacted = [this](const CompactionReport&) { Tried(); };
    options_.compaction_failed = [this](const absl::Status&, bool) { Tried(); };
    auto log = OpenFileTxnLog(options_);
    REQUIRE(log.status() == absl::OkStatus());
    log_ = *std::move(log);
    REQUIRE(log_->BeginEpoch("w").ok());
  }

  // Overwrites one of `keys` values of 4,000 bytes that cannot be compressed.
  void Overwrite(uint32_t keys) {
    const uint64_t revision = log_->position().durable_revision + 1;
    const uint64_t slot = revision % keys;
    std::string value(4000, '\0');
    for (char& c : value) c = static_cast<char>('!' + random_() % 90);
    ::txn::v1::TransactionList list;
    *list.add_transactions() = SampleTransaction(revision, value);
    list.mutable_transactions(0)->set_key(absl::StrCat("key-", slot));
    list.mutable_transactions(0)->set_previous_revision(std::exchange(newest_[slot], revision));
    const std::string bytes = list.SerializeAsString();
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    absl::Status status = log_->Append(1, {Frame{revision, 1, bytes}});
    for (; !status.ok(); status = log_->Append(1, {Frame{revision, 1, bytes}})) {
      REQUIRE(Is(status, errors::kNoSpace));
      ++refusals_;
      if (absl::Now() > deadline) FAIL("no space for ever: revision " << revision << ", " << status.ToString());
      MutexLock lock(&mu_);
      changed_.WaitWithTimeout(&mu_, absl::Milliseconds(10));
    }
  }

  TxnLog& log() { return *log_; }
  int refusals() const { return refusals_; }

 private:
  void Tried() {
    MutexLock lock(&mu_);
    changed_.SignalAll();
  }

  Mutex mu_;
  CondVar changed_;
  FileTxnLogOptions options_;
  std::unique_ptr<TxnLog> log_;
  std::mt19937_64 random_{1};
  std::map<uint64_t, uint64_t> newest_;  // revision of each key
  int refusals_ = 0;
};

TEST_CASE("a log that is larger than its disk goes on, as long as the state is small") {
  const SmallDisk disk("size=2m");
  if (!disk.mounted()) return;
  CrampedLedger ledger(disk.path() + "/log", /*segment_bytes=*/640 * kKiB, /*min_bytes=*/100 * kMiB,
                       /*ballast_bytes=*/64 * kKiB);
  for (int i = 0; i < 5000; ++i) ledger.Overwrite(1);
  CHECK(ledger.refusals() > 0);
  CHECK(ledger.log().position().compacted_revision > 0);
}

// Fills the disk but for `left` bytes.
void FillDisk(const SmallDisk& disk, uint64_t left) {
  const std::string path = disk.path() + "/other";
  const int file = open(path.c_str(), O_CREAT | O_RDWR, 0600);
  REQUIRE(file >= 0);
  for (uint64_t step = kMiB, size = 0; step >= 4 * kKiB;) {
    if (fallocate(file, 0, 0, static_cast<off_t>(size + step)) == 0) {
      size += step;
    } else {
      step /= 2;
    }
    REQUIRE(ftruncate(file, static_cast<off_t>(size)) == 0);
    if (step < 4 * kKiB) REQUIRE(ftruncate(file, static_cast<off_t>(size - left)) == 0);
  }
  close(file);
}

TEST_CASE("on a full disk a writer gets what it takes to begin, from the ballast, so that the state can be read") {
  const Retention retention = GENERATE(Retention::kOnDelete, Retention::kFull);
  const int written = GENERATE(0, 3, 200);
  INFO("writes " << written << ", full " << (retention == Retention::kFull));
  const SmallDisk disk("size=8m");
  if (!disk.mounted()) return;
  FileTxnLogOptions options = OnDisk(disk.path() + "/log");
  options.segment_bytes = kMiB;
  options.compaction.retention = retention;
  options.compaction.min_bytes = 100 * kKiB;
  options.compaction.ballast_bytes = kMiB;
  uint64_t revision = 0;
  for (int run = 0; run < 4; ++run) {
    auto log = OpenFileTxnLog(options);
    REQUIRE(log.status() == absl::OkStatus());
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    auto epoch = (*log)->BeginEpoch("w");
    while (Is(epoch.status(), errors::kNoSpace) && absl::Now() < deadline) {
      std::this_thread::yield();
      epoch = (*log)->BeginEpoch("w");
    }
    REQUIRE(epoch.status() == absl::OkStatus());
    for (int i = 0; run == 0 && i < written; ++i) {
      ++revision;
      REQUIRE((*log)->Append(*epoch, {MakeFrame(revision, 1, std::string(4000, 'x')).frame()}).ok());
    }
    REQUIRE((*log)->Idle().ok());
    const auto state = ReadState(**log);
    REQUIRE(state.status() == absl::OkStatus());
    CHECK(state->keys().size() == revision);
    REQUIRE((*log)->Close().ok());
    log->reset();
    if (run == 0) FillDisk(disk, 0);
  }
}

TEST_CASE("a full retention says so where the history does not begin with the first revision") {
  FileLedger ledger;
  ledger.options().compaction.retention = Retention::kOnDelete;
  ledger.options().compaction.min_bytes = 8 * kKiB;
  ledger.Start();
  while (ledger.log().position().compacted_revision == 0) {
    ledger.Write(1, std::string(4000, 'x'));
    REQUIRE(ledger.log().Idle().ok());
  }
  ledger.Stop();
  ledger.options().compaction.retention = Retention::kFull;
  REQUIRE(ledger.Open() == absl::OkStatus());
  REQUIRE(ledger.notices().size() == 1);
  CHECK_THAT(ledger.notices()[0], ContainsText("the history begins with revision"));
}

TEST_CASE("a full disk that holds mostly history gets room again, whatever snapshots were made before") {
  const uint64_t min_bytes = GENERATE(100 * kMiB, 256 * kKiB, kMiB, 3 * kMiB);
  const uint32_t keys = GENERATE(40, 100, 125, 135);
  INFO("min_bytes " << min_bytes << ", keys " << keys);
  const SmallDisk disk("size=5400k");
  if (!disk.mounted()) return;
  // The last snapshot takes nearly what the ballast does.
  CrampedLedger ledger(disk.path() + "/log", 2 * kMiB, min_bytes, 512 * kKiB);
  for (int i = 0; i < 1000; ++i) ledger.Overwrite(1 + keys * i / 1000);
  for (int i = 0; i < 3000; ++i) ledger.Overwrite(keys);
  const auto state = ReadState(ledger.log());
  REQUIRE(state.status() == absl::OkStatus());
  CHECK(state->keys().size() == keys);
}

}  // namespace
}  // namespace kvs::txn
