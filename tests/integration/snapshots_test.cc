// The state of kvs_server through snapshots, compaction and replays of both.

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "common/errors.h"
#include "kvs/v1/set_store.grpc.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_size.h"
#include "txn_server/log/file/file_txn_log.h"

namespace kvs {
namespace {

// The file ledger, with settings for the next start.
class FileLog {
 protected:
  std::unique_ptr<txn::TxnLog> Open() {
    options_.compacted = [this](const txn::CompactionReport&) {
      MutexLock lock(&mutex_);
      ++snapshots_;
      changed_.SignalAll();
    };
    auto log = txn::OpenFileTxnLog(options_);
    REQUIRE(log.status() == absl::OkStatus());
    return *std::move(log);
  }

  uint64_t snapshots() {
    MutexLock lock(&mutex_);
    return snapshots_;
  }
  void AwaitSnapshot(uint64_t count) {
    MutexLock lock(&mutex_);
    while (snapshots_ < count) {
      if (changed_.WaitWithTimeout(&mutex_, absl::Seconds(60)) && snapshots_ < count) FAIL("no snapshot was made");
    }
  }

  txn::FileTxnLogOptions options_;

 private:
  Mutex mutex_;
  CondVar changed_;
  uint64_t snapshots_ ABSL_GUARDED_BY(mutex_) = 0;
};

class LogInMemory : public FileLog {
 protected:
  LogInMemory() {
    options_.directory = "/log";
    options_.file_system = &files_;
    options_.segment_bytes = 16 * kKiB;
    options_.compaction.min_bytes = 8 * kKiB;
    options_.compaction.percent = 10;
    options_.compaction.ballast_bytes = 0;
  }

  txn::MemoryFileSystem files_;
};

class SnapshotTest : protected LogInMemory, public ApiPair {
 protected:
  SnapshotTest() : ApiPair(kDefaultMaxCollectionBytes, [this] { return Open(); }) {}

  // Random commands on all types.
  void Change(std::mt19937& random, int commands) {
    for (int i = 0; i < commands; ++i) {
      const SampleRequest& sample = SampleRequests()[random() % SampleRequests().size()];
      if (!sample.is_mutation || (sample.method == "Keys.Delete" && random() % 4)) continue;
      Ask(sample.method, sample.WithKey("key-" + std::to_string(random() % 30)));
    }
  }

  void RemoveSnapshots() {
    const auto names = files_.List("/log");
    REQUIRE(names.ok());
    for (const std::string& name : *names) {
      if (absl::EndsWith(name, ".snap")) files_.Delete("/log/" + name);
    }
  }
};

TEST_CASE_METHOD(SnapshotTest,
                 "a random history is the same live, from snapshot and tail, and from the segments alone") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  options_.compaction.retention = txn::Retention::kFull;
  for (int round = 0; round < 5; ++round) {
    INFO("round " << round);
    // For the next round.
    options_.segment_bytes = (1 + random() % 8) * 4 * kKiB;
    options_.compaction.min_bytes = (1 + random() % 16) * kKiB;
    options_.compaction.table_bytes = random() % 3 == 0 ? kMiB : 2 * kKiB;
    CheckSameAfterRestart();
    Change(random, 800);
  }
  CHECK(snapshots() > 2);
  CheckSameAfterRestart();
  const std::vector<std::string> live = client().Dump();
  CHECK(live.size() > 50);
  pair_.StopKvs();
  pair_.StopLedger();
  RemoveSnapshots();
  options_.compaction.min_bytes = 1024 * kMiB;
  pair_.Start();
  CHECK(client().Dump() == live);
}

TEST_CASE_METHOD(SnapshotTest,
                 "a random history is the same after restarts while what snapshots stand for is removed") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 5; ++round) {
    INFO("round " << round);
    Change(random, 800);
    CheckSameAfterRestart();
  }
  CHECK(snapshots() > 2);
  CHECK_FALSE(files_.Exists("/log/0000000001.log"));
}

TEST_CASE_METHOD(ApiPair, "a snapshot that is cut while it is replayed is replayed anew") {
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    Ask("IntStore.Put", absl::StrCat("key: 'key-", i, "' value: ", i));
    Ask("SetStore.Add", absl::StrCat("key: 'key-", i, "' members: 'a' members: 'b'"));
  }
  REQUIRE(pair_.storage().MakeSnapshot(/*drop=*/true) == absl::OkStatus());
  Ask("IntStore.Increment", "key: 'key-1'");
  std::atomic<int> parts = 0;
  pair_.storage().SetBeforePart(
      [&parts] { return ++parts == 25 ? absl::UnavailableError("the connection broke") : absl::OkStatus(); });
  CheckSameAfterRestart();
  CHECK(parts == 25 + 40);
}

