#include "txn_server/log/file/log_inspector.h"

#include <atomic>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/compacting_ledger.h"
#include "tests/support/file_ledger.h"
#include "tests/support/temp_dir.h"

namespace kvs::txn {
namespace {

LogReport Inspect(FileLedger& ledger, const FrameVisitor& visit = nullptr) {
  auto report = InspectLog("/log", visit, ledger.files());
  REQUIRE(report.status() == absl::OkStatus());
  return *std::move(report);
}

TEST_CASE("a report tells segments, frames, revisions, the epoch and the seal") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Write(2);
  ledger.Stop();
  const LogReport report = Inspect(ledger);
  CHECK(report.verdict == absl::OkStatus());
  CHECK_FALSE(report.live);
  CHECK(report.scan.log_id == "0123456789abcdef");
  REQUIRE(report.scan.segments.size() == 1);
  CHECK(report.scan.segments[0].frames == 4);  // an epoch, two groups, a seal
  CHECK(report.scan.segments[0].path == FileLedger::Path(1));
  CHECK(report.scan.transaction_frames == 2);
  CHECK(report.scan.spares.size() == 1);
  CHECK(report.scan.tip.last_revision == 5);
  CHECK(report.scan.tip.epoch == 1);
  CHECK(report.scan.tip.writer_id == "writer");
  CHECK(report.scan.is_sealed);
}

TEST_CASE("the file that is damaged is named, and not the one behind it") {
  FileLedger ledger;
  ledger.Start();
  while (!ledger.files().Exists(FileLedger::Path(4))) ledger.Write(1, std::string(600, 'x'));
  ledger.Stop();
  const uint64_t newest = Inspect(ledger).scan.segments.back().header.segment_id;
  const auto check = [&](uint64_t segment, uint64_t bytes, const std::string& what) {
    const auto whole = ledger.Snapshot();
    ledger.Truncate(segment, bytes);
    INFO("segment " << segment << " of " << bytes << " bytes");
    const auto damage = Inspect(ledger).scan.damage;
    REQUIRE(damage.has_value());
    CHECK(damage->path == FileLedger::Path(segment));
    CHECK_THAT(damage->what, ContainsText(what));
    ledger.Restore(whole);
  };
  check(newest, 512, "the file was cut off: it has 512 bytes and should have 8192");
  check(newest, 1536, "the file was cut off: it has 1536 bytes and should have 8192");
  check(newest, 0, "the file ends inside its header");
  check(newest, 100, "the file ends inside its header");
  check(newest + 1, 0, "the file ends inside its header");
  check(1, 0, "the file ends inside its header");
}

TEST_CASE("a closed log of which all frames were compacted away is sealed") {
  FileLedger ledger;
  ledger.options().compaction.retention = Retention::kOnDelete;
  ledger.options().compaction.min_bytes = 4 * kKiB;
  ledger.options().compaction.percent = 10;
  ledger.Start();
  LogReport report;
  do {
    ledger.Write(1, std::string(6000, 'x'));
    REQUIRE(ledger.log().Idle() == absl::OkStatus());
    ledger.AwaitCompactions(1);
    ledger.Stop();
    report = Inspect(ledger);
    ledger.Start();
  } while (report.scan.last_frame);
  CHECK(report.verdict == absl::OkStatus());
  CHECK(report.scan.is_sealed);
}

TEST_CASE("every frame is visited, with its file and offset") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Stop();
  std::vector<std::string> seen;
  Inspect(ledger, [&](const SegmentSummary& segment, const StoredFrame& frame) {
    seen.push_back(absl::StrCat(segment.path, "+", frame.header.offset, " ", static_cast<int>(frame.header.kind), " ",
                                frame.header.first_revision, " ", frame.header.count, " ", frame.payload.size()));
  });
  const std::string file = "/log/0000000001.log";
  CHECK(seen == std::vector<std::string>{file + "+512 2 1 0 6",
                                         file + "+1024 1 1 3 " + std::to_string(ledger.written().size()),
                                         file + "+1536 3 4 0 0"});
}

