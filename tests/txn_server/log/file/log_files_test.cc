#include "txn_server/log/file/log_files.h"

#include "common/errors.h"
#include "tests/support/compacting_ledger.h"

namespace kvs::txn {
namespace {

constexpr uint64_t kEpochFrame = 512;
using Paths = std::vector<std::string>;

// The files of a closed ledger of five segments or more, without snapshots.
class SampleLog {
 public:
  SampleLog() : files_(MakeLedger(), scan_) {}

  LogFiles& files() { return files_; }
  const LogScan& scan() const { return scan_; }
  const std::string& written() const { return ledger_.written(); }

  // Where a segment ends.
  LogPoint EndOf(size_t index) const {
    const SegmentSummary& next = scan_.segments.at(index + 1);
    return {scan_.segments[index].header.segment_id,
            next.header.predecessor_bytes,
            next.header.last_revision,
            next.header.epoch,
            next.header.writer_id,
            next.header.predecessor_crc32c};
  }
  uint64_t FrameBytesOf(size_t begin, size_t end) const {
    uint64_t bytes = 0;
    for (size_t i = begin; i < end; ++i) bytes += scan_.segments[i].valid_bytes - kSegmentHeaderBytes;
    return bytes;
  }
  void Add(uint64_t id, const LogPoint& point) {
    SnapshotSummary snapshot{FileLedger::SnapshotPath(id), {}};
    snapshot.header.snapshot_id = id;
    snapshot.header.point = point;
    snapshot.header.file_bytes = 10 * id;
    snapshot.header.raw_bytes = 1000 * id;
    files_.AddSnapshot(snapshot);
  }

 private:
  FileSystem& MakeLedger() {
    ledger_.compaction().min_bytes = 100 * kMiB;
    ledger_.Start();
    while (ledger_.Listing().segment_ids.size() < 7) ledger_.Write(3, std::string(500, 'x'));
    ledger_.Stop();
    REQUIRE(ScanLog(ledger_.files(), "/log", {}, &scan_) == absl::OkStatus());
    REQUIRE(scan_.segments.size() >= 5);
    return ledger_.files();
  }

