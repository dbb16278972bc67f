#include "txn_server/log/file/salvage.h"

#include <random>

#include "tests/support/catch.h"
#include "tests/support/fault_injection.h"
#include "tests/support/file_ledger.h"
#include "tests/support/snapshot_samples.h"
#include "tests/support/test_size.h"
#include "tests/support/text_state.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/read_only_log.h"

namespace kvs::txn {
namespace {

using FileOperation = MemoryFileSystem::Operation;

absl::StatusOr<SalvageReport> SalvageOf(FileLedger& ledger) {
  return SalvageLog({"/log", "/new", nullptr, &ledger.files()});
}

std::unique_ptr<TxnLog> OpenNew(FileLedger& ledger) {
  auto log = OpenReadOnlyLog("/new", ledger.files());
  REQUIRE(log.status() == absl::OkStatus());
  return *std::move(log);
}

// 40 frames, each with a key of its own.
void Fill(FileLedger& ledger) {
  ledger.Start();
  for (int i = 0; i < 40; ++i) ledger.Write(1, std::string(600, 'x'));
  ledger.Stop();
}

std::pair<uint64_t, uint64_t> PlaceOf(FileLedger& ledger, uint64_t revision) {
  std::pair<uint64_t, uint64_t> place;
  const auto visit = [&](const SegmentSummary& segment, const StoredFrame& frame) {
    if (frame.header.count == 0 || frame.header.first_revision != revision) return;
    place = {segment.header.segment_id, frame.header.offset};
  };
  REQUIRE(InspectLog("/log", visit, ledger.files()).ok());
  return place;
}

TEST_CASE("of a ledger that is whole, all is salvaged with its history") {
  FileLedger ledger;
  Fill(ledger);
  const auto before = ledger.Snapshot();
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->losses.empty());
  CHECK(report->doubtful_keys.empty());
  CHECK(report->copy.transactions == 40);
  CHECK(ledger.Snapshot() == before);
  const auto log = OpenNew(ledger);
  CHECK(log->position().log_id == report->log_id);
  CHECK(log->position().log_id != "0123456789abcdef");
  CHECK(log->position().epoch == 1);
  CHECK(ReadAll(*log)->bytes == ledger.written());
}

TEST_CASE("around a damaged frame, everything is salvaged, and the loss is told") {
  FileLedger ledger;
  Fill(ledger);
  const auto [segment, offset] = PlaceOf(ledger, 17);
  ledger.FlipByte(segment, offset + 100);
  const auto before = ledger.Snapshot();
  REQUIRE(RefusedAsDamaged(ledger.Open()));
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(ledger.Snapshot() == before);
  REQUIRE(report->losses.size() == 1);
  CHECK(report->losses[0].path == FileLedger::Path(segment));
  CHECK(report->losses[0].offset == offset);
  CHECK(report->losses[0].first_revision == 17);
  CHECK(report->losses[0].last_revision == 17);
  const auto log = OpenNew(ledger);
  CHECK(log->position().durable_revision == 40);
  const TextState state = StateOf(*log);
  CHECK(state.size() == 39);
  CHECK(state.count("key-17") == 0);
  CHECK(state.at("key-40") == std::pair<uint64_t, std::string>(40, std::string(600, 'x')));
}

TEST_CASE("a ledger that lost its end keeps its history") {
  FileLedger ledger;
  Fill(ledger);
  const auto [segment, offset] = PlaceOf(ledger, 31);
  for (uint64_t id = segment + 1; ledger.files().Exists(FileLedger::Path(id)); ++id) {
    ledger.files().Delete(FileLedger::Path(id));
  }
  ledger.FlipByte(segment, offset + 100);
  ledger.Truncate(segment, offset + 1024);
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  REQUIRE(report->losses.size() == 1);
  CHECK(report->losses[0].first_revision == 31);
  CHECK(report->losses[0].last_revision == 0);
  const auto log = OpenNew(ledger);
  const auto all = ReadAll(*log);
  REQUIRE(all.status() == absl::OkStatus());
  CHECK(all->last_revision() == 30);
  CHECK(all->bytes == ledger.written().substr(0, all->bytes.size()));
}

// A ledger with snapshots of which segments were dropped.
class Compacted : public FileLedger {
 public:
  Compacted() {
    options().segment_bytes = 16 * kKiB;
    options().compaction.min_bytes = 64 * kKiB;
    options().compaction.percent = 10;
    options().compaction.retention = Retention::kOnDelete;
    options().compacted = [this](const CompactionReport&) {
      MutexLock lock(&mutex_);
      ++snapshots_;
      changed_.SignalAll();
    };
    Start();
    for (uint64_t wanted = 1; wanted <= 3; ++wanted) {
      for (int i = 0; i < 150; ++i) Write(1, std::string(600, 'x'));
      MutexLock lock(&mutex_);
      while (snapshots_ < wanted) changed_.Wait(&mutex_);
    }
    for (int i = 0; i < 20; ++i) Write(1, std::string(600, 'x'));
    revisions_ = log().position().durable_revision;
    REQUIRE(log().position().compacted_revision > 0);
    Stop();
    const auto listing = ListDirectory(files(), "/log");
    for (const uint64_t id : listing->snapshot_ids) snapshot_paths_.push_back(kvs::txn::SnapshotPath("/log", id));
    REQUIRE(snapshot_paths_.size() == 2);
  }

