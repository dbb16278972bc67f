// The disk as a crash may leave it after each operation of a ledger that is used in every way.

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>
#include <malloc.h>

#include <iostream>
#include <random>

#include "tests/support/crash_check.h"
#include "tests/support/fault_injection.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

using Unsynced = MemoryFileSystem::Unsynced;

// Every state that differs from those before, in what is on the disk or in what was promised, is tried once.
class CrashStates {
 public:
  explicit CrashStates(RecordedLedger& ledger) : ledger_(ledger), check_(ledger) {}

  size_t states() const { return seen_.size(); }

  // `how` says what the crash was, after which operation.
  void Try(const std::string& how, size_t operation, std::unique_ptr<MemoryFileSystem> files, const Promise& promise) {
    const size_t hash = absl::HashOf(how == "killed", files->AllContents("/log/"), promise.acknowledged_revision,
                                     promise.begun_revision, promise.acknowledged_epoch, promise.begun_epoch);
    if (!seen_.insert(hash).second) return;
    const auto kept = files->Clone();
    const std::string problem = check_.Try(*files, promise);
    if (problem.empty()) return;
    const auto& operations = ledger_.recording().operations();
    for (size_t i = operation < 20 ? 0 : operation - 20; i <= operation && i < operations.size(); ++i) {
      UNSCOPED_INFO(operations[i].Describe());
    }
    const std::string name = absl::StrCat("kvs-crash-", TestSeed(), "-", operation, "-", seen_.size());
    FAIL("KVS_SEED=" << TestSeed() << ", " << how << " after operation " << operation
                     << ", the last one above: " << problem << ". The files are in " << CrashCheck::Keep(*kept, name));
  }

 private:
  RecordedLedger& ledger_;
  CrashCheck check_;
  absl::flat_hash_set<size_t> seen_;
};

// Hundreds of thousands of buffers of 1 MiB are not to be given back to the system, and taken again, one by one.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 64 * kMiB);
  mallopt(M_TRIM_THRESHOLD, 256 * kMiB);
}

size_t CountOf(const std::vector<RecordedOperation>& operations, RecordedOperation::Kind kind) {
  return static_cast<size_t>(std::count_if(operations.begin(), operations.end(),
                                           [kind](const RecordedOperation& o) { return o.kind == kind; }));
}

TEST_CASE("crash states: whatever a crash leaves of what was not synced, all that was acknowledged is there, exactly") {
  KeepFreedMemory();
  RecordedLedger ledger(static_cast<uint32_t>(TestSeed()));
  const int sessions = LongTests() ? 40 : 10;
  for (int i = 0; i < sessions; ++i) ledger.Session(i, 60);
  const auto& operations = ledger.recording().operations();
  using Kind = RecordedOperation::Kind;
  REQUIRE(CountOf(operations, Kind::kTruncate) > 20);
  REQUIRE(CountOf(operations, Kind::kRemove) > 20);

  std::mt19937_64 random(TestSeed());
  const int chances = LongTests() ? 60 : 13;
  RecordedDisk disk;
  CrashStates states(ledger);
  for (size_t i = 0; i < operations.size(); ++i) {
    disk.Apply(operations[i]);
    const Promise& promise = i + 1 < operations.size() ? operations[i + 1].before : ledger.recording().promise();
    states.Try("killed", i, disk.files().Clone(), promise);
    for (int chance = -2; chance < chances; ++chance) {
      auto files = disk.files().Clone();
      files->PowerCut(random, chance == -2 ? Unsynced::kLost : chance == -1 ? Unsynced::kKept : Unsynced::kRandom);
      states.Try("power cut", i, std::move(files), promise);
    }
  }
  std::cout << "crash states: " << states.states() << " of " << operations.size() << " operations, "
            << CountOf(operations, Kind::kWrite) << " writes, " << CountOf(operations, Kind::kSync) << " syncs, "
            << CountOf(operations, Kind::kRename) << " renames, " << ledger.truth().last_revision() << " revisions\n";
  CHECK(states.states() >= (LongTests() ? 200'000 : 20'000));
}

// Uses the ledger for some sessions, each until a snapshot was made or could not be made, or something failed.
absl::Status UseUntilFailure(RecordedLedger& ledger, int sessions) {
  for (int session = 0; session < sessions; ++session) {
    if (absl::Status status = ledger.Open(); !status.ok()) return status;
    if (absl::Status status = ledger.TryToBecomeWriter(); !status.ok()) return status;
    for (int groups = 0; groups < 20 || ledger.compactions() == 0; ++groups) {
      REQUIRE(groups < 10'000);
      const SampleFrame frame = ledger.history().NextFrame(static_cast<uint32_t>(1 + ledger.history().Pick(15)));
      if (absl::Status status = ledger.Append(frame); !status.ok()) return status;
    }
    if (absl::Status status = ledger.log().Idle(); !status.ok()) return status;
    ledger.Kill();
  }
  return absl::OkStatus();
}

TEST_CASE("crash states: after any sync that failed, and a restart, what was in the page cache alone is not durable") {
  KeepFreedMemory();
  using Operation = MemoryFileSystem::Operation;
  const auto is_sync = [](Operation operation, const std::string&) {
    return operation == Operation::kSync || operation == Operation::kSyncDirectory;
  };
  size_t ended_log = 0;
  size_t tried = 0;
  size_t states = 0;
  std::mt19937_64 random(TestSeed());
  for (int sync = 0;; ++sync, ++tried) {
    INFO("KVS_SEED=" << TestSeed() << ", sync " << sync << " fails");
    RecordedLedger ledger(static_cast<uint32_t>(TestSeed()));
    FaultInjection faults(ledger.files(), sync, FaultInjection::Extent::kOne, {absl::InternalError("I/O error")},
                          is_sync);
    const absl::Status status = UseUntilFailure(ledger, LongTests() ? 8 : 3);
    const Promise promise = ledger.recording().promise();
    if (!status.ok()) ++ended_log;
    ledger.Kill();
    if (!faults.End()) {
      CHECK(status == absl::OkStatus());
      break;
    }
    CrashCheck check(ledger);
    for (int cut = -3; cut < 4; ++cut, ++states) {
      const auto files = ledger.files().Clone();
      if (cut > -3)
        files->PowerCut(random, cut == -2 ? Unsynced::kLost : cut == -1 ? Unsynced::kKept : Unsynced::kRandom);
      const std::string problem = check.Try(*files, promise);
      if (!problem.empty()) FAIL((cut == -3 ? "killed: " : "power cut: ") << problem);
    }
  }
  std::cout << "failed syncs: " << tried << ", of which " << ended_log << " ended the log; " << states << " states\n";
  CHECK(tried >= 80);
  CHECK(ended_log >= 50);
}

}  // namespace
}  // namespace kvs::txn
