#include "txn_server/log/file/recovery.h"

#include <random>

#include "tests/support/catch.h"
#include "tests/support/fault_injection.h"
#include "tests/support/file_ledger.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

using FileOperation = MemoryFileSystem::Operation;
using Fault = MemoryFileSystem::Fault;

// A frame of several sectors.
constexpr uint32_t kManyTransactions = 20;
const std::string kText(60, 'x');

TEST_CASE("what was written is there after a clean stop and after a kill") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Write(1);
  SECTION("stop") { ledger.Stop(); }
  SECTION("kill") { ledger.Kill(); }
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.notices().empty());
  CHECK(ledger.log().position().durable_revision == 4);
  CHECK(ledger.log().position().epoch == 1);
  CHECK(ledger.log().position().writer_id == "writer");
  CHECK(ledger.log().position().log_id == "0123456789abcdef");
  ledger.CheckReplay();
}

// Whether any whole sector from `begin` to `end` of the file is zero.
bool AnySectorZero(const std::string& file, uint64_t begin, uint64_t end) {
  for (uint64_t sector = begin; sector < end; sector += kSectorBytes) {
    if (IsZero(absl::string_view(file).substr(sector, kSectorBytes))) return true;
  }
  return false;
}

uint64_t EndOf(const FrameHeader& frame) { return frame.offset + FrameBytes(frame.payload_bytes); }

TEST_CASE("the last frame zeroed from any byte on is cut where a whole sector of it is zero, else refused") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(2);
  const std::string kept = ledger.written();
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  REQUIRE(EndOf(last) - last.offset >= 4 * kSectorBytes);
  const auto snapshot = ledger.Snapshot();
  for (uint64_t from = last.offset; from < EndOf(last); ++from) {
    INFO("zeroed from " << from << " to " << EndOf(last));
    ledger.Restore(snapshot);
    ledger.Zero(1, from, EndOf(last));
    const bool cut = AnySectorZero(ledger.files().Contents(ledger.Path(1)), last.offset, EndOf(last));
    const absl::Status status = ledger.Open();
    REQUIRE(RefusedAsDamaged(status) == !cut);
    if (!cut) continue;
    REQUIRE(ReadAll(ledger.log())->bytes == kept);
    // A frame that is wholly zero cannot be told from one that was never written.
    REQUIRE(ledger.notices().size() == (from == last.offset ? 0 : 1));
  }
}

TEST_CASE("any one sector of the last frame zeroed is a torn frame, of an earlier one damage") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(kManyTransactions, kText);
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  const auto snapshot = ledger.Snapshot();
  for (uint64_t sector = 0; sector < EndOf(last); sector += kSectorBytes) {
    INFO("sector at " << sector);
    ledger.Restore(snapshot);
    ledger.Zero(1, sector, sector + kSectorBytes);
    REQUIRE(RefusedAsDamaged(ledger.Open()) == (sector < last.offset));
    if (sector >= last.offset) CHECK(ledger.log().position().durable_revision == kManyTransactions);
  }
}

TEST_CASE("a cut frame is told once, with file, offset and revisions") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(2);
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  ledger.Zero(1, last.offset + 2 * kSectorBytes, last.offset + 3 * kSectorBytes);
  REQUIRE(ledger.Open() == absl::OkStatus());
  REQUIRE(ledger.notices().size() == 1);
  const std::string notice = ledger.notices()[0];
  CHECK_THAT(notice, ContainsText("/log/0000000001.log at offset " + std::to_string(last.offset)));
  CHECK_THAT(notice, ContainsText("revisions 3 to 22"));
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.notices().empty());
}

TEST_CASE("a torn frame whose header was not written is told with its first revision") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(2);
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  ledger.Zero(1, last.offset, last.offset + kSectorBytes);
  REQUIRE(ledger.Open() == absl::OkStatus());
  REQUIRE(ledger.notices().size() == 1);
  CHECK_THAT(ledger.notices()[0], ContainsText("they began at 3"));
}

TEST_CASE("the log goes on after a torn frame was cut, and nothing of it comes back") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(2);
  const std::string kept = ledger.written();
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  ledger.Zero(1, last.offset + kSectorBytes, last.offset + 2 * kSectorBytes);
  ledger.Start();
  const SampleFrame next = MakeFrame(3, 4, "other");
  REQUIRE(ledger.Append(next) == absl::OkStatus());
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ReadAll(ledger.log())->bytes == kept + next.bytes);
}