TEST_CASE("a torn tail is told and not called damage, and nothing is changed") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Write(20, std::string(60, 'x'));
  ledger.Kill();
  const FrameHeader last = ledger.LastFrame();
  ledger.Zero(1, last.offset + 512, last.offset + 1024);
  const auto before = ledger.Snapshot();
  ledger.files().TakeTrace();
  const LogReport report = Inspect(ledger);
  CHECK(report.verdict == absl::OkStatus());
  REQUIRE(report.scan.torn.has_value());
  CHECK(report.scan.torn->path == FileLedger::Path(1));
  CHECK(report.scan.torn->offset == last.offset);
  CHECK(report.scan.torn->first_revision == 2);
  CHECK(report.scan.torn->count == 20);
  CHECK(ledger.files().TakeTrace().empty());
  CHECK(ledger.Snapshot() == before);
}

TEST_CASE("damage is told with what comes before and the next frame behind it") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Write(5);
  const FrameHeader damaged = ledger.LastFrame();
  ledger.Write(2);
  ledger.Kill();
  ledger.FlipByte(1, damaged.offset + 100);
  const LogReport report = Inspect(ledger);
  CHECK(RefusedAsDamaged(report.verdict));
  REQUIRE(report.scan.damage.has_value());
  CHECK(report.scan.damage->path == FileLedger::Path(1));
  CHECK(report.scan.damage->offset == damaged.offset);
  CHECK(report.scan.damage->last_revision == 1);
  CHECK(report.scan.tip.last_revision == 1);
  REQUIRE(report.next_after_damage.has_value());
  CHECK(report.next_after_damage->first_revision == 7);
  CHECK(report.next_after_damage->count == 2);
}

TEST_CASE("transactions that are not what their frame says are damage") {
  FileLedger ledger;
  ledger.Start();
  SampleFrame wrong = MakeFrame(7, 1);
  wrong.first_revision = 1;
  REQUIRE(ledger.Append(wrong) == absl::OkStatus());
  ledger.Kill();
  const LogReport report = Inspect(ledger);
  CHECK(RefusedAsDamaged(report.verdict));
  CHECK_THAT(report.scan.damage->what, ContainsText("revision 7 where 1 belongs"));
}

TEST_CASE("a newer version is told as such") {
  FileLedger ledger;
  ledger.Start();
  ledger.Kill();
  ledger.Change(1, [](std::string& bytes) {
    SegmentHeader header;
    REQUIRE(DecodeSegmentHeader(bytes, &header).empty());
    header.format_version = header.min_reader_version = kFormatVersion + 1;
    bytes.replace(0, kSegmentHeaderBytes, EncodeSegmentHeader(header));
  });
  CHECK(Is(Inspect(ledger).verdict, errors::kUnsupportedLogVersion));
}

TEST_CASE("frames of an unknown kind are skipped in a newer segment that this version may read") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(2);
  ledger.Kill();
  const bool newer = GENERATE(true, false);
  ledger.Change(1, [newer](std::string& bytes) {
    SegmentHeader segment;
    REQUIRE(DecodeSegmentHeader(bytes, &segment).empty());
    segment.format_version = newer ? kFormatVersion + 1 : kFormatVersion;
    bytes.replace(0, kSegmentHeaderBytes, EncodeSegmentHeader(segment));
    // The epoch frame and the transactions have to continue the changed header.
    FrameHeader epoch;
    REQUIRE(DecodeFrameHeader(bytes.substr(512), &epoch).empty());
    epoch.previous_crc32c = SegmentHeaderCrc(bytes);
    bytes.replace(512, kFrameHeaderBytes, EncodeFrameHeader(epoch));
    FrameHeader transactions;
    REQUIRE(DecodeFrameHeader(bytes.substr(1024), &transactions).empty());
    transactions.previous_crc32c = FrameHeaderCrc(bytes.substr(512));
    bytes.replace(1024, kFrameHeaderBytes, EncodeFrameHeader(transactions));
    FrameHeader unknown = transactions;
    unknown.kind = static_cast<FrameKind>(99);
    unknown.offset = 1536;
    unknown.first_revision = 3;
    unknown.count = 0;
    unknown.previous_crc32c = FrameHeaderCrc(bytes.substr(1024));
    bytes.replace(1536, 512, bytes.substr(1024, 512));
    bytes.replace(1536, kFrameHeaderBytes, EncodeFrameHeader(unknown));
  });
  const LogReport report = Inspect(ledger);
  CHECK(report.verdict.ok() == newer);
  if (!newer) CHECK_THAT(report.scan.damage->what, ContainsText("unknown kind 99"));
  CHECK(report.scan.tip.last_revision == 2);
}