TEST_CASE_METHOD(ApiPair, "a replay whose rest was compacted away meanwhile begins anew, with the snapshot") {
  for (int i = 0; i < 20; ++i) {
    Ask("IntStore.Put", absl::StrCat("key: 'key-", i, "' value: ", i));
    // So that the frames are too large to be joined.
    Ask("StringStore.Put", absl::StrCat("key: 'k' value: '", std::string(kMaxValueBytes - 100, 'x'), "'"));
  }
  std::atomic<int> frames = 0;
  pair_.storage().SetBeforeFrame([this, &frames]() -> absl::Status {
    if (++frames != 12) return absl::OkStatus();
    REQUIRE(pair_.storage().MakeSnapshot(/*drop=*/true) == absl::OkStatus());
    return absl::UnavailableError("the connection broke");
  });
  CheckSameAfterRestart();
  CHECK(frames == 12);
}

TEST_CASE_METHOD(ApiPair, "after a snapshot without a tail revisions and time go on from where it ended") {
  Ask("IntStore.Put", "key: 'k' value: 1");
  Ask("IntStore.Put", "key: 'gone' value: 1");
  Ask("IntStore.Delete", "key: 'gone'");
  REQUIRE(pair_.storage().MakeSnapshot(/*drop=*/true) == absl::OkStatus());
  constexpr int64_t kYear2160 = 6'000'000'000'000'000;
  {
    MutexLock lock(&pair_.storage().mutex);
    pair_.storage().snapshot_time_micros = kYear2160;
  }
  CheckSameAfterRestart();
  CHECK(Ask("IntStore.Increment", "key: 'k'") == "previous: 1 value: 2 revision: 4 latest_revision: 4");
  const auto logged = Logged();
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].transactions(0).time_micros() == kYear2160);
}

// A set as large as a collection may grow, or as large as a test should be that everybody runs. KVS_FULL_SIZE=1 asks
// for the former.
size_t LargeSetBytes() { return std::getenv("KVS_FULL_SIZE") != nullptr ? kDefaultMaxCollectionBytes : 4 * kMiB; }

class LogOnDisk : public FileLog {
 protected:
  LogOnDisk() {
    options_.directory = directory_ / "log";
    options_.segment_bytes = kMiB;
    options_.compaction.min_bytes = LargeSetBytes() / 3;
    options_.compaction.ballast_bytes = 0;
  }

  const TempDir directory_;
};

class LargeCollection : protected LogOnDisk, public ApiPair {
 protected:
  LargeCollection() : ApiPair(kDefaultMaxCollectionBytes, [this] { return Open(); }) {}
};

TEST_CASE_METHOD(LargeCollection, "a collection that grew to its limit is the same after snapshots and replays") {
  constexpr size_t kMemberBytes = 16;
  constexpr size_t kMembersEach = 50'000;
  v1::SetStore::Stub stub(pair_.channel());
  const size_t members = LargeSetBytes() / kMemberBytes;
  for (size_t begin = 0; begin < members; begin += kMembersEach) {
    v1::SetStoreAddRequest request;
    request.set_key("k");
    for (size_t i = begin; i < std::min(members, begin + kMembersEach); ++i) {
      // Far apart in the order of the set.
      request.add_members(absl::StrFormat("%016x", i * 0x9E3779B97F4A7C15));
    }
    v1::SetStoreAddResponse response;
    REQUIRE(Call(stub, &v1::SetStore::Stub::Add, request, &response) == absl::OkStatus());
  }
  AwaitSnapshot(2);
  CHECK(Ask("SetStore.Size", "key: 'k'") ==
        absl::StrFormat("size: %d revision: %d latest_revision: %d", members, LatestRevision(), LatestRevision()));
  const std::vector<std::string> live = client().Dump();
  const absl::Time begin = absl::Now();
  Restart();
  const absl::Duration duration = absl::Now() - begin;
  const bool same = client().Dump() == live;
  CHECK(same);
  if (LargeSetBytes() > 4 * kMiB) WARN(members << " members, restarted in " << absl::FormatDuration(duration));
}

}  // namespace
}  // namespace kvs