  CompactingLedger ledger_;
  LogScan scan_;
  LogFiles files_;
};

TEST_CASE("the files of a log are what a scan found") {
  SampleLog sample;
  const LogPosition position = sample.files().position();
  CHECK(position.log_id == "0123456789abcdef");
  CHECK(position.epoch == 1);
  CHECK(position.writer_id == "writer");
  CHECK(position.durable_revision == sample.scan().tip.last_revision);
  CHECK(position.compacted_revision == 0);
  CHECK(position.snapshot_revision == 0);
  uint64_t bytes = 0;
  for (const SegmentSummary& segment : sample.scan().segments) bytes += segment.file_bytes;
  CHECK(sample.files().size_bytes() == bytes);
  CHECK(sample.files().newest().path == sample.scan().segments.back().path);
  CHECK(sample.files().newest().valid_bytes == sample.scan().segments.back().valid_bytes);
  CHECK(sample.files().obsolete().empty());
}

TEST_CASE("growth is counted in frames since the snapshots, and in whole files that can go") {
  SampleLog sample;
  const size_t count = sample.scan().segments.size();
  const uint64_t all = sample.FrameBytesOf(0, count);
  uint64_t finished = 0;
  for (size_t i = 0; i + 1 < count; ++i) finished += sample.scan().segments[i].file_bytes;
  LogFiles::Growth growth = sample.files().growth();
  CHECK(growth.state_bytes == 0);
  CHECK(growth.since_newest_bytes == all);
  CHECK(growth.since_oldest_bytes == all);
  CHECK(growth.finished_bytes == finished);
  sample.Add(1, sample.EndOf(0));
  growth = sample.files().growth();
  CHECK(growth.state_bytes == 1000);
  CHECK(growth.since_newest_bytes == sample.FrameBytesOf(1, count));
  CHECK(growth.since_oldest_bytes == all);
  LogPoint inside = sample.EndOf(2);
  inside.offset -= kEpochFrame;
  sample.Add(2, inside);
  growth = sample.files().growth();
  CHECK(growth.state_bytes == 2000);
  CHECK(growth.since_newest_bytes == sample.FrameBytesOf(3, count) + kEpochFrame);
  CHECK(growth.since_oldest_bytes == sample.FrameBytesOf(1, count));
  CHECK(growth.finished_bytes == finished);
}

TEST_CASE("what is appended is in the newest segment, and the next one begins where it ended") {
  SampleLog sample;
  LogPoint end = sample.scan().end();
  const uint64_t before = sample.files().growth().since_newest_bytes;
  end.offset += 1024;
  end.revision += 5;
  end.epoch = 2;
  sample.files().Extend(end);
  CHECK(sample.files().position().durable_revision == end.revision);
  CHECK(sample.files().position().epoch == 2);
  CHECK(sample.files().newest().valid_bytes == end.offset);
  CHECK(sample.files().growth().since_newest_bytes == before + 1024);
  const uint64_t size = sample.files().size_bytes();
  const uint64_t file_bytes = sample.files().newest().file_bytes;
  sample.files().SetNewestFileBytes(end.offset);
  CHECK(sample.files().size_bytes() == size - file_bytes + end.offset);
  LogPoint next{end.segment_id + 1, kSegmentHeaderBytes, end.revision, end.epoch, end.writer_id, 77};
  sample.files().BeginSegment("/log/next", next, 4096);
  CHECK(sample.files().newest().path == "/log/next");
  CHECK(sample.files().growth().since_newest_bytes == before + 1024);
  const auto fold = sample.files().BeginFold();
  REQUIRE(fold.ok());
  CHECK(fold->end == next);
}

TEST_CASE("a replay is of what is there") {
  SampleLog sample;
  const uint64_t last = sample.files().position().durable_revision;
  CHECK(absl::IsOutOfRange(sample.files().Replay(0).status()));
  CHECK(absl::IsOutOfRange(sample.files().Replay(last + 2).status()));
  CHECK(sample.files().Replay(last + 1).ok());
  sample.Add(1, sample.EndOf(1));
  sample.Add(2, sample.EndOf(3));
  sample.files().DropSegments();
  const uint64_t compacted = sample.EndOf(0).revision;
  CHECK(sample.files().position().compacted_revision == compacted);
  CHECK(Is(sample.files().Replay(compacted).status(), errors::kCompacted));
  const auto cursor = sample.files().Replay(compacted + 1);
  REQUIRE(cursor.ok());
  std::string read;
  while (true) {
    const auto frame = (*cursor)->Next();
    REQUIRE(frame.status() == absl::OkStatus());
    if (!*frame) break;
    read += std::string((*frame)->transactions);
  }
  CHECK_FALSE(read.empty());
  CHECK(absl::EndsWith(sample.written(), read));
}

TEST_CASE("the fold begins with the newest snapshot and goes to the end") {
  SampleLog sample;
  auto fold = sample.files().BeginFold();
  REQUIRE(fold.ok());
  CHECK_FALSE(fold->snapshot);
  CHECK(fold->end == sample.scan().end());
  sample.Add(1, sample.EndOf(0));
  sample.Add(2, sample.EndOf(2));
  fold = sample.files().BeginFold();
  REQUIRE(fold.ok());
  CHECK(fold->snapshot->path == FileLedger::SnapshotPath(2));
  const auto frame = fold->log->Next();
  REQUIRE(frame.status() == absl::OkStatus());
  CHECK((*frame)->first_revision == sample.EndOf(2).revision + 1);
}

TEST_CASE("segments are dropped when two snapshots stand for them, and are removed in order") {
  SampleLog sample;
  sample.files().DropSegments();
  sample.Add(1, sample.EndOf(1));
  sample.files().DropSegments();
  CHECK(sample.files().obsolete().empty());
  sample.Add(2, sample.EndOf(2));
  sample.files().DropSegments();
  CHECK(sample.files().obsolete() == Paths{FileLedger::Path(1)});
  sample.Add(3, sample.EndOf(3));
  sample.files().DropSegments();
  const Paths all = {FileLedger::Path(1), FileLedger::SnapshotPath(1), FileLedger::Path(2)};
  CHECK(sample.files().obsolete() == all);
  // What is not removed goes first the next time.
  sample.files().Removed(FileLedger::Path(1));
  CHECK(sample.files().obsolete() == Paths{all[1], all[2]});
  sample.Add(4, sample.EndOf(3));
  sample.files().DropSegments();
  CHECK(sample.files().obsolete() == Paths{all[1], all[2], FileLedger::SnapshotPath(2), FileLedger::Path(3)});
}

TEST_CASE("what is before a snapshot is dropped for it alone as long as it is the newest") {
  SampleLog sample;
  sample.Add(1, sample.EndOf(1));
  sample.Add(2, sample.EndOf(2));
  const auto second = sample.files().newest_with_fallback();
  REQUIRE(second.has_value());
  sample.Add(3, sample.EndOf(2));
  CHECK_FALSE(sample.files().DropAllBefore(*second));
  CHECK(sample.files().obsolete() == Paths{FileLedger::SnapshotPath(1)});
  CHECK(sample.files().DropAllBefore(*sample.files().newest_snapshot()));
  CHECK(sample.files().obsolete() ==
        Paths{FileLedger::SnapshotPath(1), FileLedger::SnapshotPath(2), FileLedger::Path(1), FileLedger::Path(2)});
  CHECK_FALSE(sample.files().newest_with_fallback().has_value());
}

TEST_CASE("a snapshot is passed over once, and not the last one of a log that has lost its beginning") {
  SampleLog sample;
  const absl::Status damage = absl::DataLossError("bad block");
  sample.Add(1, sample.EndOf(1));
  sample.Add(2, sample.EndOf(2));
  std::vector<std::string> notices;
  const auto pass_over = [&](uint64_t id) {
    return sample.files().PassOver(FileLedger::SnapshotPath(id), damage,
                                   [&notices](const std::string& notice) { notices.push_back(notice); });
  };
  CHECK(pass_over(2));
  CHECK(notices.back() == "bad block; going on without it, from /log/0000000001.snap. Look at the disk");
  CHECK(pass_over(2));
  CHECK(notices.size() == 1);
  CHECK(sample.files().obsolete() == Paths{FileLedger::SnapshotPath(2)});
  CHECK(pass_over(1));
  CHECK(notices.back() == "bad block; going on without it, from the beginning of the log. Look at the disk");
  sample.Add(3, sample.EndOf(2));
  CHECK(sample.files().DropAllBefore(*sample.files().newest_snapshot()));
  CHECK_FALSE(pass_over(3));
  CHECK(notices.size() == 2);
}

TEST_CASE("a segment stays as long as one is being read that is not younger") {
  SampleLog sample;
  auto old = sample.files().Replay(1);
  REQUIRE(old.ok());
  auto young = sample.files().Replay(sample.EndOf(1).revision + 1);
  REQUIRE(young.ok());
  for (uint64_t id = 1; id <= 3; ++id) sample.Add(id, sample.EndOf(3));
  sample.files().DropSegments();
  CHECK(sample.files().obsolete() == Paths{FileLedger::SnapshotPath(1)});
  old->reset();
  sample.files().DropSegments();
  CHECK(sample.files().obsolete() == Paths{FileLedger::SnapshotPath(1), FileLedger::Path(1), FileLedger::Path(2)});
  young->reset();
  sample.files().DropSegments();
  CHECK(sample.files().obsolete().back() == FileLedger::Path(3));
}

TEST_CASE("a damaged snapshot goes when there is another one, with the first removal") {
  CompactingLedger ledger;
  ledger.Start();
  ledger.MakeSnapshot();
  ledger.Stop();
  LogScan scan;
  REQUIRE(ScanLog(ledger.files(), "/log", {}, &scan) == absl::OkStatus());
  scan.damaged_snapshots.push_back({"/log/damaged.snap", absl::DataLossError("damaged")});
  CHECK(LogFiles(ledger.files(), scan).obsolete() == Paths{"/log/damaged.snap"});
}

TEST_CASE("nothing is read any more of a log that has failed") {
  SampleLog sample;
  CHECK(sample.files().failure().ok());
  sample.files().Fail(Error(errors::kLogFailed, "the disk is gone"));
  for (const absl::Status& status : {sample.files().failure(), sample.files().Replay(1).status(),
                                     sample.files().ReplayState().status(), sample.files().BeginFold().status()}) {
    CHECK(Is(status, errors::kLogFailed));
  }
}

}  // namespace
}  // namespace kvs::txn
