#include "txn_server/log/file/compactor.h"

#include <random>

#include "tests/support/compacting_ledger.h"
#include "tests/support/compaction_samples.h"
#include "tests/support/fault_injection.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

using Ids = std::vector<uint64_t>;

// The segments must have no gap, and nothing may be left half made.
void CheckFiles(CompactingLedger& ledger, bool after_start = true) {
  const DirectoryListing listing = ledger.Listing();
  for (const std::string& name : listing.temporary_names) {
    // A spare segment may be made at any time.
    CHECK((!after_start || absl::EndsWith(name, ".log.tmp")));
  }
  REQUIRE_FALSE(listing.segment_ids.empty());
  for (size_t i = 1; i < listing.segment_ids.size(); ++i) {
    REQUIRE(listing.segment_ids[i] == listing.segment_ids[i - 1] + 1);
  }
}

// The id of the segment in which a snapshot ends.
uint64_t SegmentOf(CompactingLedger& ledger, uint64_t snapshot_id) {
  const auto summary = ReadSnapshotHeader(ledger.files(), FileLedger::SnapshotPath(snapshot_id));
  REQUIRE(summary.status() == absl::OkStatus());
  return summary->header.point.segment_id;
}

TEST_CASE("a snapshot is made when enough was logged, and a start begins with it") {
  CompactingLedger ledger;
  ledger.Start();
  while (ledger.reports().empty()) ledger.MakeSnapshot();
  const CompactionReport report = ledger.reports().at(0);
  const SnapshotHeader& header = report.snapshot.header;
  CHECK(report.snapshot.path == FileLedger::SnapshotPath(1));
  CHECK(header.snapshot_id == 1);
  CHECK(header.log_id == ledger.log().position().log_id);
  CHECK(header.point.revision == ledger.history().revision());
  CHECK(header.point.epoch == ledger.epoch());
  CHECK(header.point.writer_id == "writer");
  CHECK(report.folded_transactions == ledger.history().revision());
  CHECK(report.removed_files == 0);
  uint64_t keys = 0;
  for (const uint64_t count : header.keys) keys += count;
  CHECK(keys == ledger.history().state().keys().size());
  CHECK(header.file_bytes == ledger.files().Contents(report.snapshot.path).size());
  CHECK(ledger.log().position().snapshot_revision == header.point.revision);
  ledger.CheckState();

  ledger.Grow();
  ledger.Stop();
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.log().position().snapshot_revision == header.point.revision);
  const auto replay = ledger.log().ReplayState();
  REQUIRE(replay.ok());
  CHECK(replay->snapshot_revision == header.point.revision);
  CHECK(replay->snapshot_time_micros == header.time_micros);
  ledger.CheckState();
}

// Appends until a snapshot is due at `due_bytes`, and checks that it is made then and not before.
void CheckDueAt(CompactingLedger& ledger, uint64_t due_bytes, bool idle) {
  const size_t before = ledger.reports().size();
  while (ledger.since_snapshot() < due_bytes) {
    ledger.Grow(2);
    if (idle) ledger.Idle();
  }
  ledger.AwaitSnapshot();
  REQUIRE(ledger.reports().size() == before + 1);
  CHECK(ledger.reports().back().snapshot.header.point.revision == ledger.history().revision());
}

TEST_CASE("a snapshot is due when a share of the last one was logged, and less of it where the log is idle") {
  CompactingLedger ledger(7, {200, 60, 8, false});
  ledger.compaction().min_bytes = 16 * kKiB;
  ledger.compaction().percent = 150;
  // So that nothing is gained by removing files.
  ledger.compaction().retention = Retention::kFull;
  ledger.Start();
  CheckDueAt(ledger, 16 * kKiB, false);
  while (ledger.reports().back().snapshot.header.raw_bytes < 100 * kKiB) {
    CheckDueAt(ledger, std::max<uint64_t>(16 * kKiB, ledger.reports().back().snapshot.header.raw_bytes / 100 * 150),
               false);
  }
  const uint64_t bytes = ledger.reports().back().snapshot.header.raw_bytes;
  SECTION("busy") { CheckDueAt(ledger, bytes / 100 * 150, false); }
  SECTION("idle") { CheckDueAt(ledger, bytes / 100 * 37, true); }
  ledger.CheckState();
}

TEST_CASE("the two newest snapshots are kept, and every segment from the end of the older one on") {
  CompactingLedger ledger;
  ledger.Start();
  for (uint64_t id = 1; id <= 6; ++id) {
    INFO("snapshot " << id);
    ledger.MakeSnapshot();
    REQUIRE(ledger.reports().size() == id);
    CheckFiles(ledger);
    const DirectoryListing listing = ledger.Listing();
    CHECK(listing.snapshot_ids == (id == 1 ? Ids{1} : Ids{id - 1, id}));
    const uint64_t first = id == 1 ? 1 : SegmentOf(ledger, id - 1);
    CHECK(listing.segment_ids.front() == first);
    if (id > 2) CHECK(first > 1);
    ledger.CheckState();
  }
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.notices().empty());
  ledger.CheckState();
}

