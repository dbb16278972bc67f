#include "txn_server/log/file/log_scan.h"

#include <absl/strings/escaping.h>

#include "tests/support/compacting_ledger.h"
#include "tests/support/snapshot_samples.h"
#include "txn_server/log/file/owned_file_system.h"

namespace kvs::txn {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

// A closed ledger with two snapshots of several blocks, and something behind each.
class Sample {
 public:
  explicit Sample(Retention retention = Retention::kOnDelete, const std::string& log_id = "0123456789abcdef")
      : ledger_(11, {60, 2500, 8, false}) {
    ledger_.options().new_log_id = log_id;
    ledger_.options().segment_bytes = 64 * kKiB;
    ledger_.compaction().min_bytes = kEnoughBytes;
    ledger_.compaction().retention = retention;
    ledger_.Start();
    for (int i = 0; i < 3; ++i) ledger_.MakeSnapshot();
    ledger_.Grow();
    ledger_.Stop();
    intact_ = ledger_.Snapshot();
    // Nothing happens by itself from here on.
    ledger_.compaction().min_bytes = 100 * kMiB;
    REQUIRE(ledger_.Listing().snapshot_ids == std::vector<uint64_t>{2, 3});
  }

  CompactingLedger& ledger() { return ledger_; }
  MemoryFileSystem& files() { return ledger_.files(); }
  std::string Bytes(uint64_t id) { return files().Contents(FileLedger::SnapshotPath(id)); }
  uint64_t Revision(uint64_t id) {
    return ReadSnapshotHeader(files(), FileLedger::SnapshotPath(id))->header.point.revision;
  }

  // Ways to damage a snapshot: its header, a byte of the header and of the contents of each block, and its end.
  std::vector<std::string> Damages(uint64_t id) {
    const std::string bytes = Bytes(id);
    std::vector<size_t> places = {0, 40, 511};
    const std::vector<size_t> offsets = BlockOffsets(bytes);
    REQUIRE(offsets.size() > 3);
    for (size_t i = 0; i + 1 < offsets.size(); ++i) {
      places.push_back(offsets[i] + 8);
      places.push_back((offsets[i] + offsets[i + 1]) / 2);
    }
    std::vector<std::string> damages;
    for (const size_t place : places) {
      damages.push_back(bytes);
      damages.back()[place] = static_cast<char>(damages.back()[place] ^ 4);
    }
    damages.push_back(bytes.substr(0, bytes.size() - 1));
    damages.push_back(bytes.substr(0, offsets[1]));
    damages.emplace_back();
    return damages;
  }

  // Makes one more snapshot.
  void Compact() {
    ledger_.Kill();
    ledger_.compaction().min_bytes = kEnoughBytes;
    ledger_.Start();
    if (ledger_.compactions() == 0) ledger_.MakeSnapshot();
  }

  void Restore() { ledger_.Restore(intact_); }
  void Damage(uint64_t id, const std::string& bytes) { files().SetContents(FileLedger::SnapshotPath(id), bytes); }

 private:
  static constexpr uint64_t kEnoughBytes = 500 * kKiB;