TEST_CASE("a torn frame is gone for good, also where its file cannot be made shorter") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(2);
  const std::string kept = ledger.written();
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  ledger.Zero(1, last.offset + kSectorBytes, last.offset + 2 * kSectorBytes);
  ledger.files().SetFaults([](FileOperation operation, const std::string&) -> std::optional<Fault> {
    if (operation != FileOperation::kTruncate) return std::nullopt;
    return Fault{absl::InternalError("I/O error")};
  });
  ledger.Start();
  const SampleFrame next = MakeFrame(3, 4, "other");
  REQUIRE(ledger.Append(next) == absl::OkStatus());
  ledger.Kill();
  const absl::Status opened = ledger.Open();
  REQUIRE(opened == absl::OkStatus());
  CHECK(ReadAll(ledger.log())->bytes == kept + next.bytes);
}

TEST_CASE("a sealed log has no torn frame: a zeroed sector in it is damage") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(kManyTransactions, kText);
  SECTION("after a clean stop") { ledger.Stop(); }
  SECTION("when idle") {
    REQUIRE(ledger.log().Idle() == absl::OkStatus());
    ledger.Kill();
  }
  const FrameHeader seal = ledger.LastFrame();
  REQUIRE(seal.kind == FrameKind::kSeal);
  ledger.Zero(1, seal.offset - kSectorBytes, seal.offset);
  CHECK(RefusedAsDamaged(ledger.Open()));
}

TEST_CASE("garbage behind a torn frame is damage") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  ledger.Zero(1, last.offset + kSectorBytes, last.offset + 2 * kSectorBytes);
  ledger.FlipByte(1, EndOf(last) + 100);
  CHECK(RefusedAsDamaged(ledger.Open()));
}

TEST_CASE("two frames of which the first lost its header and the second a byte are damage") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(kManyTransactions, kText);
  const FrameHeader first = ledger.LastFrame();
  ledger.Write(1);
  ledger.Kill();
  ledger.Zero(1, first.offset, first.offset + kSectorBytes);
  ledger.FlipByte(1, EndOf(first) + 20);
  CHECK(RefusedAsDamaged(ledger.Open()));
}

TEST_CASE("a zeroed header with more behind it than a frame can hold is damage") {
  FileLedger ledger;
  ledger.options().segment_bytes = 17 * kMiB;
  ledger.Start();
  ledger.Kill();
  const uint64_t end = ledger.LastFrame().offset + kSectorBytes;
  const bool within = GENERATE(true, false);
  ledger.FlipByte(1, end + FrameBytes(kMaxPayloadBytes) - (within ? 1 : 0));
  CHECK(RefusedAsDamaged(ledger.Open()) == !within);
}

TEST_CASE("the file truncated at any byte is refused") {
  FileLedger ledger;
  ledger.options().segment_bytes = 4 * kKiB;
  ledger.Start();
  ledger.Write(3);
  ledger.Write(10);
  SECTION("sealed") { ledger.Stop(); }
  SECTION("not sealed") { ledger.Kill(); }
  const auto snapshot = ledger.Snapshot();
  for (uint64_t size = 0; size < 4 * kKiB; ++size) {
    INFO("cut to " << size);
    ledger.Restore(snapshot);
    ledger.Truncate(1, size);
    REQUIRE(RefusedAsDamaged(ledger.Open()));
    ledger.Restore(snapshot);
    ledger.Truncate(2, size);
    REQUIRE(RefusedAsDamaged(ledger.Open()));
  }
}

TEST_CASE("a finished segment truncated at any byte is refused") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(kManyTransactions, kText);
  ledger.Kill();
  ledger.Start();
  ledger.Kill();
  const auto snapshot = ledger.Snapshot();
  const size_t whole = ledger.files().Contents(FileLedger::Path(1)).size();
  REQUIRE(whole < FileLedger::kSmallSegment);
  for (uint64_t size = 0; size < whole; ++size) {
    INFO("cut to " << size);
    ledger.Restore(snapshot);
    ledger.Truncate(1, size);
    REQUIRE(RefusedAsDamaged(ledger.Open()));
  }
}