TEST_CASE("a directory without a ledger is told as such") {
  TempDir temp;
  CHECK(Is(InspectLog(temp / "none").status(), errors::kUnusableDirectory));
  CHECK(Is(InspectLog(temp.path()).status(), errors::kUnusableDirectory));
}

TEST_CASE("the ledger of a running server can be inspected at any time") {
  TempDir temp;
  FileTxnLogOptions options;
  options.directory = temp / "log";
  options.segment_bytes = 16 * kKiB;
  auto log = OpenFileTxnLog(options);
  REQUIRE(log.ok());
  REQUIRE((*log)->BeginEpoch("w").ok());
  std::atomic<bool> done = false;
  std::atomic<bool> failed = false;
  std::atomic<uint64_t> last = 0;
  std::thread writer([&] {
    while (!done && !failed) {
      // No further ahead than some segments, or a log that grows faster than it is read is never read to its end.
      if ((*log)->position().durable_revision > last + 5000) {
        std::this_thread::yield();
        continue;
      }
      const SampleFrame frame = MakeFrame((*log)->position().durable_revision + 1, 20, std::string(100, 'x'));
      if (!(*log)->Append(1, {frame.frame()}).ok()) failed = true;
    }
  });
  absl::Status bad;
  // Until the writer got somewhere, at least.
  for (int i = 0; (i < 25 || last == 0) && bad.ok() && !failed; ++i) {
    const uint64_t durable = (*log)->position().durable_revision;
    const auto report = InspectLog(temp / "log");
    if (!report.ok()) bad = report.status();
    if (!bad.ok()) break;
    bad = report->verdict;
    if (report->scan.tip.last_revision < durable) bad = absl::InternalError("durable transactions were not seen");
    last = report->scan.tip.last_revision;
  }
  done = true;
  writer.join();
  CHECK(bad == absl::OkStatus());
  CHECK_FALSE(failed);
  CHECK(last > 0);
}

TEST_CASE("the ledger of a running server can be inspected while it is compacted") {
  CompactingLedger ledger;
  ledger.compaction().min_bytes = 16 * kKiB;
  ledger.compaction().percent = 10;
  ledger.Start();
  std::atomic<bool> done = false;
  std::atomic<uint64_t> inspections = 0;
  absl::Status bad;
  std::thread inspector([&] {
    for (; !done; ++inspections) {
      const auto report = InspectLog("/log", nullptr, ledger.files());
      absl::Status status = report.ok() ? report->verdict : report.status();
      if (status.ok() && !report->scan.damaged_snapshots.empty()) status = report->scan.damaged_snapshots[0].status;
      if (!status.ok()) bad = status;
    }
  });
  // Until files have gone many times while somebody was reading them.
  for (int i = 0; i < 30 || inspections < 30; ++i) ledger.MakeSnapshot();
  done = true;
  inspector.join();
  CHECK(bad == absl::OkStatus());
  CHECK(ledger.Listing().segment_ids.front() > 30);
}

TEST_CASE("damage in the ledger of a running server is told, a frame that is being written is not") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(1);
  ledger.Write(20, std::string(60, 'x'));
  const FrameHeader last = ledger.LastFrame();
  SECTION("the last frame") {
    ledger.Zero(1, last.offset + 512, last.offset + 1024);
    const LogReport report = Inspect(ledger);
    CHECK(report.live);
    CHECK(report.verdict == absl::OkStatus());
    CHECK_FALSE(report.scan.torn.has_value());
    CHECK(report.scan.tip.last_revision == 1);
  }
  SECTION("an earlier frame") {
    ledger.FlipByte(1, last.offset - 300);
    CHECK(RefusedAsDamaged(Inspect(ledger).verdict));
  }
}

}  // namespace
}  // namespace kvs::txn