TEST_CASE("what was compacted away is refused with the revision up to which it was") {
  CompactingLedger ledger;
  ledger.Start();
  CHECK(ledger.log().position().compacted_revision == 0);
  for (int i = 0; i < 4; ++i) ledger.MakeSnapshot();
  const auto check = [&] {
    const uint64_t compacted = ledger.log().position().compacted_revision;
    REQUIRE(compacted > 1);
    for (const uint64_t revision : {uint64_t{1}, compacted - 1, compacted}) {
      const absl::Status status = ledger.log().Replay(revision).status();
      CHECK(Is(status, errors::kCompacted));
      CHECK(MetadataOf(status, "compacted_revision") == absl::StrCat(compacted));
    }
    const auto rest = ReadAll(ledger.log(), compacted + 1);
    REQUIRE(rest.status() == absl::OkStatus());
    CHECK(rest->last_revision() == ledger.history().revision());
    const bool suffix = absl::EndsWith(ledger.written(), rest->bytes);
    CHECK(suffix);
    CHECK(absl::IsOutOfRange(ledger.log().Replay(ledger.history().revision() + 2).status()));
    return compacted;
  };
  const uint64_t compacted = check();
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(check() == compacted);
}

TEST_CASE("full retention keeps every segment, and only two snapshots") {
  CompactingLedger ledger;
  ledger.compaction().retention = Retention::kFull;
  ledger.Start();
  for (int i = 0; i < 4; ++i) ledger.MakeSnapshot();
  CHECK(ledger.Listing().snapshot_ids == Ids{3, 4});
  CHECK(ledger.Listing().segment_ids.front() == 1);
  CHECK(ledger.log().position().compacted_revision == 0);
  ledger.CheckReplay();
  ledger.CheckState();
  ledger.Stop();
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckReplay();
  ledger.CheckState();
}

TEST_CASE("files go one after the other, each removal durable before the next, the snapshot first") {
  CompactingLedger ledger;
  ledger.Start();
  ledger.MakeSnapshot();
  ledger.MakeSnapshot();
  ledger.files().TakeTrace();
  ledger.MakeSnapshot();
  std::vector<std::string> trace = ledger.files().TakeTrace();
  const auto renamed = std::find(trace.begin(), trace.end(), "rename " + FileLedger::SnapshotPath(3));
  REQUIRE(renamed != trace.end());
  CHECK(std::find(trace.begin(), renamed, "sync " + FileLedger::SnapshotPath(3) + ".tmp") != renamed);
  std::vector<std::string> removed;
  bool synced = false;
  for (auto it = renamed + 1; it != trace.end(); ++it) {
    if (*it == "sync directory /log") synced = true;
    if (!absl::StartsWith(*it, "remove ")) continue;
    CHECK(synced);
    synced = false;
    removed.push_back(*it);
  }
  CHECK(synced);
  REQUIRE(removed.size() == ledger.reports().at(2).removed_files);
  REQUIRE(removed.size() > 2);
  CHECK(removed.front() == "remove " + FileLedger::SnapshotPath(1));
  std::vector<std::string> segments(removed.begin() + 1, removed.end());
  CHECK(std::is_sorted(segments.begin(), segments.end()));
}

TEST_CASE("segments that a reader uses stay until it is gone") {
  CompactingLedger ledger;
  ledger.Start();
  ledger.MakeSnapshot();
  const uint64_t revision = ledger.history().revision();
  const std::string written = ledger.written();
  auto cursor = ledger.log().Replay(1);
  REQUIRE(cursor.ok());
  auto state = ledger.log().ReplayState();
  REQUIRE(state.ok());
  for (int i = 0; i < 4; ++i) ledger.MakeSnapshot();
  CHECK(ledger.Listing().segment_ids.front() == 1);
  CHECK(ledger.Listing().snapshot_ids == Ids{4, 5});
  std::string read;
  uint64_t last = 0;
  while (true) {
    const auto frame = (*cursor)->Next();
    REQUIRE(frame.status() == absl::OkStatus());
    if (!*frame) break;
    read += std::string((*frame)->transactions);
    last = (*frame)->last_revision();
  }
  CHECK(last == revision);
  const bool same = read == written;
  CHECK(same);
  // The snapshot was removed meanwhile, and is still read.
  LogState old;
  CHECK(ReadSnapshot(*state, old) == absl::OkStatus());
  const bool same_state = old.Snapshot() == StateOf(written)->Snapshot();
  CHECK(same_state);

  cursor->reset();
  *state = StateReplay();
  ledger.MakeSnapshot();
  CHECK(ledger.Listing().segment_ids.front() == SegmentOf(ledger, 5));
  ledger.CheckState();
}

