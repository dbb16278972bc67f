// MemoryTxnLog: a TxnLog that keeps everything in memory, for tests of what is built on a log. It can be made to fail,
// and to lose its newest frames, as a disk that was restored from an old copy has.
#pragma once

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "common/sync.h"
#include "tests/support/log_state.h"
#include "txn/v1/transaction.pb.h"
#include "txn_server/log/frame.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

class MemoryTxnLog final : public TxnLog {
 public:
  // What survives the log object: hand it to the next one to "restart".
  struct Storage {
    struct StoredFrame {
      uint64_t first_revision;
      uint32_t count;
      std::string transactions;
    };
    Mutex mutex;
    LogPosition position ABSL_GUARDED_BY(mutex);
    std::vector<StoredFrame> frames ABSL_GUARDED_BY(mutex);
    // Asked before each group, each new epoch, each Idle, and each frame and part of a snapshot that is read; an error
    // is what the log then returns.
    using Hook = std::function<absl::Status()>;
    Hook before_append ABSL_GUARDED_BY(mutex);
    Hook before_begin_epoch ABSL_GUARDED_BY(mutex);
    Hook before_idle ABSL_GUARDED_BY(mutex);
    Hook before_frame ABSL_GUARDED_BY(mutex);
    Hook before_part ABSL_GUARDED_BY(mutex);
    uint64_t frames_read ABSL_GUARDED_BY(mutex) = 0;  // by all cursors
    // A snapshot, one list a key; only when there is one does its position say so.
    std::vector<std::string> snapshot ABSL_GUARDED_BY(mutex);
    int64_t snapshot_time_micros ABSL_GUARDED_BY(mutex) = 0;
    uint64_t snapshot_transactions ABSL_GUARDED_BY(mutex) = 0;

    Storage() { position.log_id = "memory-log-id-16"; }

    void SetBeforeAppend(Hook hook) {
      MutexLock lock(&mutex);
      before_append = std::move(hook);
    }
    void SetBeforeBeginEpoch(Hook hook) {
      MutexLock lock(&mutex);
      before_begin_epoch = std::move(hook);
    }
    void SetBeforeIdle(Hook hook) {
      MutexLock lock(&mutex);
      before_idle = std::move(hook);
    }
    void SetBeforeFrame(Hook hook) {
      MutexLock lock(&mutex);
      before_frame = std::move(hook);
    }
    void SetBeforePart(Hook hook) {
      MutexLock lock(&mutex);
      before_part = std::move(hook);
    }
    // Asks a hook without the mutex, so that it may block.
    absl::Status Ask(Hook Storage::* hook) {
      Hook copy;
      {
        MutexLock lock(&mutex);
        copy = this->*hook;
      }
      return copy ? copy() : absl::OkStatus();
    }

    // Makes a snapshot of everything, of which the transactions may be dropped.
    absl::Status MakeSnapshot(bool drop) {
      MutexLock lock(&mutex);
      LogState state;
      for (const std::string& key : snapshot) {
        if (absl::Status status = state.ApplyList(key); !status.ok()) return status;
      }
      for (const StoredFrame& frame : frames) {
        if (frame.first_revision <= position.snapshot_revision) continue;
        if (absl::Status status = state.ApplyList(frame.transactions); !status.ok()) return status;
      }
      snapshot = state.SnapshotByKey(&snapshot_transactions);
      if (!frames.empty()) {
        ::txn::v1::TransactionList last;
        if (!last.ParseFromString(frames.back().transactions)) return absl::InternalError("no list");
        snapshot_time_micros = last.transactions().rbegin()->time_micros();
      }
      position.snapshot_revision = position.durable_revision;
      if (!drop) return absl::OkStatus();
      position.compacted_revision = position.durable_revision;
      frames.clear();
      return absl::OkStatus();
    }

    // Forgets everything after `revision`.
    void RollBackTo(uint64_t revision) {
      MutexLock lock(&mutex);
      while (!frames.empty() && frames.back().first_revision > revision) frames.pop_back();
      position.durable_revision = frames.empty() ? 0 : frames.back().first_revision + frames.back().count - 1;
    }
  };

  explicit MemoryTxnLog(std::shared_ptr<Storage> storage = std::make_shared<Storage>())
      : storage_(std::move(storage)) {}

  absl::string_view backend() const override { return "memory"; }

  LogPosition position() const override {
    MutexLock lock(&storage_->mutex);
    return storage_->position;
  }

  uint64_t size_bytes() const override {
    MutexLock lock(&storage_->mutex);
    uint64_t bytes = 0;
    for (const auto& frame : storage_->frames) bytes += frame.transactions.size();
    return bytes;
  }

  absl::StatusOr<uint64_t> BeginEpoch(absl::string_view writer_id) override {
    if (absl::Status status = CheckWriterId(writer_id); !status.ok()) return status;
    if (absl::Status status = storage_->Ask(&Storage::before_begin_epoch); !status.ok()) return status;
    MutexLock lock(&storage_->mutex);
    storage_->position.writer_id = std::string(writer_id);
    return ++storage_->position.epoch;
  }

