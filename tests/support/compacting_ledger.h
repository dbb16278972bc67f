// A file ledger in memory that makes snapshots when the test says so.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/file_ledger.h"
#include "tests/support/log_state.h"
#include "tests/support/random_history.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_files.h"

namespace kvs::txn {

// A snapshot is due when min_bytes were logged, whatever its size: so that this knows when to wait for one, and nothing
// is appended meanwhile.
class CompactingLedger : public FileLedger {
 public:
  explicit CompactingLedger(uint32_t seed = 1, RandomHistory::Options history = {}) : history_(seed, history) {
    options().compaction.retention = Retention::kOnDelete;
    options().compaction.min_bytes = 32 * kKiB;
    options().compaction.percent = 10;
    options().compaction.percent = 0;
    // One that failed is tried again when as much again was logged.
    options().compaction.shortest_retry = absl::InfiniteDuration();
    options().compaction.longest_retry = absl::InfiniteDuration();
  }

  RandomHistory& history() { return history_; }
  CompactionOptions& compaction() { return options().compaction; }

  // Opens it and becomes the writer, when the snapshot was made that was due.
  void Start() {
    since_snapshot_ = LoggedSinceSnapshot();
    REQUIRE(Open() == absl::OkStatus());
    if (since_snapshot_ >= compaction().min_bytes) AwaitSnapshot();
    BecomeWriter();
    since_snapshot_ += FrameBytes(kWriterId.size());
  }

  // Appends one group.
  void Grow(uint32_t transactions = 20) {
    const SampleFrame frame = history_.NextFrame(transactions);
    REQUIRE(Append(frame) == absl::OkStatus());
    since_snapshot_ += FrameBytes(frame.bytes.size());
  }

  // Appends until a snapshot is due, and waits until it was made or could not be made.
  void MakeSnapshot() {
    while (since_snapshot_ < std::max(compaction().min_bytes, not_before_bytes_)) Grow();
    AwaitSnapshot();
  }

  void Idle() {
    const bool sealed = sealed_at_ == history_.revision();
    REQUIRE(log().Idle() == absl::OkStatus());
    if (!sealed) since_snapshot_ += FrameBytes(0);
    sealed_at_ = history_.revision();
  }

  // Waits until the snapshot that is due was made or could not be made.
  void AwaitSnapshot() {
    AwaitCompactions(++awaited_);
    const size_t failed_before = std::exchange(failed_, failures().size());
    if (failed_ == failed_before) {
      since_snapshot_ = not_before_bytes_ = 0;
    } else {
      not_before_bytes_ = since_snapshot_ + std::max(since_snapshot_, compaction().min_bytes);
    }
  }

  // What was logged since the newest one.
  uint64_t since_snapshot() const { return since_snapshot_; }

  size_t compactions() const { return reports().size() + failures().size(); }

  // The log must give the state that was written, and say so of every key.
  void CheckState() {
    const auto state = ReadState(log());
    REQUIRE(state.status() == absl::OkStatus());
    const bool same = state->Snapshot() == history_.state().Snapshot();
    CHECK(same);
    CHECK(log().position().durable_revision == history_.revision());
    const auto replay = log().ReplayState();
    REQUIRE(replay.status() == absl::OkStatus());
    CHECK(replay->snapshot_time_micros == history_.TimeOf(replay->snapshot_revision));
  }

  DirectoryListing Listing() {
    const auto listing = ListDirectory(files(), "/log");
    REQUIRE(listing.ok());
    return *listing;
  }

 private:
  // As far as it is on the disk.
  uint64_t LoggedSinceSnapshot() {
    awaited_ = failed_ = 0;
    not_before_bytes_ = 0;
    if (!InspectLog("/log", nullptr, files()).ok()) return 0;  // it is a new one
    LogScan scan;
    REQUIRE(ScanLog(files(), "/log", {}, &scan) == absl::OkStatus());
    return LogFiles(files(), scan).growth().since_newest_bytes;
  }

  RandomHistory history_;
  uint64_t since_snapshot_ = 0;
  uint64_t not_before_bytes_ = 0;  // logged since it, where the last attempt failed
  uint64_t sealed_at_ = 0;         // the revision
  size_t awaited_ = 0;             // snapshots since it was opened
  size_t failed_ = 0;              // of them
};

// Counts what the compaction changes on the disk, and makes some of it fail. `fault` is asked, with the number of the
// change from 1, in the thread of the compaction alone.
class CompactionFaults {
 public:
  using Operation = MemoryFileSystem::Operation;
  using Fault =
      std::function<std::optional<MemoryFileSystem::Fault>(size_t number, Operation, const std::string& path)>;

  // From the next snapshot that is begun on.
  CompactionFaults(MemoryFileSystem& files, Fault fault) : files_(files) {
    files.SetFaults([this, fault = std::move(fault)](
                        Operation operation, const std::string& path) -> std::optional<MemoryFileSystem::Fault> {
      // Called under the lock of the file system.
      if (operation == Operation::kRead) return std::nullopt;
      if (operation == Operation::kCreate && absl::StrContains(path, ".snap")) thread_ = std::this_thread::get_id();
      if (thread_ != std::this_thread::get_id()) return std::nullopt;
      auto result = fault(++changes_, operation, path);
      if (result) ++faults_;
      return result;
    });
  }
  ~CompactionFaults() { files_.SetFaults(nullptr); }

  // How many were made to fail. While nothing is being compacted.
  size_t faults() const { return faults_; }

 private:
  MemoryFileSystem& files_;
  std::thread::id thread_;
  size_t changes_ = 0;
  size_t faults_ = 0;
};

}  // namespace kvs::txn