  uint64_t revisions() const { return revisions_; }
  const std::string& snapshot(size_t index) const { return snapshot_paths_.at(index); }

  void DamageSnapshot(size_t index, double where) {
    std::string bytes = files().Contents(snapshot(index));
    bytes[static_cast<size_t>(where * static_cast<double>(bytes.size()))] ^= 1;
    files().SetContents(snapshot(index), bytes);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  uint64_t snapshots_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t revisions_ = 0;
  std::vector<std::string> snapshot_paths_;
};

TEST_CASE("of a ledger that was closed and lost its end, the revisions that are missing are told") {
  FileLedger ledger;
  Fill(ledger);
  const auto [segment, offset] = PlaceOf(ledger, 40);
  ledger.Zero(segment, offset, FileLedger::kSmallSegment);
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  REQUIRE(report->losses.size() == 1);
  CHECK(report->losses[0].path == FileLedger::Path(segment));
  CHECK(report->losses[0].offset == offset);
  CHECK(report->losses[0].first_revision == 40);
  CHECK(report->losses[0].last_revision == 40);
  CHECK(report->copy.transactions == 39);
}

TEST_CASE("a damaged newest snapshot costs nothing") {
  Compacted ledger;
  ledger.DamageSnapshot(1, 0.5);
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  REQUIRE(report->losses.size() == 1);
  CHECK(report->losses[0].path == ledger.snapshot(1));
  CHECK(report->losses[0].first_revision == 0);
  CHECK(StateOf(*OpenNew(ledger)).size() == ledger.revisions());
}

TEST_CASE("whatever makes verify call a ledger damaged is told") {
  FileLedger ledger;
  Fill(ledger);
  const auto [segment, offset] = PlaceOf(ledger, 40);
  const auto whole = ledger.Snapshot();
  const uint64_t newest = segment;
  const std::vector<std::function<void()>> damages = {
      [&] { ledger.files().Delete(FileLedger::Path(newest + 1)); },
      [&] { ledger.Truncate(newest + 1, 1024); },
      [&] { ledger.Truncate(newest + 1, 0); },
      [&] { ledger.FlipByte(newest + 1, 20); },
      [&] { ledger.FlipByte(newest + 1, 2000); },
      [&, at = offset] { ledger.Truncate(newest, at); },
      [&] { ledger.files().Delete(FileLedger::Path(newest)); },
      [&] { ledger.files().Delete(FileLedger::Path(1)); },
      [&] { ledger.Truncate(1, 1536); },
      [&] { ledger.Truncate(1, 0); },
      [&] { ledger.Truncate(1, 512); },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    INFO("damage " << i);
    damages[i]();
    const auto scan = InspectLog("/log", nullptr, ledger.files())->scan;
    REQUIRE(scan.damage.has_value());
    INFO(scan.damage->path << ": " << scan.damage->what);
    const auto report = SalvageOf(ledger);
    REQUIRE(report.status() == absl::OkStatus());
    CHECK(std::count_if(report->losses.begin(), report->losses.end(),
                        [&](const Loss& loss) { return loss.path == scan.damage->path; }) == 1);
    const auto made = ledger.files().List("/new");
    for (const std::string& name : *made) ledger.files().Delete("/new/" + name);
    ledger.Restore(whole);
  }
}

TEST_CASE("a snapshot that reaches further than the segments is salvaged") {
  Compacted ledger;
  const auto scan = InspectLog("/log", nullptr, ledger.files())->scan;
  const LogPoint& point = scan.snapshots.back().header.point;
  const uint64_t first = scan.segments.front().header.segment_id;
  for (uint64_t id = first + 1; ledger.files().Exists(FileLedger::Path(id)); ++id) {
    ledger.files().Delete(FileLedger::Path(id));
  }
  SECTION("all but the first are gone") {}
  SECTION("the first is cut, too") { ledger.Truncate(first, 1536); }
  SECTION("there is none") { ledger.files().Delete(FileLedger::Path(first)); }
  REQUIRE(point.segment_id > first);
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->copy.revision == point.revision);
  CHECK(report->copy.snapshot_revision == point.revision);
  const TextState state = StateOf(*OpenNew(ledger));
  CHECK(state.size() == point.revision);
  REQUIRE(report->losses.size() == 1);
  CHECK(report->losses[0].last_revision == 0);
  CHECK_THAT(report->losses[0].what, ContainsText(absl::StrCat("has the state of revision ", point.revision)));
}

TEST_CASE("with all of history, too, a snapshot that reaches further than the segments is salvaged") {
  FileLedger ledger;
  ledger.options().compaction.min_bytes = 16 * kKiB;
  ledger.Start();
  while (ledger.reports().empty()) ledger.Write(1, std::string(600, 'x'));
  ledger.Stop();
  const uint64_t revision = ledger.reports().back().snapshot.header.point.revision;
  for (uint64_t id = 2; ledger.files().Exists(FileLedger::Path(id)); ++id) ledger.files().Delete(FileLedger::Path(id));
  SECTION("the first segment is whole") {}
  SECTION("the first segment is cut") { ledger.Truncate(1, 2048); }
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->copy.snapshot_revision == revision);
  CHECK(StateOf(*OpenNew(ledger)).size() == revision);
}