TEST_CASE("a log that became idle leaves a large segment, so that it can be removed") {
  CompactingLedger ledger;
  ledger.options().segment_bytes = 256 * kKiB;
  ledger.Start();
  for (int i = 0; i < 3; ++i) ledger.MakeSnapshot();
  CHECK(ledger.Listing().segment_ids.front() == 1);
  ledger.Idle();
  // One snapshot that ends in the next segment, and one more, so that both do.
  ledger.AwaitCompactions(5);
  CHECK(ledger.Listing().segment_ids.front() == 2);
  for (int i = 0; i < 3; ++i) ledger.Idle();
  CHECK(ledger.compactions() == 5);
  ledger.CheckState();
  ledger.Grow();
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckState();
}

TEST_CASE("a full retention does not leave segments when idle") {
  CompactingLedger ledger;
  ledger.compaction().retention = Retention::kFull;
  ledger.options().segment_bytes = 256 * kKiB;
  ledger.Start();
  ledger.MakeSnapshot();
  for (int i = 0; i < 3; ++i) ledger.Idle();
  CHECK(ledger.compactions() == 1);
  ledger.Stop();
  ledger.Start();
  CHECK(ledger.log().position().compacted_revision == 0);
}

TEST_CASE("a counter's log stays small: at most twice the live data and four segments") {
  CompactingLedger ledger;
  ledger.options().segment_bytes = 128 * kKiB;
  ledger.compaction().min_bytes = 32 * kKiB;
  ledger.Start();
  constexpr int64_t kIncrements = 200'000;
  constexpr uint32_t kGroup = 200;
  const uint64_t limit = 4 * ledger.options().segment_bytes;
  uint64_t logged = 0;
  size_t snapshots = 0;
  uint64_t largest = 0;
  for (int64_t i = 0; i < kIncrements;) {
    SampleFrame frame{static_cast<uint64_t>(i) + 1, kGroup, ""};
    for (uint32_t n = 0; n < kGroup; ++n, ++i) {
      frame.bytes += Entry(static_cast<uint64_t>(i) + 1, static_cast<uint64_t>(i), ValueType::kInt, "counter",
                           operation::IntIncrement{1, i + 1});
    }
    REQUIRE(ledger.log().Append(ledger.epoch(), {frame.frame()}) == absl::OkStatus());
    logged += FrameBytes(frame.bytes.size());
    if (logged >= ledger.compaction().min_bytes) {
      logged = 0;
      ledger.AwaitCompactions(++snapshots);
    }
    largest = std::max(largest, ledger.log().size_bytes());
  }
  CHECK(largest <= limit);
  ledger.Idle();
  const auto state = ReadState(ledger.log());
  REQUIRE(state.ok());
  CHECK(std::get<int64_t>(state->Find(ValueType::kInt, "counter")->value()) == kIncrements);
  ledger.Stop();
  // The segment in use and its spares, and two snapshots of one key.
  uint64_t bytes = 0;
  for (const auto& [path, contents] : ledger.Snapshot()) {
    if (absl::EndsWith(path, ".snap")) bytes += contents.size();
  }
  CHECK(bytes < 2 * kKiB);
  CHECK(ledger.Listing().segment_ids.size() <= 4);
}

// What is left of a disk, and of a log on it.
void CheckGoesOn(CompactingLedger& ledger) {
  ledger.CheckState();
  ledger.MakeSnapshot();
  CHECK(ledger.failures().empty());
  CheckFiles(ledger);
  CHECK(ledger.Listing().snapshot_ids.size() == kKeptSnapshots);
  ledger.CheckState();
}

// A ledger whose next group makes its third snapshot due, which spills runs and removes files.
void Prepare(CompactingLedger& ledger) {
  ledger.options().segment_bytes = 12 * kKiB;
  ledger.compaction().min_bytes = 16 * kKiB;
  ledger.compaction().table_bytes = 4 * kKiB;
  ledger.Start();
  ledger.MakeSnapshot();
  ledger.MakeSnapshot();
  REQUIRE(ledger.reports().size() == 2);
}

TEST_CASE("a crash at any place of a compaction leaves the whole state, before or after it") {
  const uint64_t seed = TestSeed();
  std::mt19937 random(seed);
  size_t stops = 0;
  for (size_t n = 1;; ++n) {
    for (const bool power_cut : {false, true}) {
      INFO("KVS_SEED=" << seed << ", stop at change " << n << (power_cut ? ", power cut" : ""));
      CompactingLedger ledger(seed);
      Prepare(ledger);
      {
        CompactionFaults faults(ledger.files(), [n](size_t number, auto, const std::string&) {
          return number < n ? std::nullopt
                            : std::make_optional(MemoryFileSystem::Fault{absl::InternalError("the disk stopped")});
        });
        ledger.MakeSnapshot();
        ledger.Kill();
        if (faults.faults() == 0) {
          CHECK(stops > 20);
          return;
        }
        ++stops;
      }
      if (power_cut) ledger.files().PowerCut(random);
      ledger.Start();
      CheckGoesOn(ledger);
    }
  }
}