  absl::Status Append(uint64_t epoch, absl::Span<const Frame> frames) override {
    if (absl::Status status = storage_->Ask(&Storage::before_append); !status.ok()) return status;
    MutexLock lock(&storage_->mutex);
    LogPosition& position = storage_->position;
    if (epoch != position.epoch || epoch == 0)
      return Error(errors::kFenced, absl::StrCat("the log is at epoch ", position.epoch));
    uint64_t next = position.durable_revision + 1;
    size_t bytes = 0;
    for (const Frame& frame : frames) {
      bytes += frame.transactions.size();
      if (frame.first_revision != next) return Error(errors::kGap, absl::StrCat("revision ", next, " must come next"));
      next = frame.last_revision() + 1;
    }
    if (bytes > kMaxFrameBytes) return Error(errors::kMalformedFrame, "the group is too large");
    for (const Frame& frame : frames) {
      storage_->frames.push_back({frame.first_revision, frame.count, std::string(frame.transactions)});
    }
    position.durable_revision = next - 1;
    return absl::OkStatus();
  }

  absl::Status CheckReachable() override { return absl::OkStatus(); }

  absl::Status Idle() override { return storage_->Ask(&Storage::before_idle); }

  absl::StatusOr<std::unique_ptr<LogCursor>> Replay(uint64_t from_revision) override {
    MutexLock lock(&storage_->mutex);
    if (from_revision == 0 || from_revision > storage_->position.durable_revision + 1) {
      return absl::OutOfRangeError(absl::StrCat("there is no revision ", from_revision));
    }
    if (from_revision <= storage_->position.compacted_revision) {
      return Error(errors::kCompacted, absl::StrCat("revision ", from_revision, " was compacted away"));
    }
    auto cursor = std::make_unique<Cursor>();
    cursor->storage = storage_;
    cursor->from_revision = from_revision;
    for (const auto& frame : storage_->frames) {
      if (frame.first_revision + frame.count > from_revision) cursor->frames.push_back(frame);
    }
    return cursor;
  }

  absl::StatusOr<StateReplay> ReplayState() override {
    StateReplay state;
    {
      MutexLock lock(&storage_->mutex);
      state.snapshot_revision = storage_->position.snapshot_revision;
      if (state.snapshot_revision > 0) {
        state.snapshot_time_micros = storage_->snapshot_time_micros;
        state.snapshot_transactions = storage_->snapshot_transactions;
        auto cursor = std::make_unique<PartCursor>();
        cursor->storage = storage_;
        cursor->parts = storage_->snapshot;
        state.snapshot = std::move(cursor);
      }
    }
    auto tail = Replay(state.snapshot_revision + 1);
    if (!tail.ok()) return tail.status();
    state.tail = *std::move(tail);
    return state;
  }

  absl::StatusOr<StateReplay> ReplayHistory() override {
    if (position().compacted_revision > 0) return ReplayState();
    StateReplay history;
    auto tail = Replay(1);
    if (!tail.ok()) return tail.status();
    history.tail = *std::move(tail);
    return history;
  }

  absl::Status Import(const LogSeed& seed, std::unique_ptr<SnapshotCursor> snapshot) override {
    std::vector<std::string> parts;
    uint64_t transactions = 0;
    while (snapshot) {
      const auto chunk = snapshot->Next();
      if (!chunk.ok()) return chunk.status();
      if (!*chunk) break;
      ::txn::v1::TransactionList list;
      parts.push_back(std::string((*chunk)->transactions));
      if (!list.ParseFromString(parts.back())) return absl::DataLossError("a chunk of the snapshot is no list");
      transactions += static_cast<uint64_t>(list.transactions_size());
    }
    MutexLock lock(&storage_->mutex);
    LogPosition& position = storage_->position;
    if (position.epoch > 0 || position.durable_revision > 0) return absl::FailedPreconditionError("not empty");
    position.epoch = seed.epoch;
    position.writer_id = seed.writer_id;
    position.durable_revision = position.compacted_revision = position.snapshot_revision = seed.revision;
    storage_->snapshot = std::move(parts);
    storage_->snapshot_transactions = transactions;
    storage_->snapshot_time_micros = seed.time_micros;
    return absl::OkStatus();
  }

  absl::Status Close() override { return absl::OkStatus(); }

 private:
  struct Cursor final : LogCursor {
    std::shared_ptr<Storage> storage;
    std::vector<Storage::StoredFrame> frames;
    uint64_t from_revision = 1;
    size_t next = 0;
    absl::StatusOr<std::optional<Frame>> Next() override {
      if (next == frames.size()) return std::nullopt;
      if (absl::Status status = storage->Ask(&Storage::before_frame); !status.ok()) return status;
      {
        MutexLock lock(&storage->mutex);
        storage->frames_read++;
      }
      const auto& stored = frames[next++];
      const Frame frame{stored.first_revision, stored.count, stored.transactions};
      if (frame.first_revision >= from_revision) return frame;
      const auto rest = FrameFrom(frame, from_revision);
      if (!rest.ok()) return rest.status();
      return *rest;
    }
  };

  struct PartCursor final : SnapshotCursor {
    std::shared_ptr<Storage> storage;
    std::vector<std::string> parts;
    size_t next = 0;
    absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
      if (next == parts.size()) return std::nullopt;
      if (absl::Status status = storage->Ask(&Storage::before_part); !status.ok()) return status;
      return SnapshotChunk{parts[next++]};
    }
  };

  const std::shared_ptr<Storage> storage_;
};

}  // namespace kvs::txn