TEST_CASE("damage before the newest snapshot costs history alone") {
  Compacted ledger;
  const auto scan = InspectLog("/log", nullptr, ledger.files())->scan;
  const uint64_t revision = scan.snapshots.back().header.point.revision - 3;
  const auto [segment, offset] = PlaceOf(ledger, revision);
  ledger.FlipByte(segment, offset + 100);
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  REQUIRE(report->losses.size() == 1);
  CHECK(report->losses[0].first_revision == revision);
  CHECK(report->copy.snapshot_revision == revision + 3);
  CHECK(report->copy.transactions == ledger.revisions() - revision - 3);
  CHECK(report->doubtful_keys.empty());
  CHECK(StateOf(*OpenNew(ledger)).size() == ledger.revisions());
}

TEST_CASE("of two damaged snapshots, what can be read is put together") {
  Compacted ledger;
  ledger.DamageSnapshot(0, 0.9);
  ledger.DamageSnapshot(1, 0.9);
  REQUIRE_FALSE(ledger.Open().ok());
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->losses.size() == 2);
  const auto log = OpenNew(ledger);
  CHECK(log->position().durable_revision == ledger.revisions());
  const TextState state = StateOf(*log);
  CHECK(state.count(absl::StrCat("key-", ledger.revisions())) == 1);
  for (const auto& [key, value] : state) CHECK(key == absl::StrCat("key-", value.first));
}

