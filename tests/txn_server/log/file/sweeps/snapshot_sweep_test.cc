// Every kind of damage that a disk or a person may do to a snapshot, in every place.

#include <absl/strings/numbers.h>

#include <functional>
#include <iostream>
#include <random>

#include "tests/support/compacting_ledger.h"
#include "tests/support/snapshot_samples.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

constexpr uint64_t kOlderSnapshot = 2;
constexpr uint64_t kNewestSnapshot = 3;

// What a start reads.
struct RawState {
  uint64_t snapshot_revision = 0;
  std::string bytes;
};

RawState ReadRaw(TxnLog& log) {
  auto replay = log.ReplayState();
  RawState state{replay->snapshot_revision, ""};
  while (replay->snapshot) {
    const auto chunk = replay->snapshot->Next();
    if (!chunk.ok() || !*chunk) break;
    state.bytes += std::string((*chunk)->transactions);
  }
  while (true) {
    const auto frame = replay->tail->Next();
    if (!frame.ok() || !*frame) return state;
    state.bytes += std::string((*frame)->transactions);
  }
}

// A closed ledger that has lost its first segments, with two snapshots of several blocks and something behind each.
class SnapshotSweep {
 public:
  explicit SnapshotSweep(uint32_t seed = 11, const std::string& log_id = "0123456789abcdef")
      : ledger_(seed, {12, 2500, 8, true}) {
    ledger_.options().new_log_id = log_id;
    ledger_.options().segment_bytes = 64 * kKiB;
    ledger_.compaction().min_bytes = 300 * kKiB;
    ledger_.Start();
    for (int i = 0; i < 3; ++i) ledger_.MakeSnapshot();
    ledger_.Grow();
    ledger_.Stop();
    ledger_.compaction().min_bytes = 100 * kMiB;  // nothing happens by itself from here on
    intact_ = ledger_.Snapshot();
    REQUIRE(ledger_.Listing().snapshot_ids == std::vector<uint64_t>{kOlderSnapshot, kNewestSnapshot});
    REQUIRE(ledger_.Listing().segment_ids.front() > 1);
    from_newest_ = StateWithout({});
    from_older_ = StateWithout({FileLedger::SnapshotPath(kNewestSnapshot)});
    REQUIRE(from_older_.snapshot_revision < from_newest_.snapshot_revision);
  }

  std::string Bytes(uint64_t id) const {
    for (const auto& [path, bytes] : intact_) {
      if (path == FileLedger::SnapshotPath(id)) return bytes;
    }
    return "";
  }
  size_t Pick(size_t bound) { return random_() % bound; }
  size_t cases() const { return cases_; }

  // The newest snapshot with these bytes: the older one gives the same state, and what is wrong is told. Where that is
  // missing, too, the ledger is refused. What is told names the place where the bytes begin that are wrong.
  void TryNewest(const std::string& what, const std::string& bytes, uint64_t begin) {
    if (bytes == Bytes(kNewestSnapshot)) return;
    INFO("KVS_SEED=" << TestSeed() << ", the newest snapshot, " << what);
    ++cases_;
    files().SetContents(FileLedger::SnapshotPath(kNewestSnapshot), bytes);
    if (ledger_.Open() != absl::OkStatus()) FAIL("it is refused");
    const std::vector<std::string> notices = ledger_.notices();
    const bool told = notices.size() == 1 && absl::StrContains(notices[0], FileLedger::SnapshotPath(kNewestSnapshot)) &&
                      absl::StrContains(notices[0], "going on without it");
    if (!told) FAIL("it is not told");
    CheckState(from_older_);
    Restore();

    files().Delete(FileLedger::SnapshotPath(kOlderSnapshot));
    files().SetContents(FileLedger::SnapshotPath(kNewestSnapshot), bytes);
    CheckRefused(begin);
    Restore();
  }

  // The older one with these bytes: it is not needed, and who looks at everything notices.
  void TryOlder(const std::string& what, const std::string& bytes) {
    if (bytes == Bytes(kOlderSnapshot)) return;
    INFO("KVS_SEED=" << TestSeed() << ", the older snapshot, " << what);
    ++cases_;
    files().SetContents(FileLedger::SnapshotPath(kOlderSnapshot), bytes);
    const auto report = InspectLog("/log", nullptr, files());
    const bool noticed = report.ok() && report->verdict.ok() && report->scan.damaged_snapshots.size() == 1 &&
                         report->scan.damaged_snapshots[0].path == FileLedger::SnapshotPath(kOlderSnapshot);
    if (!noticed) FAIL("it is not noticed");
    if (ledger_.Open() != absl::OkStatus()) FAIL("it is refused");
    CheckState(from_newest_);
    Restore();
  }

