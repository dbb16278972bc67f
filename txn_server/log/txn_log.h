// TxnLog: where transactions become durable. The file ledger, PostgreSQL and the fake of the tests implement it; the
// contract suite in tests/ runs against all of them.
//
// 1. A log is one history, named by its log id. Its transactions have consecutive revisions from 1.
// 2. Only the writer of the current epoch appends. BeginEpoch durably names the writer; from then on Append refuses any
//    other epoch. Epochs start at 1 and grow by one.
// 3. When Append returns OK, all of the group is durable; when it returns an error other than kLogFailed, none of it is
//    or ever will be. After kLogFailed the state is known only to a new process: every later call returns kLogFailed,
//    and the owner ends the process.
// 4. Replay returns exactly the durable transactions, in order, with the bytes they were appended with; but it may
// leave
//    out the answer of a request that is too old for every retry.
// 5. A log may drop its oldest transactions, up to its compacted revision, when a snapshot has what they amount to.
//    ReplayState always gives the whole state.
//
// Thread-safety: Import, BeginEpoch, Append, CheckReachable, Idle and Close are called by one thread at a time,
// NewGroup by another one; position(), size_bytes(), Replay, ReplayState and ReplayHistory from any thread at any time.
// Calls block.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace kvs::txn {

// Of the id of a writer, which every log keeps. May be raised only with the format of the file ledger.
inline constexpr size_t kMaxWriterIdBytes = 64;

// kMalformedRequest unless it has 1 to kMaxWriterIdBytes.
absl::Status CheckWriterId(absl::string_view writer_id);

// Transactions with consecutive revisions, as they travel: `transactions` is a serialized txn.v1.TransactionList of at
// most kMaxFrameBytes. Whoever makes a Frame from foreign bytes checks it with CheckFrame (txn_server/log/frame.h);
// logs rely on that. A frame never ends inside an atomic batch, and a log keeps a frame whole: all of it becomes
// durable or nothing.
struct Frame {
  uint64_t first_revision = 0;
  uint32_t count = 0;
  absl::string_view transactions;

  uint64_t last_revision() const { return first_revision + count - 1; }
};

// What is durable.
struct LogPosition {
  std::string log_id;             // 16 bytes
  uint64_t epoch = 0;             // 0 before the first BeginEpoch
  std::string writer_id;          // the writer of `epoch`; empty before the first BeginEpoch
  uint64_t durable_revision = 0;  // 0 before the first transaction
  // What is up to here was dropped: only the state after it is known. 0 while all of the history is there.
  uint64_t compacted_revision = 0;
  uint64_t snapshot_revision = 0;  // of the newest snapshot, 0 if there is none
};

// Reads a range of a log in order. Used by one thread; must not outlive its log.
class LogCursor {
 public:
  virtual ~LogCursor() = default;

  // The next transactions, or nothing at the end. The frame is valid until the next call. Frames need not be divided as
  // they were appended, but never inside an atomic batch. kDamagedLog with file, offset and revision if the log cannot
  // be read.
  virtual absl::StatusOr<std::optional<Frame>> Next() = 0;
};

// A part of a snapshot: a serialized txn.v1.TransactionList of at most kMaxFrameBytes.
struct SnapshotChunk {
  absl::string_view transactions;
};

// Reads a snapshot: the requests that are remembered, then transactions that give a state when they are applied to an
// empty store, as common/model/key_state.h describes them. Used by one thread; must not outlive its log.
class SnapshotCursor {
 public:
  virtual ~SnapshotCursor() = default;

  // What comes next, or nothing at the end. The chunk is valid until the next call. kDamagedLog if the snapshot
  // cannot be read, UNAVAILABLE if the log has another way to its state: it has to be read anew.
  virtual absl::StatusOr<std::optional<SnapshotChunk>> Next() = 0;
};

// Calls `visit` with all chunks that `snapshot` still has, until it returns an error.
absl::Status ForEachChunk(SnapshotCursor& snapshot, absl::FunctionRef<absl::Status(const SnapshotChunk&)> visit);