TEST_CASE("whatever fails once in a compaction, the log goes on and the next one works") {
  size_t failed = 0;
  for (size_t n = 1;; ++n) {
    INFO("change " << n << " fails");
    CompactingLedger ledger(3);
    Prepare(ledger);
    {
      std::string what;
      CompactionFaults faults(ledger.files(), [&](size_t number, auto, const std::string& path) {
        if (number == n) what = path;
        return number != n ? std::nullopt
                           : std::make_optional(MemoryFileSystem::Fault{absl::InternalError("an I/O error"), 100});
      });
      ledger.MakeSnapshot();
      INFO("at " << what);
      if (faults.faults() == 0) {
        CHECK(failed > 10);
        return;
      }
      failed += ledger.failures().size();
      ledger.CheckState();
    }
    // After a failure nothing is tried before as much again was logged.
    for (int i = 0; i < 3; ++i) ledger.MakeSnapshot();
    // The next start removes what could not be removed.
    CheckFiles(ledger, /*after_start=*/false);
    ledger.Kill();
    ledger.Start();
    CheckGoesOn(ledger);
  }
}

TEST_CASE("what cannot be read makes no snapshot, and nothing is removed for it") {
  using FileOperation = MemoryFileSystem::Operation;
  const std::string unreadable = GENERATE(".run.1.tmp", ".log");
  CompactingLedger ledger(12);
  Prepare(ledger);
  const DirectoryListing before = ledger.Listing();
  ledger.files().SetFaults([&](FileOperation operation, const std::string& path) {
    return operation == FileOperation::kRead && absl::EndsWith(path, unreadable)
               ? std::make_optional(MemoryFileSystem::Fault{absl::InternalError("Input/output error")})
               : std::nullopt;
  });
  ledger.MakeSnapshot();
  ledger.files().SetFaults(nullptr);
  REQUIRE(ledger.failures().size() == 1);
  CHECK_THAT(std::string(ledger.failures()[0].status.message()), ContainsText("Input/output error"));
  CHECK(ledger.Listing().snapshot_ids == Ids{1, 2});
  CHECK(ledger.Listing().segment_ids.front() == before.segment_ids.front());
  CheckFiles(ledger);
  ledger.CheckState();
  ledger.MakeSnapshot();
  CHECK(ledger.Listing().snapshot_ids == Ids{2, 3});
  ledger.Kill();
  ledger.Start();
  CheckGoesOn(ledger);
}

// A disk on which some things have no room.
class FillingDisk {
 public:
  explicit FillingDisk(MemoryFileSystem& files) : files_(files) {
    using FileOperation = MemoryFileSystem::Operation;
    files.SetFaults([this](FileOperation operation, const std::string& path) -> std::optional<MemoryFileSystem::Fault> {
      const bool is_full = (operation == FileOperation::kCreate && absl::EndsWith(path, ".snap.tmp") && !snapshots) ||
                           (operation == FileOperation::kReserve && absl::EndsWith(path, ".log.tmp") && !segments) ||
                           (operation == FileOperation::kReserve && absl::EndsWith(path, "BALLAST") && !ballast);
      if (!is_full) return std::nullopt;
      return MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space left")};
    });
  }
  ~FillingDisk() { files_.SetFaults(nullptr); }

  // What has room.
  std::atomic<bool> snapshots = false;
  std::atomic<bool> segments = true;
  std::atomic<bool> ballast = true;

 private:
  MemoryFileSystem& files_;
};

void DamageSnapshot(CompactingLedger& ledger, uint64_t id) {
  std::string bytes = ledger.files().Contents(FileLedger::SnapshotPath(id));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  ledger.files().SetContents(FileLedger::SnapshotPath(id), bytes);
}

TEST_CASE("the next snapshot is made without one that was damaged meanwhile, loudly, as long as there is another way") {
  CompactingLedger ledger(12);
  Prepare(ledger);
  REQUIRE(ledger.Listing().snapshot_ids == Ids{1, 2});
  DamageSnapshot(ledger, 2);
  ledger.MakeSnapshot();
  CHECK(ledger.failures().empty());
  CHECK(ledger.Listing().snapshot_ids == Ids{1, 3});
  REQUIRE(ledger.notices().size() == 1);
  CHECK_THAT(ledger.notices()[0], ContainsText("going on without it, from " + FileLedger::SnapshotPath(1)));
  ledger.CheckState();
  DamageSnapshot(ledger, 1);
  DamageSnapshot(ledger, 3);
  ledger.MakeSnapshot();
  REQUIRE(ledger.failures().size() == 1);
  CHECK(Is(ledger.failures()[0].status, errors::kDamagedLog));
  CHECK(ledger.Listing().snapshot_ids == Ids{1, 3});
}