// Gives both snapshots the same twelve keys in four blocks.
std::vector<size_t> FillSnapshots(Compacted& ledger) {
  std::vector<std::string> entries;
  for (uint64_t i = 1; i <= 12; ++i) entries.push_back(NoiseEntry(i, 100'000));
  for (const size_t index : {0, 1}) {
    const auto summary = ReadSnapshotHeader(ledger.files(), ledger.snapshot(index));
    REQUIRE(summary.ok());
    SnapshotHeader header;
    header.snapshot_id = summary->header.snapshot_id;
    header.log_id = summary->header.log_id;
    header.point = summary->header.point;
    WriteSnapshot(ledger.files(), ledger.snapshot(index), entries, header);
  }
  const auto offsets = BlockOffsets(ledger.files().Contents(ledger.snapshot(0)));
  REQUIRE(offsets.size() == 5);
  return offsets;
}

// The keys of FillSnapshots that were salvaged.
std::set<int> KeysOf(const TextState& state) {
  std::set<int> found;
  for (int i = 1; i <= 12; ++i) {
    if (state.count(absl::StrFormat("key-%06d", i)) > 0) found.insert(i);
  }
  return found;
}

TEST_CASE("a damaged block of both snapshots costs its keys, and the loss tells how many and how new they were") {
  Compacted ledger;
  const auto offsets = FillSnapshots(ledger);
  const uint64_t newest = ReadSnapshotHeader(ledger.files(), ledger.snapshot(1))->header.point.revision;
  for (const size_t index : {0, 1}) {
    std::string bytes = ledger.files().Contents(ledger.snapshot(index));
    bytes[offsets[1] + 5000] ^= 1;
    ledger.files().SetContents(ledger.snapshot(index), bytes);
  }
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  REQUIRE(report->losses.size() == 2);
  const Loss& loss = report->losses[1];
  CHECK(loss.path == ledger.snapshot(1));
  CHECK(loss.offset == offsets[1]);
  CHECK(loss.changed_up_to == newest);
  CHECK_THAT(loss.what, ContainsText(absl::StrCat(", ", offsets[2] - offsets[1], " bytes")));
  CHECK_THAT(loss.what, ContainsText("1 of the 4 blocks of this snapshot and 3 of its 12 keys"));
  CHECK(KeysOf(StateOf(*OpenNew(ledger))) == std::set<int>{1, 2, 3, 7, 8, 9, 10, 11, 12});
}

TEST_CASE("what one damaged snapshot lacks is taken from the other, also where one is cut") {
  Compacted ledger;
  const auto offsets = FillSnapshots(ledger);
  std::string bytes = ledger.files().Contents(ledger.snapshot(0));
  bytes[offsets[0] + 3] ^= 1;
  ledger.files().SetContents(ledger.snapshot(0), bytes);
  const std::string other = ledger.files().Contents(ledger.snapshot(1));
  ledger.files().SetContents(ledger.snapshot(1), other.substr(0, offsets[3] + 100));
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->losses.size() == 2);
  CHECK(KeysOf(StateOf(*OpenNew(ledger))) == std::set<int>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
}

TEST_CASE("snapshots without a readable header are not told as losing nothing") {
  Compacted ledger;
  for (const size_t index : {0, 1}) {
    std::string bytes = ledger.files().Contents(ledger.snapshot(index));
    bytes[100] ^= 1;
    ledger.files().SetContents(ledger.snapshot(index), bytes);
  }
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  int told = 0;
  for (const Loss& loss : report->losses) told += loss.changed_up_to > 0 ? 1 : 0;
  CHECK(told == 2);
}

TEST_CASE("a snapshot of another ledger is told and left out") {
  Compacted ledger;
  Compacted other;
  std::string foreign = other.files().Contents(other.snapshot(1));
  SnapshotHeader header;
  REQUIRE(DecodeSnapshotHeader(foreign.substr(0, kSnapshotHeaderBytes), &header).empty());
  header.log_id = "another-log-id-!";
  foreign.replace(0, kSnapshotHeaderBytes, EncodeSnapshotHeader(header));
  ledger.files().SetContents(ledger.snapshot(1), foreign);
  const auto report = SalvageOf(ledger);
  REQUIRE(report.status() == absl::OkStatus());
  REQUIRE(report->losses.size() == 1);
  CHECK_THAT(report->losses[0].what, ContainsText("another ledger"));
  CHECK(StateOf(*OpenNew(ledger)).size() == ledger.revisions());
}

TEST_CASE("whatever sectors are damaged, every frame without one is salvaged") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    FileLedger ledger;
    Fill(ledger);
    std::map<uint64_t, bool> intact;
    std::set<std::pair<uint64_t, uint64_t>> hit;  // segment, sector
    for (int i = 0; i < 6; ++i) hit.insert({random() % 6 + 1, 1 + random() % 15});
    const auto visit = [&](const SegmentSummary& segment, const StoredFrame& frame) {
      if (frame.header.count == 0) return;
      bool& whole = intact[frame.header.first_revision];
      whole = true;
      for (uint64_t at = frame.header.offset; at < frame.end(); at += 512) {
        if (hit.count({segment.header.segment_id, at / 512}) > 0) whole = false;
      }
    };
    REQUIRE(InspectLog("/log", visit, ledger.files()).ok());
    for (const auto& [segment, sector] : hit) {
      if (ledger.files().Contents(FileLedger::Path(segment)).size() <= sector * 512) continue;
      ledger.FlipByte(segment, sector * 512 + random() % 512);
    }
    const auto report = SalvageOf(ledger);
    REQUIRE(report.status() == absl::OkStatus());
    const TextState state = StateOf(*OpenNew(ledger));
    for (const auto& [revision, whole] : intact) {
      INFO("revision " << revision);
      CHECK((state.count(absl::StrCat("key-", revision)) == 1) == whole);
    }
  }
}