  // These files instead of those that are there; none for one that is gone. Whether the ledger is opened, which then
  // has the same state.
  bool Opens(const std::map<std::string, std::optional<std::string>>& changes) {
    ++cases_;
    for (const auto& [path, bytes] : changes) bytes ? files().SetContents(path, *bytes) : files().Delete(path);
    const absl::Status status = ledger_.Open();
    if (status.ok()) {
      ledger_.CheckState();
    } else {
      CHECK(RefusedAsDamaged(status));
    }
    Restore();
    return status.ok();
  }

  void Print(const std::string& what) const { std::cout << "snapshots, " << what << ": " << cases_ << " cases\n"; }

 private:
  MemoryFileSystem& files() { return ledger_.files(); }

  RawState StateWithout(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) files().Delete(path);
    REQUIRE(ledger_.Open() == absl::OkStatus());
    ledger_.CheckState();
    RawState state = ReadRaw(ledger_.log());
    Restore();
    return state;
  }

  void CheckState(const RawState& expected) {
    const RawState state = ReadRaw(ledger_.log());
    if (state.snapshot_revision != expected.snapshot_revision) FAIL("another snapshot is used");
    if (state.bytes != expected.bytes) FAIL("it gives another state");
  }

  void CheckRefused(uint64_t begin) {
    files().TakeTrace();
    const absl::Status status = ledger_.Open();
    if (!Is(status, errors::kDamagedLog)) FAIL("it is opened, or not called damaged: " << status.ToString());
    uint64_t offset = 0;
    const bool told = MetadataOf(status, "file") == FileLedger::SnapshotPath(kNewestSnapshot) &&
                      absl::SimpleAtoi(MetadataOf(status, "offset"), &offset) && offset == begin &&
                      MetadataOf(status, "revision") == "0";
    if (!told) FAIL("told is: " << status.ToString() << ", and not offset " << begin);
    if (!files().TakeTrace().empty()) FAIL("something was changed");
  }

  void Restore() {
    ledger_.Kill();
    ledger_.Restore(intact_);
  }

  CompactingLedger ledger_;
  std::vector<std::pair<std::string, std::string>> intact_;
  RawState from_newest_;
  RawState from_older_;
  size_t cases_ = 0;
  std::mt19937_64 random_{TestSeed()};
};

// Where the header or the block begins that holds a byte.
uint64_t BeginOfBlock(const std::vector<size_t>& blocks, uint64_t at) {
  if (at < blocks.front()) return 0;
  return *std::prev(std::upper_bound(blocks.begin(), blocks.end(), at));
}

bool IsInHeader(const std::vector<size_t>& blocks, uint64_t at) {
  return at < kSnapshotHeaderBytes || at < BeginOfBlock(blocks, at) + kBlockHeaderBytes;
}

// Calls `visit` with all bytes of headers and one of `sample` others, or with all in the long tests.
void ForEachByteOfSnapshot(SnapshotSweep& sweep, const std::string& bytes, size_t sample,
                           const std::function<void(uint64_t)>& visit) {
  const std::vector<size_t> blocks = BlockOffsets(bytes);
  REQUIRE(blocks.size() > 2);
  for (uint64_t at = 0; at < bytes.size(); ++at) {
    if (LongTests() || IsInHeader(blocks, at) || sweep.Pick(sample) == 0) visit(at);
  }
}

void TryBoth(SnapshotSweep& sweep, const std::string& what, uint64_t at,
             const std::function<void(std::string&)>& change) {
  std::string newest = sweep.Bytes(kNewestSnapshot);
  if (at < newest.size()) {
    change(newest);
    sweep.TryNewest(what, newest, BeginOfBlock(BlockOffsets(sweep.Bytes(kNewestSnapshot)), at));
  }
  std::string older = sweep.Bytes(kOlderSnapshot);
  if (at >= older.size()) return;
  change(older);
  sweep.TryOlder(what, older);
}

TEST_CASE("sweep: a snapshot truncated at any byte is passed over, or refused where it is needed") {
  SnapshotSweep sweep;
  const std::string newest = sweep.Bytes(kNewestSnapshot);
  ForEachByteOfSnapshot(sweep, newest, 1200, [&](uint64_t size) {
    // What is left of the header cannot be read, or says how large the file should be.
    const uint64_t begin = size < kSnapshotHeaderBytes ? 0 : size;
    sweep.TryNewest(absl::StrCat("cut to ", size, " bytes"), newest.substr(0, size), begin);
    if (size < sweep.Bytes(kOlderSnapshot).size()) {
      sweep.TryOlder(absl::StrCat("cut to ", size, " bytes"), sweep.Bytes(kOlderSnapshot).substr(0, size));
    }
  });
  sweep.Print("truncated");
  CHECK(sweep.cases() >= 1000);
}