TEST_CASE(
    "who reads the state meets a snapshot that was damaged meanwhile once, and then reads the same state without") {
  CompactingLedger ledger(12);
  Prepare(ledger);
  DamageSnapshot(ledger, 2);
  const auto first = ReadState(ledger.log());
  CHECK(absl::IsUnavailable(first.status()));
  CHECK_THAT(std::string(first.status().message()), ContainsText("read anew"));
  REQUIRE(ledger.notices().size() == 1);
  CHECK_THAT(ledger.notices()[0], ContainsText("going on without it, from " + FileLedger::SnapshotPath(1)));
  ledger.CheckState();
  CHECK(ledger.log().position().snapshot_revision > 0);
  DamageSnapshot(ledger, 1);
  const auto second = ReadState(ledger.log());
  CHECK(Is(second.status(), errors::kDamagedLog));
}

TEST_CASE("a newest snapshot that is gone is passed over, by who reads and by who makes the next one") {
  const bool reads_first = GENERATE(false, true);
  CompactingLedger ledger(12);
  Prepare(ledger);
  ledger.files().Delete(FileLedger::SnapshotPath(2));
  if (reads_first) ledger.CheckState();
  ledger.MakeSnapshot();
  CHECK(ledger.failures().empty());
  CHECK(ledger.Listing().snapshot_ids == Ids{1, 3});
  CHECK(ledger.notices().size() == 1);
  ledger.CheckState();
}

TEST_CASE("on a full disk a damaged snapshot goes at once only if the one before was read and is whole") {
  const bool both = GENERATE(false, true);
  CompactingLedger ledger(12);
  Prepare(ledger);
  DamageSnapshot(ledger, 2);
  CHECK_FALSE(ReadState(ledger.log()).ok());  // and passes over it
  if (both) DamageSnapshot(ledger, 1);
  {
    FillingDisk disk(ledger.files());
    ledger.MakeSnapshot();
  }
  REQUIRE(ledger.failures().size() == 1);
  CHECK(ledger.Listing().snapshot_ids == (both ? Ids{1, 2} : Ids{1}));
}

TEST_CASE("a power cut during a compaction loses nothing that was acknowledged") {
  const uint64_t seed = TestSeed();
  std::mt19937 random(seed);
  for (int round = 0; round < 40; ++round) {
    INFO("KVS_SEED=" << seed << ", round " << round);
    CompactingLedger ledger(seed + static_cast<uint32_t>(round));
    Prepare(ledger);
    const size_t stop = 1 + random() % 60;
    {
      CompactionFaults faults(ledger.files(), [&](size_t number, auto, const std::string&) {
        return number < stop ? std::nullopt
                             : std::make_optional(MemoryFileSystem::Fault{absl::InternalError("stopped"), 10});
      });
      ledger.MakeSnapshot();
      for (size_t i = random() % 10; i > 0; --i) ledger.Grow();
      ledger.Kill();
    }
    ledger.files().PowerCut(random);
    ledger.Start();
    ledger.CheckState();
    // Once more, from what that left.
    ledger.MakeSnapshot();
    ledger.Kill();
    ledger.files().PowerCut(random);
    ledger.Start();
    ledger.CheckState();
  }
}

TEST_CASE("whatever is logged and compacted when, snapshot and tail give the same state as the segments alone") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 10; ++round) {
    INFO("round " << round);
    const bool full = round % 2 == 0;
    CompactingLedger ledger(random(), {5 + random() % 40, 10 + random() % 300, 1 + random() % 20, random() % 2 == 0});
    ledger.compaction().retention = full ? Retention::kFull : Retention::kOnDelete;
    for (int start = 0; start < 4; ++start) {
      ledger.options().segment_bytes = (8 + random() % 64) * kKiB;
      ledger.compaction().min_bytes = (4 + random() % 40) * kKiB;
      ledger.compaction().table_bytes = kKiB << random() % 12;
      ledger.Start();
      ledger.CheckState();
      for (size_t i = random() % 60; i > 0; --i) {
        ledger.Grow(1 + random() % 30);
        if (random() % 8 == 0) ledger.Idle();
      }
      ledger.CheckState();
      switch (random() % 3) {
        case 0:
          ledger.Stop();
          break;
        case 1:
          ledger.Kill();
          break;
        default:
          ledger.Kill();
          ledger.files().PowerCut(random);
      }
    }
    ledger.compaction().min_bytes = 100 * kMiB;
    ledger.Start();
    ledger.CheckState();
    if (!full) continue;
    ledger.CheckReplay();
    ledger.Kill();
    for (const uint64_t id : ledger.Listing().snapshot_ids) ledger.files().Delete(FileLedger::SnapshotPath(id));
    REQUIRE(ledger.Open() == absl::OkStatus());
    CHECK(ledger.log().position().snapshot_revision == 0);
    ledger.CheckState();
  }
}

