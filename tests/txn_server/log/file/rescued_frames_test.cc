#include "txn_server/log/file/rescued_frames.h"

#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

// 30 frames of one transaction in segments of a few frames.
class Damaged : public FileLedger {
 public:
  Damaged() {
    Start();
    for (int i = 0; i < 30; ++i) Write(1, std::string(600, 'x'));
    Stop();
    (void)InspectLog(
        "/log",
        [&](const SegmentSummary& segment, const StoredFrame& frame) {
          if (frame.header.kind != FrameKind::kTransactions) return;
          places_[frame.header.first_revision] = {segment.header.segment_id, frame.header.offset};
        },
        files());
  }

  std::pair<uint64_t, uint64_t> PlaceOf(uint64_t revision) const { return places_.at(revision); }
  uint64_t newest_segment() const { return places_.at(30).first; }

  // The revisions that can be read.
  std::set<uint64_t> Rescue() {
    RescueStart start;
    start.log_id = "0123456789abcdef";
    start.existing = ListDirectory(files(), "/log")->segment_ids;
    frames_ = std::make_unique<RescuedFrames>(files(), "/log", start);
    std::set<uint64_t> revisions;
    while (true) {
      const auto frame = frames_->Next();
      REQUIRE(frame.status() == absl::OkStatus());
      if (!*frame) return revisions;
      CHECK((*frame)->transactions == MakeFrame((*frame)->first_revision, 1, std::string(600, 'x')).bytes);
      revisions.insert((*frame)->first_revision);
    }
  }
  const RescuedFrames& frames() const { return *frames_; }
  void CheckLoss(size_t index, const std::string& path, uint64_t offset, uint64_t first, uint64_t last) {
    REQUIRE(frames_->losses().size() > index);
    const Loss& loss = frames_->losses()[index];
    INFO(loss.what);
    CHECK(loss.path == path);
    CHECK(loss.offset == offset);
    CHECK(loss.first_revision == first);
    CHECK(loss.last_revision == last);
    CHECK_FALSE(loss.what.empty());
  }

 private:
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> places_;
  std::unique_ptr<RescuedFrames> frames_;
};

std::set<uint64_t> AllBut(uint64_t first, uint64_t last) {
  std::set<uint64_t> revisions;
  for (uint64_t i = 1; i <= 30; ++i) {
    if (i < first || i > last) revisions.insert(i);
  }
  return revisions;
}

TEST_CASE("of a whole ledger all is read and nothing lost") {
  Damaged ledger;
  CHECK(ledger.Rescue() == AllBut(0, 0));
  CHECK(ledger.frames().losses().empty());
  CHECK(ledger.frames().last_revision() == 30);
  CHECK(ledger.frames().run_start() == 1);
  CHECK(ledger.frames().epoch() == 1);
  CHECK(ledger.frames().writer_id() == "writer");
  CHECK(ledger.frames().segment_bytes() == FileLedger::kSmallSegment);
}

TEST_CASE("behind each damaged frame, the next one is found, whichever byte it was") {
  Damaged ledger;
  const auto whole = ledger.Snapshot();
  for (const uint64_t revision : {1, 2, 13, 14, 15, 16, 17, 18, 29}) {
    const auto [segment, offset] = ledger.PlaceOf(revision);
    for (const uint64_t byte : {0, 5, 20, 63, 64, 300, 700}) {
      INFO("revision " << revision << ", byte " << byte);
      ledger.FlipByte(segment, offset + byte);
      CHECK(ledger.Rescue() == AllBut(revision, revision));
      REQUIRE(ledger.frames().losses().size() == 1);
      ledger.CheckLoss(0, FileLedger::Path(segment), offset, revision, revision);
      CHECK(ledger.frames().run_start() == revision + 1);
      ledger.Restore(whole);
    }
  }
}

TEST_CASE("of a missing segment, and of one that is cut short, the rest is found") {
  Damaged ledger;
  const auto [segment, offset] = ledger.PlaceOf(15);
  uint64_t first = 15;
  uint64_t last = 15;
  while (ledger.PlaceOf(first - 1).first == segment) --first;
  while (ledger.PlaceOf(last + 1).first == segment) ++last;
  const auto whole = ledger.Snapshot();
  ledger.files().Delete(FileLedger::Path(segment));
  CHECK(ledger.Rescue() == AllBut(first, last));
  ledger.CheckLoss(0, FileLedger::Path(segment), 0, first, last);
  ledger.Restore(whole);
  ledger.Truncate(segment, offset);
  CHECK(ledger.Rescue() == AllBut(15, last));
  ledger.CheckLoss(0, FileLedger::Path(segment), offset, 15, last);
  ledger.Restore(whole);
  ledger.Truncate(segment, offset + 512);
  CHECK(ledger.Rescue() == AllBut(15, last));
  ledger.CheckLoss(0, FileLedger::Path(segment), offset, 15, last);
}