TEST_CASE("sweep: a snapshot with any bit flipped is passed over, or refused where it is needed") {
  SnapshotSweep sweep;
  ForEachByteOfSnapshot(sweep, sweep.Bytes(kNewestSnapshot), 400, [&](uint64_t at) {
    const size_t only = sweep.Pick(8);
    for (size_t bit = 0; bit < 8; ++bit) {
      if (!LongTests() && bit != only) continue;
      TryBoth(sweep, absl::StrCat("bit ", bit, " of byte ", at), at,
              [&](std::string& bytes) { bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit)); });
    }
  });
  sweep.Print("bits flipped");
  CHECK(sweep.cases() >= 1000);
}

TEST_CASE("sweep: a snapshot with any sector zeroed, set to ones, overwritten or stale is passed over or refused") {
  SnapshotSweep sweep;
  SnapshotSweep earlier(12);
  for (uint64_t at = 0; at < sweep.Bytes(kNewestSnapshot).size(); at += kSectorBytes) {
    const auto replace = [&](const std::string& what, const std::function<std::string(const std::string&)>& content) {
      // The first byte that differs tells which block is damaged.
      std::string changed = sweep.Bytes(kNewestSnapshot);
      const std::string put = content(changed).substr(0, changed.size() - at);
      changed.replace(at, put.size(), put);
      const std::string intact = sweep.Bytes(kNewestSnapshot);
      const auto first =
          static_cast<uint64_t>(std::mismatch(changed.begin(), changed.end(), intact.begin()).first - changed.begin());
      sweep.TryNewest(absl::StrCat(what, " at ", at), changed, BeginOfBlock(BlockOffsets(intact), first));
      std::string older = sweep.Bytes(kOlderSnapshot);
      if (at + kSectorBytes > older.size()) return;
      older.replace(at, kSectorBytes, content(older).substr(0, kSectorBytes));
      if (older.size() == sweep.Bytes(kOlderSnapshot).size()) sweep.TryOlder(absl::StrCat(what, " at ", at), older);
    };
    replace("zeroed", [](const std::string&) { return std::string(kSectorBytes, '\0'); });
    replace("set to ones", [](const std::string&) { return std::string(kSectorBytes, '\xFF'); });
    if (at > 0) {
      replace("overwritten by the one before",
              [at](const std::string& bytes) { return bytes.substr(at - kSectorBytes, kSectorBytes); });
    }
    replace("overwritten by another", [&](const std::string& bytes) {
      const size_t other = sweep.Pick(bytes.size() / kSectorBytes) * kSectorBytes;
      return bytes.substr(other, kSectorBytes);
    });
  }
  sweep.Print("sectors zeroed, set to ones, overwritten");
  CHECK(sweep.cases() >= 500);
}

TEST_CASE("sweep: snapshots missing, renamed, exchanged, stale or of another ledger never give another state") {
  SnapshotSweep sweep;
  const std::string older_path = FileLedger::SnapshotPath(kOlderSnapshot);
  const std::string newest_path = FileLedger::SnapshotPath(kNewestSnapshot);
  const std::string older = sweep.Bytes(kOlderSnapshot);
  const std::string newest = sweep.Bytes(kNewestSnapshot);
  CHECK(sweep.Opens({{newest_path, std::nullopt}}));
  CHECK(sweep.Opens({{older_path, std::nullopt}}));
  CHECK_FALSE(sweep.Opens({{older_path, std::nullopt}, {newest_path, std::nullopt}}));
  for (const uint64_t id : {1, 4, 100}) {
    const std::string path = FileLedger::SnapshotPath(id);
    CHECK(sweep.Opens({{newest_path, std::nullopt}, {path, newest}}));
    CHECK(sweep.Opens({{older_path, std::nullopt}, {path, older}}));
    CHECK(sweep.Opens({{path, older}}));
    CHECK_FALSE(sweep.Opens({{older_path, std::nullopt}, {newest_path, std::nullopt}, {path, newest}}));
  }
  CHECK_FALSE(sweep.Opens({{older_path, newest}, {newest_path, older}}));
  CHECK(sweep.Opens({{newest_path, older}}));
  CHECK(sweep.Opens({{older_path, newest}}));
  // The same history under another log id, and another history under the same one.
  for (const auto& [seed, log_id] : {std::pair(11, "another log's id"), std::pair(12, "0123456789abcdef")}) {
    SnapshotSweep other(static_cast<uint32_t>(seed), log_id);
    CHECK_FALSE(sweep.Opens({{newest_path, other.Bytes(kNewestSnapshot)}}));
    CHECK_FALSE(sweep.Opens({{older_path, other.Bytes(kOlderSnapshot)}}));
    CHECK_FALSE(sweep.Opens({{newest_path, other.Bytes(kNewestSnapshot)}, {older_path, other.Bytes(kOlderSnapshot)}}));
  }
  sweep.Print("missing, renamed, exchanged, foreign");
}

}  // namespace
}  // namespace kvs::txn