  CompactingLedger ledger_;
  Files intact_;
};

TEST_CASE("the progress of a scan counts the bytes of all frames and of all snapshots that it reads") {
  Sample sample;
  std::vector<uint64_t> told;
  uint64_t total = 0;
  ScanOptions options;
  options.check_all_snapshots = true;
  options.progress = [&](absl::string_view, uint64_t done, uint64_t of) {
    told.push_back(done);
    total = of;
  };
  LogScan scan;
  REQUIRE(ScanLog(sample.files(), "/log", options, &scan) == absl::OkStatus());
  uint64_t bytes = 0;
  for (const SnapshotSummary& snapshot : scan.snapshots) bytes += snapshot.header.file_bytes - kSnapshotHeaderBytes;
  for (const SegmentSummary& segment : scan.segments) bytes += segment.valid_bytes - kSegmentHeaderBytes;
  REQUIRE_FALSE(told.empty());
  CHECK(std::is_sorted(told.begin(), told.end()));
  CHECK(told.back() == bytes);
  CHECK(told.front() < bytes / 4);
  // Where the frames of the last segment end is found out by reading it.
  const uint64_t headers = scan.snapshots.size() * kSnapshotHeaderBytes + scan.segments.size() * kSegmentHeaderBytes;
  CHECK(total == bytes + headers + scan.segments.back().file_bytes - scan.segments.back().valid_bytes);
}

TEST_CASE("where the newest snapshot is damaged, in whatever block, the one before gives the same state, loudly") {
  Sample sample;
  const uint64_t older = sample.Revision(2);
  for (const std::string& damage : sample.Damages(3)) {
    sample.Restore();
    sample.Damage(3, damage);
    REQUIRE(sample.ledger().Open() == absl::OkStatus());
    const auto notices = sample.ledger().notices();
    REQUIRE(notices.size() == 1);
    CHECK_THAT(notices[0], ContainsText(FileLedger::SnapshotPath(3)));
    CHECK_THAT(notices[0], ContainsText("going on without it, from " + FileLedger::SnapshotPath(2)));
    CHECK(sample.ledger().log().position().snapshot_revision == older);
    sample.ledger().CheckState();
    sample.ledger().Kill();
  }
  // The next snapshot takes the place of the damaged one, whatever is damaged then.
  sample.Compact();
  CHECK(sample.ledger().Listing().snapshot_ids == std::vector<uint64_t>{2, 4});
  sample.ledger().Kill();
  sample.Damage(4, "nothing");
  REQUIRE(sample.ledger().Open() == absl::OkStatus());
  CHECK(sample.ledger().log().position().snapshot_revision == older);
  sample.ledger().CheckState();
}

TEST_CASE("where the older snapshot is damaged, that is told as far as it is seen, and changes nothing else") {
  Sample sample;
  const uint64_t newest = sample.Revision(3);
  for (const std::string& damage : sample.Damages(2)) {
    sample.Restore();
    sample.Damage(2, damage);
    REQUIRE(sample.ledger().Open() == absl::OkStatus());
    CHECK(sample.ledger().log().position().snapshot_revision == newest);
    sample.ledger().CheckState();
    sample.ledger().Kill();
    // Who looks at everything sees everything.
    const auto report = InspectLog("/log", nullptr, sample.files());
    REQUIRE(report.ok());
    CHECK(report->verdict.ok());
    REQUIRE(report->scan.damaged_snapshots.size() == 1);
    CHECK(report->scan.damaged_snapshots[0].path == FileLedger::SnapshotPath(2));
  }
}

TEST_CASE("where both snapshots are damaged the ledger is refused, and nothing is changed") {
  Sample sample;
  const auto newest = sample.Damages(3);
  const auto older = sample.Damages(2);
  for (size_t i = 0; i < std::max(newest.size(), older.size()); ++i) {
    sample.Restore();
    sample.Damage(3, newest[i % newest.size()]);
    sample.Damage(2, older[i % older.size()]);
    const Files before = sample.ledger().Snapshot();
    const absl::Status status = sample.ledger().Open();
    CHECK(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::SnapshotPath(3));
    const bool unchanged = sample.ledger().Snapshot() == before;
    CHECK(unchanged);
  }
}

TEST_CASE("where all of the history is there, the ledger needs no snapshot") {
  Sample sample(Retention::kFull);
  sample.Damage(3, sample.Damages(3)[5]);
  sample.Damage(2, sample.Damages(2)[0]);
  REQUIRE(sample.ledger().Open() == absl::OkStatus());
  CHECK(sample.ledger().notices().size() == 2);
  CHECK_THAT(sample.ledger().notices()[0], ContainsText("from the beginning of the log"));
  CHECK(sample.ledger().log().position().snapshot_revision == 0);
  sample.ledger().CheckState();
  sample.ledger().Kill();
  for (const uint64_t id : {2, 3}) sample.files().Delete(FileLedger::SnapshotPath(id));
  REQUIRE(sample.ledger().Open() == absl::OkStatus());
  CHECK(sample.ledger().notices().empty());
  sample.ledger().CheckState();
}

TEST_CASE("snapshots that are gone are missed where they are needed") {
  Sample sample;
  sample.files().Delete(FileLedger::SnapshotPath(3));
  REQUIRE(sample.ledger().Open() == absl::OkStatus());
  sample.ledger().CheckState();
  sample.ledger().Kill();
  sample.files().Delete(FileLedger::SnapshotPath(2));
  CHECK(RefusedAsDamaged(sample.ledger().Open()));
}

TEST_CASE("a snapshot of another ledger is refused, in whose place it may be") {
  const Retention retention = GENERATE(Retention::kOnDelete, Retention::kFull);
  Sample sample(retention);
  Sample other(retention, "another log's id");
  // The same history: only the id tells them apart.
  REQUIRE(sample.Revision(3) == other.Revision(3));
  for (const uint64_t id : {2, 3, 4}) {
    INFO("as " << id);
    sample.Restore();
    std::string bytes = other.Bytes(id == 2 ? 2 : 3);
    if (id == 4) {
      SnapshotHeader header;
      REQUIRE(DecodeSnapshotHeader(bytes, &header).empty());
      header.snapshot_id = 4;
      bytes.replace(0, kSnapshotHeaderBytes, EncodeSnapshotHeader(header));
    }
    sample.Damage(id, bytes);
    const Files before = sample.ledger().Snapshot();
    const absl::Status status = sample.ledger().Open();
    CHECK(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::SnapshotPath(id));
    CHECK_THAT(std::string(status.message()), ContainsText(absl::BytesToHexString("another log's id")));
    const bool unchanged = sample.ledger().Snapshot() == before;
    CHECK(unchanged);
  }
}

TEST_CASE("a snapshot of another ledger under another name is told as such") {
  Sample sample;
  Sample other(Retention::kOnDelete, "another log's id");
  sample.Damage(9, other.Bytes(3));
  REQUIRE(sample.ledger().Open() == absl::OkStatus());
  REQUIRE(sample.ledger().notices().size() == 1);
  CHECK_THAT(sample.ledger().notices()[0], ContainsText(FileLedger::SnapshotPath(9) + ": it is of another ledger"));
}

TEST_CASE("a snapshot under another name is not relied on") {
  Sample sample;
  sample.Damage(9, sample.Bytes(3));
  REQUIRE(sample.ledger().Open() == absl::OkStatus());
  REQUIRE(sample.ledger().notices().size() == 1);
  CHECK_THAT(sample.ledger().notices()[0], ContainsText(FileLedger::SnapshotPath(9) + " is snapshot 3"));
  sample.ledger().CheckState();
  // Its number is not given again.
  sample.Compact();
  CHECK(sample.ledger().Listing().snapshot_ids == std::vector<uint64_t>{3, 10});
}

TEST_CASE("a snapshot of what the log does not have, or has otherwise, is damage") {
  Sample sample;
  const std::string intact = sample.Bytes(3);
  const std::vector<std::function<void(LogPoint&)>> changes = {
      [](LogPoint& point) { point.offset += kSectorBytes; },
      [](LogPoint& point) { point.segment_id += 1000; },
      [](LogPoint& point) { ++point.revision; },
      [](LogPoint& point) { ++point.epoch; },
      [](LogPoint& point) { ++point.crc32c; },
      [](LogPoint& point) { point.writer_id = "another"; },
  };
  for (const auto& change : changes) {
    sample.Restore();
    SnapshotHeader header;
    REQUIRE(DecodeSnapshotHeader(intact, &header).empty());
    change(header.point);
    sample.Damage(3, EncodeSnapshotHeader(header) + intact.substr(kSnapshotHeaderBytes));
    const absl::Status status = sample.ledger().Open();
    CHECK(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::SnapshotPath(3));
  }
}

TEST_CASE("a segment that is missing is damage, whatever snapshots there are") {
  Sample sample;
  std::vector<uint64_t> ids = sample.ledger().Listing().segment_ids;
  REQUIRE(ids.size() > 4);
  ids.pop_back();  // a spare that was made ahead
  for (const uint64_t id : ids) {
    INFO("segment " << id);
    sample.Restore();
    sample.files().Delete(FileLedger::Path(id));
    const absl::Status status = sample.ledger().Open();
    CHECK(RefusedAsDamaged(status));
    CHECK(MetadataOf(status, "file") == FileLedger::Path(id));
  }
}

// Lists a directory without one of its names.
class ForgetfulFileSystem : public OwnedFileSystem {
 public:
  ForgetfulFileSystem(FileSystem& base, std::string forgotten)
      : OwnedFileSystem(base, nullptr), forgotten_(std::move(forgotten)) {}
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    auto names = OwnedFileSystem::List(directory);
    if (names.ok()) names->erase(std::remove(names->begin(), names->end(), forgotten_), names->end());
    return names;
  }