TEST_CASE("a damaged segment header costs no transaction") {
  Damaged ledger;
  const auto whole = ledger.Snapshot();
  for (const uint64_t segment : {uint64_t{1}, uint64_t{2}, ledger.newest_segment()}) {
    INFO("segment " << segment);
    ledger.FlipByte(segment, 20);
    CHECK(ledger.Rescue() == AllBut(0, 0));
    REQUIRE(ledger.frames().losses().size() == 1);
    ledger.CheckLoss(0, FileLedger::Path(segment), 0, 0, 0);
    ledger.Restore(whole);
  }
}

TEST_CASE("what is damaged at the end may have had any number of revisions") {
  Damaged ledger;
  const auto [segment, offset] = ledger.PlaceOf(30);
  ledger.Change(segment, [&, at = offset](std::string& bytes) {
    for (size_t i = at; i < bytes.size(); ++i) bytes[i] = '?';
  });
  CHECK(ledger.Rescue() == AllBut(30, 30));
  ledger.CheckLoss(0, FileLedger::Path(segment), offset, 30, 0);
  CHECK(ledger.frames().last_revision() == 29);
}

TEST_CASE("what was behind the last segment that there is, is told to be missing") {
  Damaged ledger;
  const uint64_t segment = ledger.PlaceOf(15).first;
  uint64_t last = 15;
  while (ledger.PlaceOf(last + 1).first == segment) ++last;
  for (uint64_t id = segment + 1; ledger.files().Exists(FileLedger::Path(id)); ++id) {
    ledger.files().Delete(FileLedger::Path(id));
  }
  CHECK(ledger.Rescue() == AllBut(last + 1, 30));
  REQUIRE(ledger.frames().losses().size() == 1);
  ledger.CheckLoss(0, FileLedger::Path(segment + 1), 0, last + 1, 0);
}

TEST_CASE("a newest segment that was cut behind a frame is told") {
  Damaged ledger;
  const auto [segment, offset] = ledger.PlaceOf(30);
  ledger.Truncate(segment, offset);
  CHECK(ledger.Rescue() == AllBut(30, 30));
  REQUIRE(ledger.frames().losses().size() == 1);
  ledger.CheckLoss(0, FileLedger::Path(segment), offset, 30, 0);
}

TEST_CASE("a missing spare behind the newest segment may have been in use") {
  Damaged ledger;
  const uint64_t segment = ledger.newest_segment();
  ledger.files().Delete(FileLedger::Path(segment + 1));
  CHECK(ledger.Rescue() == AllBut(0, 0));
  ledger.CheckLoss(0, FileLedger::Path(segment + 1), 0, 31, 0);
}

TEST_CASE("where there is no segment at all, all of them are missing") {
  Damaged ledger;
  for (const auto& [path, bytes] : ledger.Snapshot()) ledger.files().Delete(path);
  CHECK(ledger.Rescue().empty());
  ledger.CheckLoss(0, FileLedger::Path(1), 0, 1, 0);
}

TEST_CASE("a segment of another ledger is left out") {
  Damaged ledger;
  FileLedger other;
  other.options().new_log_id = "another-log-id-!";
  other.Start();
  other.Write(1);
  other.Stop();
  const uint64_t id = ledger.newest_segment() + 2;
  ledger.files().SetContents(FileLedger::Path(id), other.files().Contents(FileLedger::Path(1)));
  CHECK(ledger.Rescue() == AllBut(0, 0));
  REQUIRE(ledger.frames().losses().size() == 1);
  CHECK(ledger.frames().losses()[0].path == FileLedger::Path(id));
}

TEST_CASE("sectors that the disk does not give are lost alone") {
  Damaged ledger;
  const std::string path = FileLedger::Path(ledger.PlaceOf(15).first);
  int reads = 0;
  ledger.files().SetFaults(
      [&](MemoryFileSystem::Operation kind, const std::string& at) -> std::optional<MemoryFileSystem::Fault> {
        if (kind != MemoryFileSystem::Operation::kRead || at != path) return std::nullopt;
        if (reads++ % 10 != 0) return std::nullopt;
        return MemoryFileSystem::Fault{absl::InternalError("I/O error")};
      });
  const std::set<uint64_t> revisions = ledger.Rescue();
  CHECK(revisions.size() >= 24);
  CHECK(revisions.size() < 30);
  CHECK_FALSE(ledger.frames().losses().empty());
}

}  // namespace
}  // namespace kvs::txn