TEST_CASE("a salvage that finds no space leaves nothing, and the ledger as it was") {
  for (int fails_at = 0;; ++fails_at) {
    INFO("operation " << fails_at);
    FileLedger ledger;
    Fill(ledger);
    ledger.FlipByte(2, 1100);
    const auto before = ledger.Snapshot();
    FaultInjection faults(ledger.files(), fails_at, FaultInjection::Extent::kAllFromThere, FullDisk(100),
                          [](FileOperation operation, const std::string&) { return TakesSpace(operation); });
    const auto report = SalvageOf(ledger);
    const bool failed = faults.End();
    CHECK(ledger.Snapshot() == before);
    if (!failed) break;
    if (report.ok()) continue;
    CHECK(Is(report.status(), errors::kNoSpace));
    CHECK(ledger.files().List("/new")->empty());
    CHECK(ledger.files().List("/new.partial")->empty());
  }
}

TEST_CASE("a ledger in use, none at all, an unfinished one, and one of which nothing can be read are refused") {
  FileLedger ledger;
  CHECK(Is(SalvageOf(ledger).status(), errors::kUnusableDirectory));
  ledger.Start();
  ledger.Write(1);
  CHECK(Is(SalvageOf(ledger).status(), errors::kLogInUse));
  ledger.Stop();
  ledger.files().SetContents("/new/letter.txt", "dear");
  CHECK(Is(SalvageOf(ledger).status(), errors::kUnusableDirectory));
  ledger.files().Delete("/new/letter.txt");
  ledger.files().SetContents("/log/UNFINISHED", "");
  CHECK(Is(SalvageOf(ledger).status(), errors::kUnusableDirectory));
  ledger.files().Delete("/log/UNFINISHED");
  CHECK(Is(SalvageLog({"/log", "/log/new", nullptr, &ledger.files()}).status(), errors::kUnusableDirectory));
  const auto before = ledger.Snapshot();
  REQUIRE(ledger.files().Rename("/log", "/new.partial") == absl::OkStatus());
  CHECK(Is(SalvageLog({"/new.partial", "/new", nullptr, &ledger.files()}).status(), errors::kUnusableDirectory));
  REQUIRE(ledger.files().Rename("/new.partial", "/log") == absl::OkStatus());
  CHECK(ledger.Snapshot() == before);
  const auto names = ledger.files().List("/log");
  for (const std::string& name : *names) {
    ledger.files().SetContents("/log/" + name, std::string(8192, '?'));
  }
  CHECK(Is(SalvageOf(ledger).status(), errors::kDamagedLog));
  CHECK(ledger.files().List("/new")->empty());
}

}  // namespace
}  // namespace kvs::txn