TEST_CASE("a flipped bit in any byte that was written is refused") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Write(10);
  SECTION("sealed") { ledger.Stop(); }
  SECTION("not sealed") { ledger.Kill(); }
  const FrameHeader last = ledger.LastFrame();
  const auto snapshot = ledger.Snapshot();
  for (uint64_t at = 0; at < EndOf(last); ++at) {
    INFO("byte " << at);
    ledger.Restore(snapshot);
    ledger.FlipByte(1, at, static_cast<char>(1 << (at % 8)));
    REQUIRE(RefusedAsDamaged(ledger.Open()));
  }
}

TEST_CASE("a flipped bit where nothing was written is refused") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Kill();
  SECTION("in the spare") { ledger.FlipByte(2, 5000); }
  SECTION("in the header of the spare") { ledger.FlipByte(2, 300); }
  SECTION("far behind the end") {
    ledger.FlipByte(1, FileLedger::kSmallSegment - 1);
    // A frame of which only the last sector was written looks the same.
    REQUIRE(ledger.Open() == absl::OkStatus());
    REQUIRE(ledger.notices().size() == 1);
    ledger.CheckReplay();
    return;
  }
  CHECK(RefusedAsDamaged(ledger.Open()));
}

// Several segments with frames, and a spare; the id of the last one with frames.
uint64_t WriteSegments(FileLedger& ledger) {
  ledger.Start();
  for (int i = 0; i < 20; ++i) ledger.Write(5, std::string(100, 'x'));
  ledger.Stop();
  const auto report = InspectLog("/log", nullptr, ledger.files());
  REQUIRE(report.ok());
  const uint64_t last = report->scan.segments.back().header.segment_id;
  REQUIRE(last > 2);
  REQUIRE(ledger.files().Exists(FileLedger::Path(last + 1)));
  return last;
}

TEST_CASE("a missing segment is refused, whichever it is") {
  FileLedger ledger;
  const uint64_t last = WriteSegments(ledger);
  const auto snapshot = ledger.Snapshot();
  for (uint64_t id = 1; id <= last; ++id) {
    INFO("segment " << id);
    ledger.Restore(snapshot);
    ledger.files().Delete(FileLedger::Path(id));
    const absl::Status status = ledger.Open();
    REQUIRE(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::Path(id));
  }
}

TEST_CASE("a log that lost all segments from one on is refused") {
  FileLedger ledger;
  const uint64_t last = WriteSegments(ledger);
  const auto snapshot = ledger.Snapshot();
  // The one after the last is the spare that has to exist.
  for (uint64_t first = 2; first <= last + 1; ++first) {
    INFO("from segment " << first);
    ledger.Restore(snapshot);
    for (uint64_t id = first; id <= last + 2; ++id) ledger.files().Delete(FileLedger::Path(id));
    const absl::Status status = ledger.Open();
    REQUIRE(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::Path(first));
  }
}

TEST_CASE("a segment under the name of another is refused") {
  FileLedger ledger;
  WriteSegments(ledger);
  ledger.files().SetContents(FileLedger::Path(2), ledger.files().Contents(FileLedger::Path(3)));
  const absl::Status status = ledger.Open();
  REQUIRE(RefusedAsDamaged(status));
  CHECK_THAT(std::string(status.message()), ContainsText("this is segment 3"));
}

TEST_CASE("a segment of another log is refused") {
  FileLedger ledger;
  WriteSegments(ledger);
  FileLedger other;
  other.options().new_log_id = "another log's id";
  WriteSegments(other);
  ledger.files().SetContents(FileLedger::Path(2), other.files().Contents(FileLedger::Path(2)));
  const absl::Status status = ledger.Open();
  REQUIRE(RefusedAsDamaged(status));
  CHECK_THAT(std::string(status.message()), ContainsText("belongs to log"));
}

TEST_CASE("an older copy of a segment is refused") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(5, std::string(100, 'x'));
  const std::string old = ledger.files().Contents(FileLedger::Path(1));
  for (int i = 0; i < 10; ++i) ledger.Write(5, std::string(100, 'x'));
  ledger.Stop();
  ledger.files().SetContents(FileLedger::Path(1), old);
  CHECK(RefusedAsDamaged(ledger.Open()));
}

