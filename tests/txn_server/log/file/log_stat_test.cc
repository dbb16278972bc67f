#include "txn_server/log/file/log_stat.h"

#include "tests/support/catch.h"
#include "tests/support/compacting_ledger.h"
#include "tests/support/file_ledger.h"

namespace kvs::txn {
namespace {

uint64_t Strings(const LogStat& stat) { return stat.keys[static_cast<size_t>(ValueType::kString)]; }

TEST_CASE("numbers of a ledger in use") {
  FileLedger ledger;
  ledger.Start();
  ledger.Write(3);
  ledger.Write(2);
  const auto stat = StatLog("/log", nullptr, ledger.files());
  REQUIRE(stat.status() == absl::OkStatus());
  CHECK(stat->live);
  CHECK(Strings(*stat) == 5);
  CHECK(stat->time_micros == 1'700'000'000'000'005);
  CHECK(stat->scan.tip.last_revision == 5);
  CHECK(stat->segment_bytes == FileLedger::kSmallSegment);
  CHECK(stat->logged_bytes > 0);
  CHECK(stat->since_snapshot_bytes == stat->logged_bytes);
  CHECK(stat->snapshot_bytes == 0);
  CHECK(stat->state_bytes == 0);
  CHECK(stat->compacted_revision() == 0);
  CHECK(stat->snapshot_revision() == 0);
}

TEST_CASE("keys are those of the newest snapshot and what came since") {
  FileLedger ledger;
  ledger.options().segment_bytes = 16 * kKiB;
  ledger.options().compaction.min_bytes = 64 * kKiB;
  ledger.options().compaction.percent = 10;
  Mutex mutex;
  CondVar changed;
  uint64_t snapshots = 0;
  ledger.options().compacted = [&](const CompactionReport&) {
    MutexLock lock(&mutex);
    ++snapshots;
    changed.SignalAll();
  };
  ledger.Start();
  for (int i = 0; i < 200; ++i) ledger.Write(1, std::string(500, 'x'));
  {
    MutexLock lock(&mutex);
    while (snapshots == 0) changed.Wait(&mutex);
  }
  ledger.Write(4);
  ledger.Stop();
  const auto stat = StatLog("/log", nullptr, ledger.files());
  REQUIRE(stat.status() == absl::OkStatus());
  CHECK_FALSE(stat->live);
  CHECK(stat->snapshot_revision() > 0);
  CHECK(stat->snapshot_bytes > 0);
  CHECK(stat->state_bytes > 0);
  CHECK(Strings(*stat) == 204);
}

TEST_CASE("a damaged snapshot counts as one, also behind a newer one that is good") {
  CompactingLedger ledger(11, {60, 2500, 8, false});
  ledger.compaction().min_bytes = 500 * kKiB;
  ledger.Start();
  for (int i = 0; i < 3; ++i) ledger.MakeSnapshot();
  ledger.Stop();
  const std::vector<uint64_t> ids = ledger.Listing().snapshot_ids;
  REQUIRE(ids.size() == 2);
  const std::string path = FileLedger::SnapshotPath(ids.front());
  std::string bytes = ledger.files().Contents(path);
  bytes[bytes.size() / 2] ^= 4;
  ledger.files().SetContents(path, bytes);
  const auto stat = StatLog("/log", nullptr, ledger.files());
  REQUIRE(stat.status() == absl::OkStatus());
  REQUIRE(stat->scan.damaged_snapshots.size() == 1);
  CHECK(stat->scan.damaged_snapshots[0].path == path);
  CHECK(stat->scan.snapshots.size() == 1);
}

TEST_CASE("there are no numbers of a damaged ledger or none") {
  FileLedger ledger;
  CHECK(Is(StatLog("/log", nullptr, ledger.files()).status(), errors::kUnusableDirectory));
  ledger.Start();
  ledger.Write(3);
  ledger.Stop();
  ledger.FlipByte(1, 1100);
  CHECK(RefusedAsDamaged(StatLog("/log", nullptr, ledger.files()).status()));
}

}  // namespace
}  // namespace kvs::txn
