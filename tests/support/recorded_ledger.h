// RecordedLedger: a file ledger that is used in every way, and what has to be left of it at any moment.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/compacting_ledger.h"
#include "tests/support/log_truth.h"
#include "tests/support/recorded_operations.h"

namespace kvs::txn {

class RecordedLedger : public CompactingLedger {
 public:
  explicit RecordedLedger(uint32_t seed) : CompactingLedger(seed, HistoryOptions()) {
    options().file_system = &recording_;
    compaction().min_bytes = 24 * kKiB;
    compaction().ballast_bytes = 4 * kKiB;
  }

  RecordingFileSystem& recording() { return recording_; }
  const LogTruth& truth() const { return truth_; }
  // The groups as they were appended, by their first revisions.
  const std::map<uint64_t, SampleFrame>& groups() const { return groups_; }

  absl::Status TryToBecomeWriter() override {
    recording_.Begin(recording_.promise().begun_revision, log().position().epoch + 1);
    const absl::Status status = CompactingLedger::TryToBecomeWriter();
    if (status.ok()) recording_.Acknowledge();
    return status;
  }

  absl::Status Append(const SampleFrame& frame) override {
    truth_.Add(frame, history().state());
    groups_[frame.first_revision] = frame;
    recording_.Begin(frame.last_revision(), epoch());
    const absl::Status status = CompactingLedger::Append(frame);
    if (status.ok()) recording_.Acknowledge();
    return status;
  }

  // A start, some groups, and an end. Every other time the compaction goes on while groups are appended, and the log is
  // idle now and then.
  void Session(int number, int groups) {
    Start();
    const bool overlaps = number % 2 == 1;
    for (int i = 0; i < groups; ++i) {
      Grow(static_cast<uint32_t>(1 + history().Pick(15)));
      if (overlaps && history().Pick(10) == 0) REQUIRE(log().Idle() == absl::OkStatus());
      if (!overlaps && since_snapshot() >= compaction().min_bytes) AwaitSnapshot();
    }
    history().Pick(2) == 0 ? Stop() : Kill();
  }

 private:
  static RandomHistory::Options HistoryOptions() { return {10, 40, 6, true}; }

  RecordingFileSystem recording_{files()};
  LogTruth truth_;
  std::map<uint64_t, SampleFrame> groups_;
};

}  // namespace kvs::txn