TEST_CASE("a spare in the place of a segment is refused") {
  FileLedger ledger;
  WriteSegments(ledger);
  SegmentHeader header;
  header.state = SegmentState::kSpare;
  header.log_id = "0123456789abcdef";
  header.segment_id = 2;
  header.segment_bytes = FileLedger::kSmallSegment;
  std::string bytes = EncodeSegmentHeader(header);
  bytes.resize(FileLedger::kSmallSegment);
  ledger.files().SetContents(FileLedger::Path(2), bytes);
  CHECK(RefusedAsDamaged(ledger.Open()));
}

TEST_CASE("a segment of a newer version is refused as such, unless it says that this one can read it") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Kill();
  const bool readable = GENERATE(true, false);
  ledger.Change(2, [readable](std::string& bytes) {
    SegmentHeader header;
    REQUIRE(DecodeSegmentHeader(bytes, &header).empty());
    header.format_version = kFormatVersion + 1;
    header.min_reader_version = readable ? kFormatVersion : kFormatVersion + 1;
    bytes.replace(0, kSegmentHeaderBytes, EncodeSegmentHeader(header));
  });
  const absl::Status status = ledger.Open();
  CHECK(status.ok() == readable);
  if (readable) return;
  CHECK(Is(status, errors::kUnsupportedLogVersion));
  CHECK_THAT(std::string(status.message()), ContainsText("format version 2"));
}

TEST_CASE("a directory with nothing but a half-made first segment starts a new log") {
  FileLedger ledger;
  ledger.files().SetContents("/log/0000000001.log.tmp", "KVSL");
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK_FALSE(ledger.files().Exists("/log/0000000001.log.tmp"));
  CHECK(ledger.log().position().durable_revision == 0);
}

TEST_CASE("a half-made later segment is removed") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Stop();
  ledger.files().SetContents("/log/0000000009.log.tmp", "KVSL");
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK_FALSE(ledger.files().Exists("/log/0000000009.log.tmp"));
  ledger.CheckReplay();
}

TEST_CASE("what a failed sync left in the cache alone is on the disk after the next start") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  // The frame reaches the page cache, the sync fails and loses track of it, the process ends.
  ledger.files().SetFaults([](FileOperation operation, const std::string&) -> std::optional<Fault> {
    if (operation != FileOperation::kSync) return std::nullopt;
    return Fault{absl::InternalError("I/O error")};
  });
  CHECK(Is(ledger.Append(MakeFrame(2, 3)), errors::kLogFailed));
  ledger.files().SetFaults(nullptr);
  ledger.Kill();
  // The next process finds it, and from then on it stays.
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.log().position().durable_revision == 4);
  ledger.Kill();
  std::mt19937 random(1);
  ledger.files().PowerCut(random, MemoryFileSystem::Unsynced::kLost);
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.log().position().durable_revision == 4);
}

TEST_CASE("a segment that was found is not appended to") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Stop();
  const std::string before = ledger.files().Contents(FileLedger::Path(1));
  ledger.Start();
  ledger.Write(1);
  ledger.Kill();
  const std::string after = ledger.files().Contents(FileLedger::Path(1));
  CHECK(after == before.substr(0, after.size()));
  CHECK(after.size() < before.size());
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckReplay();
}

TEST_CASE("opening without writing leaves nothing behind, however often") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Stop();
  for (int i = 0; i < 5; ++i) {
    REQUIRE(ledger.Open() == absl::OkStatus());
    ledger.Stop();
  }
  const auto report = InspectLog("/log", nullptr, ledger.files());
  REQUIRE(report.ok());
  CHECK(report->scan.segments.size() == 1);
}

TEST_CASE("many starts use little space") {
  FileLedger ledger;
  for (int i = 0; i < 20; ++i) {
    ledger.Start();
    ledger.Write(1);
    ledger.Stop();
  }
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckReplay();
  CHECK(ledger.log().position().epoch == 20);
  // A header, an epoch, a frame and a seal a start, the newest segment and the spares.
  CHECK(ledger.log().size_bytes() <= 20 * 4 * kSectorBytes + 3 * FileLedger::kSmallSegment);
}