 private:
  const std::string forgotten_;
};

TEST_CASE("a live log is read whole though listing its directory misses a segment, and a missing one is damage") {
  Sample sample;
  const std::vector<uint64_t> ids = sample.ledger().Listing().segment_ids;
  REQUIRE(ids.size() > 3);
  ScanOptions options;
  options.live = true;
  LogScan whole;
  REQUIRE(ScanLog(sample.files(), "/log", options, &whole) == absl::OkStatus());
  for (size_t i = 1; i + 1 < ids.size(); ++i) {
    const std::string path = FileLedger::Path(ids[i]);
    INFO(path);
    ForgetfulFileSystem forgetful(sample.files(), path.substr(path.rfind('/') + 1));
    LogScan scan;
    REQUIRE(ScanLog(forgetful, "/log", options, &scan) == absl::OkStatus());
    CHECK(scan.segments.size() == whole.segments.size());
    CHECK(scan.tip.last_revision == whole.tip.last_revision);
  }
  sample.files().Delete(FileLedger::Path(ids[1]));
  LogScan scan;
  CHECK(Is(ScanLog(sample.files(), "/log", options, &scan), errors::kDamagedLog));
}

TEST_CASE("where all snapshots are missing, the message does not send anybody after a segment alone") {
  Sample sample;
  const uint64_t first = sample.ledger().Listing().segment_ids.front();
  REQUIRE(first > 1);
  for (const uint64_t id : sample.ledger().Listing().snapshot_ids) {
    sample.files().Delete(FileLedger::SnapshotPath(id));
  }
  const absl::Status status = sample.ledger().Open();
  CHECK(RefusedAsDamaged(status));
  CHECK_THAT(std::string(status.message()), ContainsText("and so is every snapshot of what was in it"));
}

TEST_CASE("a segment that snapshots stand for is checked as any other") {
  Sample sample;
  for (const uint64_t id : sample.ledger().Listing().segment_ids) {
    const uint64_t size = sample.files().Contents(FileLedger::Path(id)).size();
    if (size < 2000) continue;
    sample.Restore();
    sample.ledger().FlipByte(id, 1000);
    INFO("segment " << id);
    CHECK(RefusedAsDamaged(sample.ledger().Open()));
  }
}

}  // namespace
}  // namespace kvs::txn
