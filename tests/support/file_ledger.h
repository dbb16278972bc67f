// A file ledger for tests, in memory or in a directory, with small verbs to write, damage and read it.
#pragma once

#include <absl/strings/match.h>
#include <absl/strings/str_format.h>
#include <absl/time/clock.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/sync.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/read_all.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/file/log_inspector.h"
#include "txn_server/log/frame.h"

namespace kvs::txn {

// The ledger "/log" of a MemoryFileSystem.
class FileLedger {
 public:
  static constexpr uint64_t kSmallSegment = 8 * kKiB;
  static constexpr absl::string_view kWriterId = "writer";

  MemoryFileSystem& files() { return files_; }
  TxnLog& log() { return *log_; }
  FileTxnLogOptions& options() { return options_; }

  static std::string Path(uint64_t segment_id) { return absl::StrFormat("/log/%010d.log", segment_id); }
  static std::string SnapshotPath(uint64_t snapshot_id) { return absl::StrFormat("/log/%010d.snap", snapshot_id); }

  virtual ~FileLedger() = default;
  FileLedger() {
    options_.directory = "/log";
    options_.segment_bytes = kSmallSegment;
    options_.new_log_id = "0123456789abcdef";
    options_.file_system = &files_;
    options_.notice = [this](const std::string& text) {
      MutexLock lock(&mu_);
      notices_.push_back(text);
      changed_.SignalAll();
    };
    options_.compacted = [this](const CompactionReport& report) {
      MutexLock lock(&mu_);
      reports_.push_back(report);
      changed_.SignalAll();
    };
    options_.compaction_failed = [this](const absl::Status& status, bool is_news) {
      MutexLock lock(&mu_);
      failures_.push_back({status, is_news});
      changed_.SignalAll();
    };
    // Tests that want snapshots, and to lose what they stand for, say so.
    options_.compaction.retention = Retention::kFull;
    options_.compaction.min_bytes = kMiB;
    options_.compaction.ballast_bytes = 0;
  }

  absl::Status Open() {
    log_.reset();
    {
      MutexLock lock(&mu_);
      notices_.clear();
      reports_.clear();
      failures_.clear();
    }
    auto log = OpenFileTxnLog(options_);
    if (log.ok()) log_ = *std::move(log);
    return log.status();
  }

  // Opens it, which must succeed, and becomes the writer.
  void Start() {
    REQUIRE(Open() == absl::OkStatus());
    BecomeWriter();
  }

  void BecomeWriter() { REQUIRE(TryToBecomeWriter() == absl::OkStatus()); }
  virtual absl::Status TryToBecomeWriter() {
    const auto epoch = log_->BeginEpoch(kWriterId);
    if (epoch.ok()) epoch_ = *epoch;
    return epoch.status();
  }

  // As after kill -9.
  void Kill() { log_.reset(); }

  void Stop() {
    REQUIRE(log_->Close() == absl::OkStatus());
    log_.reset();
  }

  virtual absl::Status Append(const SampleFrame& frame) {
    const absl::Status status = log_->Append(epoch_, {frame.frame()});
    if (status.ok()) written_ += frame.bytes;
    return status;
  }

  // Appends one group of `count` transactions, which must succeed.
  void Write(uint32_t count = 1, const std::string& text = "value") {
    REQUIRE(Append(MakeFrame(log_->position().durable_revision + 1, count, text)) == absl::OkStatus());
  }

  uint64_t epoch() const { return epoch_; }
  // The bytes of all groups that were acknowledged.
  const std::string& written() const { return written_; }
  std::vector<std::string> notices() const {
    MutexLock lock(&mu_);
    return notices_;
  }

  // The snapshots that were made since the log was opened.
  std::vector<CompactionReport> reports() const {
    MutexLock lock(&mu_);
    return reports_;
  }
  // Those that could not be made.
  struct FailedCompaction {
    absl::Status status;
    bool is_news = false;
  };
  std::vector<FailedCompaction> failures() const {
    MutexLock lock(&mu_);
    return failures_;
  }

  // Waits until so many snapshots were made, or could not be made, since the log was opened.
  void AwaitCompactions(size_t count) {
    MutexLock lock(&mu_);
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (reports_.size() + failures_.size() < count) {
      if (absl::Now() > deadline) FAIL("no snapshot was made");
      changed_.WaitWithTimeout(&mu_, absl::Seconds(1));
    }
  }

  // What the log gives back must be what was written.
  void CheckReplay() {
    const auto all = ReadAll(*log_);
    REQUIRE(all.status() == absl::OkStatus());
    CHECK(all->last_revision() == log_->position().durable_revision);
    CHECK(all->bytes == written_);
  }

  // Where the last frame of the log is.
  FrameHeader LastFrame() {
    const auto report = InspectLog("/log", nullptr, files_);
    REQUIRE(report.ok());
    REQUIRE(report->scan.last_frame.has_value());
    return *report->scan.last_frame;
  }

  // The changes that a disk, a bug or a person might make.
  void Zero(uint64_t segment_id, uint64_t offset, uint64_t end) {
    Change(segment_id, [=](std::string& bytes) { bytes.replace(offset, end - offset, end - offset, '\0'); });
  }
  void FlipByte(uint64_t segment_id, uint64_t offset, char mask = '\x01') {
    Change(segment_id, [=](std::string& bytes) { bytes[offset] = static_cast<char>(bytes[offset] ^ mask); });
  }
  void Truncate(uint64_t segment_id, uint64_t size) {
    Change(segment_id, [=](std::string& bytes) { bytes.resize(size); });
  }
  void DeleteSegments() {
    for (const auto& [path, bytes] : Snapshot()) {
      if (absl::EndsWith(path, ".log")) files_.Delete(path);
    }
  }
  template <class F>
  void Change(uint64_t segment_id, F change) {
    std::string bytes = files_.Contents(Path(segment_id));
    change(bytes);
    files_.SetContents(Path(segment_id), bytes);
  }

  // All segments, to go back to after damage was tried.
  std::vector<std::pair<std::string, std::string>> Snapshot() { return files_.AllContents("/log/"); }
  void Restore(const std::vector<std::pair<std::string, std::string>>& snapshot) {
    const auto names = files_.List("/log");
    REQUIRE(names.ok());
    for (const std::string& name : *names) files_.Delete("/log/" + name);
    for (const auto& [path, bytes] : snapshot) files_.SetContents(path, bytes);
  }

 private:
  MemoryFileSystem files_;
  FileTxnLogOptions options_;
  mutable Mutex mu_;
  CondVar changed_;
  std::vector<CompactionReport> reports_ ABSL_GUARDED_BY(mu_);
  std::vector<FailedCompaction> failures_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> notices_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<TxnLog> log_;
  uint64_t epoch_ = 0;
  std::string written_;
};

// Whether opening is refused as damage, with an error that names the file, the offset and the command.
inline bool RefusedAsDamaged(const absl::Status& status) {
  if (status.ok()) return false;
  INFO(status.ToString());
  CHECK(Is(status, errors::kDamagedLog));
  CHECK_FALSE(MetadataOf(status, "file").empty());
  CHECK_FALSE(MetadataOf(status, "offset").empty());
  CHECK_FALSE(MetadataOf(status, "revision").empty());
  CHECK_THAT(std::string(status.message()), ContainsText("kvs log verify /log"));
  return true;
}

}  // namespace kvs::txn