TEST_CASE("no space at any place of a compaction: the error is told, the log goes on, and the next try works") {
  using FileOperation = MemoryFileSystem::Operation;
  size_t told = 0;
  for (size_t n = 1;; ++n) {
    INFO("no space for request " << n);
    CompactingLedger ledger(4);
    Prepare(ledger);
    {
      size_t requests = 0;
      CompactionFaults faults(ledger.files(), [&](size_t, FileOperation operation, const std::string&) {
        return !TakesSpace(operation) || ++requests != n
                   ? std::nullopt
                   : std::make_optional(MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space left"), 50});
      });
      ledger.MakeSnapshot();
      if (faults.faults() == 0) {
        CHECK(told > 5);
        return;
      }
    }
    ++told;
    REQUIRE(ledger.failures().size() == 1);
    CHECK(Is(ledger.failures()[0].status, errors::kNoSpace));
    CheckFiles(ledger);
    CHECK(ledger.Listing().snapshot_ids == Ids{1, 2});
    ledger.CheckState();
    ledger.MakeSnapshot();
    CHECK(ledger.Listing().snapshot_ids == Ids{2, 3});
    ledger.Kill();
    ledger.Start();
    CheckGoesOn(ledger);
  }
}

TEST_CASE("the ballast is given up where a snapshot finds no space, and made again") {
  using FileOperation = MemoryFileSystem::Operation;
  CompactingLedger ledger(5);
  ledger.compaction().ballast_bytes = 8 * kKiB;
  Prepare(ledger);
  CHECK(ledger.files().Contents("/log/BALLAST").size() == ledger.compaction().ballast_bytes);
  ledger.files().TakeTrace();
  {
    bool full = true;
    CompactionFaults faults(ledger.files(), [&](size_t, FileOperation operation, const std::string& path) {
      if (operation == FileOperation::kTruncate && path == "/log/BALLAST") full = false;
      return operation == FileOperation::kWrite && full
                 ? std::make_optional(MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space left"), 50})
                 : std::nullopt;
    });
    ledger.MakeSnapshot();
    CHECK(faults.faults() == 1);
    // It was made again before the next one is begun.
    ledger.MakeSnapshot();
  }
  CHECK(ledger.failures().empty());
  const auto trace = ledger.files().TakeTrace();
  const auto removed = std::find(trace.begin(), trace.end(), "truncate /log/BALLAST");
  REQUIRE(removed != trace.end());
  CHECK(std::find(removed, trace.end(), "reserve /log/BALLAST") != trace.end());
  CHECK(ledger.files().Contents("/log/BALLAST").size() == ledger.compaction().ballast_bytes);
  ledger.CheckState();
  ledger.Stop();
  ledger.Start();
  CheckGoesOn(ledger);
}

TEST_CASE("a snapshot that frees nothing does not take the ballast") {
  CompactingLedger ledger(5);
  ledger.compaction().ballast_bytes = 8 * kKiB;
  ledger.Start();
  FillingDisk disk(ledger.files());
  ledger.files().TakeTrace();
  ledger.MakeSnapshot();
  REQUIRE(ledger.failures().size() == 1);
  CHECK(Is(ledger.failures()[0].status, errors::kNoSpace));
  for (const std::string& line : ledger.files().TakeTrace()) CHECK(line != "truncate /log/BALLAST");
}

TEST_CASE("a snapshot that failed is tried again after a while, though nothing is logged") {
  CompactingLedger ledger(5);
  ledger.compaction().shortest_retry = absl::Milliseconds(1);
  std::atomic<int> failures = 3;
  ledger.files().SetFaults([&](auto operation, const std::string& path) -> std::optional<MemoryFileSystem::Fault> {
    const bool fails = operation == MemoryFileSystem::Operation::kCreate && absl::EndsWith(path, ".snap.tmp");
    if (!fails || failures-- <= 0) return std::nullopt;
    return MemoryFileSystem::Fault{absl::InternalError("an I/O error")};
  });
  ledger.Start();
  ledger.MakeSnapshot();
  ledger.AwaitCompactions(4);
  REQUIRE(ledger.failures().size() == 3);
  CHECK(ledger.failures()[0].is_news);
  CHECK_FALSE(ledger.failures()[1].is_news);
  CHECK_FALSE(ledger.failures()[2].is_news);
  CHECK(ledger.reports().at(0).failed_attempts == 3);
  CHECK(ledger.Listing().snapshot_ids == Ids{1});
  ledger.CheckState();
  ledger.Kill();
  ledger.files().SetFaults(nullptr);
}

TEST_CASE("a ballast for which there was no room is filled when there is, though nothing is logged") {
  CompactingLedger ledger(5);
  ledger.compaction().ballast_bytes = 4 * kKiB;  // is asked for as a whole
  ledger.compaction().ballast_retry = absl::Milliseconds(1);
  Mutex mutex;
  CondVar changed;
  int requests = 0;
  ledger.files().SetFaults([&](auto operation, const std::string& path) -> std::optional<MemoryFileSystem::Fault> {
    if (operation != MemoryFileSystem::Operation::kReserve || path != "/log/BALLAST") return std::nullopt;
    MutexLock lock(&mutex);
    changed.SignalAll();
    if (++requests > 3) return std::nullopt;
    return MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space left")};
  });
  REQUIRE(ledger.Open() == absl::OkStatus());
  {
    MutexLock lock(&mutex);
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (requests < 4 && absl::Now() < deadline) changed.WaitWithTimeout(&mutex, absl::Seconds(1));
    CHECK(requests == 4);
  }
  ledger.Kill();
  CHECK(ledger.files().Contents("/log/BALLAST").size() == ledger.compaction().ballast_bytes);
  ledger.files().SetFaults(nullptr);
}

TEST_CASE("what no space keeps from being logged goes on when a snapshot has made some") {
  using FileOperation = MemoryFileSystem::Operation;
  CompactingLedger ledger(6);
  ledger.compaction().min_bytes = kMiB;  // nothing is due but for want of space
  ledger.Start();
  for (int i = 0; i < 60; ++i) ledger.Grow();
  std::atomic<bool> full = true;
  ledger.files().SetFaults(
      [&](FileOperation operation, const std::string& path) -> std::optional<MemoryFileSystem::Fault> {
        if (operation == FileOperation::kRemove && absl::EndsWith(path, ".log")) full = false;
        // Small files have room, segments do not.
        if (!full || operation != FileOperation::kReserve) return std::nullopt;
        return MemoryFileSystem::Fault{Error(errors::kNoSpace, "no space left")};
      });
  SampleFrame frame = ledger.history().NextFrame(20);
  absl::Status status = ledger.Append(frame);
  while (status.ok()) {
    frame = ledger.history().NextFrame(20);
    status = ledger.Append(frame);
  }
  CHECK(Is(status, errors::kNoSpace));
  ledger.AwaitCompactions(2);
  status = ledger.Append(frame);
  CHECK(status == absl::OkStatus());
  CHECK(ledger.log().position().compacted_revision > 0);
  ledger.CheckState();
  ledger.files().SetFaults(nullptr);
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.CheckState();
}

// Writes until there is no room for more.
void Starve(FileLedger& ledger) {
  const std::string text(1000, 'x');
  absl::Status status;
  while (status.ok()) status = ledger.Append(MakeFrame(ledger.log().position().durable_revision + 1, 1, text));
  CHECK(Is(status, errors::kNoSpace));
}

TEST_CASE("writers that find no space again and again do not make a snapshot be tried more often") {
  CompactingLedger ledger;
  ledger.compaction().min_bytes = kMiB;  // nothing is due but for want of space
  ledger.Start();
  FillingDisk disk(ledger.files());
  for (int i = 0; i < 30; ++i) ledger.Write(1, std::string(1000, 'x'));
  disk.segments = false;
  Starve(ledger);
  ledger.AwaitCompactions(1);
  for (int i = 0; i < 200; ++i) Starve(ledger);
  ledger.Kill();
  CHECK(ledger.failures().size() == 1);
}

TEST_CASE("a snapshot for which there was no space is tried again when there may be some") {
  CompactingLedger ledger;
  ledger.compaction().min_bytes = kKiB;
  ledger.compaction().shortest_retry = absl::Milliseconds(300);
  ledger.compaction().ballast_bytes = 8 * kKiB;
  ledger.compaction().ballast_retry = absl::Milliseconds(1);
  FillingDisk disk(ledger.files());
  disk.ballast = false;
  REQUIRE(ledger.Open() == absl::OkStatus());
  ledger.BecomeWriter();
  // With each doubling of the log it is tried again, and the wait doubles: to more than half a minute.
  for (size_t bytes = kKiB; ledger.failures().size() < 8; bytes *= 3) {
    const size_t before = ledger.compactions();
    ledger.Write(1, std::string(bytes / 2, 'x'));
    ledger.Write(1, std::string(bytes / 2, 'x'));
    ledger.AwaitCompactions(before + 1);
  }
  const absl::Time begin = absl::Now();
  size_t before = ledger.compactions();
  SECTION("the ballast finds room") {
    disk.snapshots = true;
    disk.ballast = true;
  }
  SECTION("a writer finds room") {
    disk.segments = false;
    Starve(ledger);
    ledger.AwaitCompactions(++before);
    disk.snapshots = true;
    disk.segments = true;
    ledger.Write();
  }
  ledger.AwaitCompactions(before + 1);
  CHECK(absl::Now() - begin < absl::Seconds(20));
  REQUIRE(ledger.reports().size() == 1);
  CHECK(ledger.reports()[0].failed_attempts == before);
}

TEST_CASE("out of space, the newest snapshot stands alone if it is whole, and not if it is damaged") {
  const bool damaged = GENERATE(false, true);
  CompactingLedger ledger(8);
  ledger.Start();
  ledger.MakeSnapshot();
  ledger.MakeSnapshot();
  REQUIRE(ledger.Listing().snapshot_ids == Ids{1, 2});
  if (damaged) DamageSnapshot(ledger, 2);
  FillingDisk disk(ledger.files());
  disk.segments = false;
  Starve(ledger);
  ledger.AwaitCompactions(3);
  REQUIRE(ledger.failures().size() == 1);
  CHECK(Is(ledger.failures()[0].status, errors::kNoSpace));
  CHECK(ledger.Listing().snapshot_ids == (damaged ? Ids{1} : Ids{2}));
  const uint64_t first_needed = SegmentOf(ledger, damaged ? 1 : 2);
  CHECK(ledger.Listing().segment_ids.front() == first_needed);
  REQUIRE(ledger.notices().size() == 1);
  CHECK_THAT(ledger.notices()[0], ContainsText(damaged ? "going on without it" : "is whole"));
  ledger.Kill();
  REQUIRE(ledger.Open() == absl::OkStatus());
}

TEST_CASE("what an interrupted compaction left is removed by the next start") {
  CompactingLedger ledger(8);
  Prepare(ledger);
  ledger.Kill();
  for (const char* name : {"0000000003.snap.tmp", "0000000003.run.1.tmp", "0000000003.run.12.tmp"}) {
    ledger.files().SetContents(std::string("/log/") + name, "half a file");
  }
  ledger.Start();
  CheckFiles(ledger);
  CHECK(ledger.Listing().snapshot_ids == Ids{1, 2});
  CheckGoesOn(ledger);
}

TEST_CASE("a snapshot more than is needed goes with the next one") {
  CompactingLedger ledger(9);
  Prepare(ledger);
  const std::string oldest = ledger.files().Contents(FileLedger::SnapshotPath(1));
  // As after a crash between the third snapshot and the first removal.
  const auto before = ledger.Snapshot();
  ledger.MakeSnapshot();
  const std::string newest = ledger.files().Contents(FileLedger::SnapshotPath(3));
  std::map<std::string, std::string> after;
  for (const auto& [path, contents] : before) after[path] = contents;
  for (const auto& [path, contents] : ledger.Snapshot()) after[path] = contents;
  ledger.Stop();
  for (const auto& [path, contents] : ledger.Snapshot()) after[path] = contents;
  for (const auto& [path, contents] : after) {
    if (path != "/log/LOCK") ledger.files().SetContents(path, contents);
  }
  REQUIRE(ledger.Listing().snapshot_ids == Ids{1, 2, 3});
  ledger.Start();
  ledger.CheckState();
  ledger.MakeSnapshot();
  CHECK(ledger.Listing().snapshot_ids == Ids{3, 4});
  CHECK(ledger.Listing().segment_ids.front() == SegmentOf(ledger, 3));
  CheckGoesOn(ledger);
}

TEST_CASE("a key with more changes than a block can hold is folded by way of runs") {
  // A member a transaction, 20 MiB of one set in one run.
  CompactingLedger ledger(10);
  ledger.options().segment_bytes = 4 * kMiB;
  ledger.compaction().min_bytes = 30 * kMiB;
  ledger.compaction().table_bytes = 24 * kMiB;
  ledger.Start();
  uint64_t revision = 0;
  std::string all;
  while (ledger.compactions() == 0 && revision < 1000) {
    SampleFrame frame{revision + 1, 1, ""};
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back(absl::StrCat(std::string(90, 'm'), revision, "-", 1000 + i));
    Texts members(names.begin(), names.end());
    std::sort(members.begin(), members.end());
    frame.bytes = Entry(revision + 1, revision, ValueType::kSet, "set", operation::AddMembers{members});
    ++revision;
    all += frame.bytes;
    REQUIRE(ledger.Append(frame) == absl::OkStatus());
    if (all.size() > 30 * kMiB) ledger.AwaitCompactions(1);
  }
  CHECK(ledger.notices().empty());
  REQUIRE(ledger.reports().size() == 1);
  const auto state = ReadState(ledger.log());
  REQUIRE(state.status() == absl::OkStatus());
  const bool same = state->Snapshot() == StateOf(all)->Snapshot();
  CHECK(same);
}

}  // namespace
}  // namespace kvs::txn