// The state of a log: the one after revision `snapshot_revision`, and the transactions that follow.
struct StateReplay {
  uint64_t snapshot_revision = 0;    // 0 if there is no snapshot
  int64_t snapshot_time_micros = 0;  // of that revision
  uint64_t snapshot_transactions = 0;
  std::unique_ptr<SnapshotCursor> snapshot;  // null if there is none
  std::unique_ptr<LogCursor> tail;
};

// What a log may begin with instead of nothing.
struct LogSeed {
  uint64_t revision = 0;  // of the snapshot, 0 if there is none
  uint64_t epoch = 0;     // at least 1
  std::string writer_id;  // of that epoch
  int64_t time_micros = 0;
};

// Frames that are to become durable together. What a log can do of an append ahead is done in Add, so that one group is
// made ready while the one before it is on its way to the disk. Used by one thread at a time; must not outlive its log.
class LogGroup {
 public:
  virtual ~LogGroup() = default;

  // Takes the frame that comes next. Its bytes live as long as the group.
  virtual void Add(const Frame& frame) = 0;

  // TxnLog::Append of the frames that were added. Called once, by the thread that appends.
  virtual absl::Status Append(uint64_t epoch) = 0;
};

class TxnLog {
 public:
  virtual ~TxnLog() = default;

  // The kind of log, such as "file".
  virtual absl::string_view backend() const = 0;

  virtual LogPosition position() const = 0;

  // The bytes taken on disk, preallocated space included.
  virtual uint64_t size_bytes() const = 0;

  // Durably makes `writer_id` the writer, with an epoch one above the current one, and returns that epoch. The error of
  // CheckWriterId, kNoSpace where there is no room.
  virtual absl::StatusOr<uint64_t> BeginEpoch(absl::string_view writer_id) = 0;

  // Makes the frames durable as one group commit; the first one begins one above the durable revision. kFenced for
  // another epoch than the current one, kGap for another first revision or a gap between frames, kNoSpace where there
  // is no room; kMalformedFrame if the frames together have more than kMaxFrameBytes, or something that this log can
  // never keep.
  virtual absl::Status Append(uint64_t epoch, absl::Span<const Frame> frames) = 0;

  // A group without frames. It may be made, and added to, while another one is appended. Unless a log has something to
  // do ahead, a group is a list of frames.
  virtual std::unique_ptr<LogGroup> NewGroup();

  // Whether a group could be appended now, as far as that shows without one: a log that has to reach a server tries
  // once. Called by the thread that appends.
  virtual absl::Status CheckReachable() = 0;

  // Called when nothing waits to be appended: a chance to make the end of the log recognisable. Cheap when there is
  // nothing to do.
  virtual absl::Status Idle() = 0;

  // Reads from `from_revision` to what is durable now, and keeps that readable as long as the cursor lives. The first
  // frame begins at that very revision, even inside of a batch. kCompacted if `from_revision` is no longer kept,
  // OutOfRange if it is 0 or past the newest plus one.
  virtual absl::StatusOr<std::unique_ptr<LogCursor>> Replay(uint64_t from_revision) = 0;

  // Reads the state, from the newest snapshot if there is one, to what is durable now, and keeps that readable as long
  // as the cursors live.
  virtual absl::StatusOr<StateReplay> ReplayState() = 0;

  // Reads as much history as there is, to what is durable now: from the oldest intact snapshot, or without one if no
  // transaction was dropped. Keeps that readable as long as the cursors live.
  virtual absl::StatusOr<StateReplay> ReplayHistory() = 0;

  // Begins with the history of another log: its durable revision, epoch and writer become those of the seed, and
  // `snapshot`, which is null where the seed's revision is 0, the state there. FailedPrecondition unless the log is
  // empty; kNoSpace where there is no room. Not atomic: a log of which this failed is thrown away.
  virtual absl::Status Import(const LogSeed& seed, std::unique_ptr<SnapshotCursor> snapshot) = 0;

  // Ends the log cleanly. Called once; only the destructor may follow.
  virtual absl::Status Close() = 0;
};

}  // namespace kvs::txn
