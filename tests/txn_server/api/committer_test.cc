#include "txn_server/api/committer.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/latch.h"
#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/gate.h"
#include "tests/support/memory_txn_log.h"
#include "tests/support/sample_frames.h"

namespace kvs::txn {
namespace {

// A committer over a log in memory that notes what happens, in order.
class CommitterFixture {
 protected:
  ~CommitterFixture() { Stop(); }

  void Start() {
    committer_ = std::make_unique<Committer>(&log_, [this](const absl::Status& status, size_t bytes) {
      MutexLock lock(&mutex_);
      groups_.emplace_back(status, bytes);
      changed_.SignalAll();
    });
  }
  // Starts with a gate closed, and its first group waiting there.
  void StartWithGroupInFlight() {
    storage_->SetBeforeAppend(gate_.Hook());
    Start();
    Append(MakeFrame(1, 1));
    gate_.AwaitAppend();
  }
  void Stop() {
    gate_.Open();
    committer_.reset();
  }

  void Append(SampleFrame frame, uint64_t epoch = 1) {
    committer_->Append(epoch, QueuedFrame{frame.first_revision, frame.count, std::move(frame.bytes)});
  }

  struct Group {
    Group(absl::Status s, size_t b) : status(std::move(s)), bytes(b) {}
    absl::Status status;
    size_t bytes;
  };
  // Blocks until so many groups have ended, and returns them.
  std::vector<Group> AwaitGroups(size_t count) {
    MutexLock lock(&mutex_);
    while (groups_.size() < count) changed_.Wait(&mutex_);
    return groups_;
  }

  const std::shared_ptr<MemoryTxnLog::Storage> storage_ = std::make_shared<MemoryTxnLog::Storage>();
  MemoryTxnLog log_{storage_};
  const uint64_t epoch_ = *log_.BeginEpoch("writer");
  Gate gate_;
  std::unique_ptr<Committer> committer_;

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<Group> groups_ ABSL_GUARDED_BY(mutex_);
};

TEST_CASE_METHOD(CommitterFixture, "whatever queues behind a group is the next group") {
  StartWithGroupInFlight();
  size_t bytes = 0;
  for (uint64_t revision = 2; revision <= 50; ++revision) {
    Append(MakeFrame(revision, 1));
    bytes += MakeFrame(revision, 1).bytes.size();
  }
  Stop();
  const auto groups = AwaitGroups(2);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].bytes == MakeFrame(1, 1).bytes.size());
  CHECK(groups[1].bytes == bytes);
  CHECK(log_.position().durable_revision == 50);
}

TEST_CASE_METHOD(CommitterFixture, "a group has no more bytes than a log takes") {
  StartWithGroupInFlight();
  const std::string text(7 * kMiB, 'x');
  for (uint64_t revision = 2; revision <= 4; ++revision) Append(MakeFrame(revision, 1, text));
  Stop();
  const auto groups = AwaitGroups(3);
  REQUIRE(groups.size() == 3);
  CHECK(groups[1].bytes == 2 * groups[2].bytes);
  CHECK(groups[1].bytes <= kMaxFrameBytes);
  for (const Group& group : groups) CHECK(group.status == absl::OkStatus());
}

TEST_CASE_METHOD(CommitterFixture, "frames of two epochs are never in one group, and the log refuses the older one") {
  StartWithGroupInFlight();
  Append(MakeFrame(2, 1));
  committer_->Run([](TxnLog& log) { CHECK(*log.BeginEpoch("another") == 2); });
  Append(MakeFrame(3, 1), 1);
  Append(MakeFrame(3, 1), 2);
  Stop();
  const auto groups = AwaitGroups(4);
  REQUIRE(groups.size() == 4);
  CHECK(groups[1].status == absl::OkStatus());
  CHECK(Is(groups[2].status, errors::kFenced));
  CHECK(groups[3].status == absl::OkStatus());
  CHECK(log_.position().durable_revision == 3);
}

TEST_CASE_METHOD(CommitterFixture, "a job runs after the frames before it and before those after it") {
  StartWithGroupInFlight();
  Append(MakeFrame(2, 1));
  uint64_t found = 0;
  committer_->Run([&](TxnLog& log) { found = log.position().durable_revision; });
  Append(MakeFrame(3, 1));
  Stop();
  CHECK(found == 2);
  CHECK(log_.position().durable_revision == 3);
}

TEST_CASE_METHOD(CommitterFixture, "dropping takes the frames that are not being written, and no job") {
  StartWithGroupInFlight();
  Append(MakeFrame(2, 1));
  bool ran = false;
  committer_->Run([&](TxnLog&) { ran = true; });
  Append(MakeFrame(3, 1));
  CHECK(committer_->DropQueued() == MakeFrame(2, 1).bytes.size() + MakeFrame(3, 1).bytes.size());
  CHECK(committer_->DropQueued() == 0);
  Stop();
  CHECK(ran);
  CHECK(AwaitGroups(1).size() == 1);
  CHECK(log_.position().durable_revision == 1);
}

TEST_CASE_METHOD(CommitterFixture, "a group that the log refuses is told with its bytes, and the next one is tried") {
  StartWithGroupInFlight();
  Append(MakeFrame(3, 1));
  gate_.Open();
  CHECK(Is(AwaitGroups(2)[1].status, errors::kGap));
  CHECK(AwaitGroups(2)[1].bytes == MakeFrame(3, 1).bytes.size());
  Append(MakeFrame(2, 1));
  CHECK(AwaitGroups(3)[2].status == absl::OkStatus());
}

TEST_CASE_METHOD(CommitterFixture, "the log is told once that nothing comes, after each time that something came") {
  Gate idle;
  storage_->SetBeforeIdle(idle.Hook());
  idle.Open();
  Start();
  Append(MakeFrame(1, 1));
  idle.AwaitAppend();
  Latch again;
  std::atomic<int> times{0};
  storage_->SetBeforeIdle([&] {
    times++;
    again.CountDown();
    return absl::OkStatus();
  });
  Append(MakeFrame(2, 1));
  again.Wait();
  Stop();
  CHECK(times == 1);
}

TEST_CASE_METHOD(CommitterFixture, "a log that fails while idle is told, though nobody waits for it") {
  storage_->SetBeforeIdle([] { return Error(errors::kLogFailed, "fdatasync failed"); });
  Start();
  Append(MakeFrame(1, 1));
  const auto groups = AwaitGroups(2);
  CHECK(groups[0].status == absl::OkStatus());
  CHECK(Is(groups[1].status, errors::kLogFailed));
  CHECK(groups[1].bytes == 0);
}

}  // namespace
}  // namespace kvs::txn