// What the log holds must begin with `acknowledged`, and hold of what was not acknowledged whole groups only.
std::string CheckAfterCut(FileLedger& ledger, const std::string& acknowledged) {
  const absl::Status opened = ledger.Open();
  REQUIRE(opened == absl::OkStatus());
  const auto found = ReadAll(ledger.log());
  REQUIRE(found.status() == absl::OkStatus());
  REQUIRE(found->bytes.substr(0, acknowledged.size()) == acknowledged);
  if (found->count > 0) REQUIRE(CheckFrame(found->frame()) == absl::OkStatus());
  return found->bytes;
}

// Appends until something fails, and returns what was acknowledged.
std::string AppendUntilFailure(TxnLog& log, std::mt19937& random) {
  std::string acknowledged;
  const auto epoch = log.BeginEpoch("writer");
  if (!epoch.ok()) return acknowledged;
  while (true) {
    const uint64_t next = log.position().durable_revision + 1;
    const SampleFrame frame = random() % 3 == 0 ? MakeBatchFrame(next, 1 + random() % 40)
                                                : MakeFrame(next, 1 + random() % 10, std::string(random() % 300, 'x'));
    if (!log.Append(*epoch, {frame.frame()}).ok()) return acknowledged;
    acknowledged += frame.bytes;
    if (random() % 4 == 0 && !log.Idle().ok()) return acknowledged;
  }
}

TEST_CASE("after a power cut at any time every acknowledged group is there and no part of another") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  FileLedger ledger;
  std::string acknowledged;
  for (int round = 0; round < 150; ++round) {
    INFO("round " << round);
    acknowledged = CheckAfterCut(ledger, acknowledged);
    // The power fails before some operation on the disk: it and all later ones fail.
    auto left = std::make_shared<int>(static_cast<int>(random() % 60));
    const size_t written = random() % 6 * kSectorBytes;
    ledger.files().SetFaults([left, written](FileOperation operation, const std::string&) -> std::optional<Fault> {
      if (operation == FileOperation::kRead || (*left)-- > 0) return std::nullopt;
      return Fault{absl::InternalError("power cut"), written};
    });
    acknowledged += AppendUntilFailure(ledger.log(), random);
    ledger.Kill();
    ledger.files().SetFaults(nullptr);
    if (random() % 4 != 0) ledger.files().PowerCut(random);
  }
}

// Appends frames by turns large and small, of which sync number `at` fails, and returns what was acknowledged. False in
// `failed` if there were fewer syncs.
std::string AppendWithFailedSync(FileLedger& ledger, int at, int frames, bool* failed) {
  FaultInjection faults(ledger.files(), at, FaultInjection::Extent::kOne, Fault{absl::InternalError("I/O error")},
                        [](FileOperation operation, const std::string&) { return operation == FileOperation::kSync; });
  std::string acknowledged;
  for (int i = 0; i < frames; ++i) {
    const std::string text(i % 2 == 0 ? 2000 : 10, 'x');
    const SampleFrame frame = MakeFrame(ledger.log().position().durable_revision + 1, 1, text);
    if (ledger.Append(frame).ok()) acknowledged += frame.bytes;
  }
  *failed = faults.End();
  return acknowledged;
}

TEST_CASE("what a failed sync has lost track of is never acknowledged, whatever succeeds afterwards") {
  using Unsynced = MemoryFileSystem::Unsynced;
  const auto cut = GENERATE(std::optional<Unsynced>(), std::optional(Unsynced::kLost), std::optional(Unsynced::kKept));
  INFO("unsynced sectors: " << (cut ? static_cast<int>(*cut) : -1));
  for (int frames = 1; frames <= 8; ++frames) {
    bool failed = true;
    for (int at = 0; failed; ++at) {
      INFO("of " << frames << " frames, sync number " << at << " fails");
      FileLedger ledger;
      ledger.Start();
      const std::string acknowledged = AppendWithFailedSync(ledger, at, frames, &failed);
      ledger.Kill();
      std::mt19937 random;
      if (cut) ledger.files().PowerCut(random, *cut);
      CheckAfterCut(ledger, acknowledged);
    }
  }
}

}  // namespace
}  // namespace kvs::txn
