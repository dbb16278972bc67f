// Reads a whole ledger and checks every byte of it, without changing anything.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/segment_reader.h"
#include "txn_server/log/file/snapshot_reader.h"
#include "txn_server/log/progress.h"

namespace kvs::txn {

// A segment as it was found.
struct SegmentSummary {
  std::string path;
  SegmentHeader header;
  uint32_t header_crc32c = 0;
  uint64_t file_bytes = 0;
  uint64_t valid_bytes = 0;  // up to the end of the last valid frame
  uint64_t frames = 0;

  uint64_t first_revision() const { return header.last_revision + 1; }
};

// What an interrupted write left behind the last valid frame.
struct TornTail {
  std::string path;
  uint64_t offset = 0;
  uint64_t end = 0;             // behind what was written of it
  uint64_t first_revision = 0;  // that it began with
  uint32_t count = 0;           // of transactions in it; 0 if it had none or nobody knows
  std::string why;              // for people
};

// The first place that cannot be accounted for.
struct Damage {
  std::string path;
  uint64_t offset = 0;
  uint64_t last_revision = 0;  // the newest revision before it, 0 if there is none
  std::string what;            // for people
};

// A snapshot that cannot be relied on.
struct DamagedSnapshot {
  std::string path;
  absl::Status status;
};

struct LogScan {
  std::string log_id;
  std::vector<SegmentSummary> segments;  // in use, ascending
  std::vector<SegmentSummary> spares;    // those that come after them
  LogTip tip;
  std::vector<SnapshotSummary> snapshots;  // that can be relied on, ascending; the newest of them was read as a whole
  std::vector<DamagedSnapshot> damaged_snapshots;  // newest first
  uint64_t next_snapshot_id = 1;
  uint64_t transaction_frames = 0;
  std::optional<FrameHeader> last_frame;  // of all segments
  std::optional<TornTail> torn;
  std::optional<Damage> damage;
  bool is_closed = false;  // a mark says so, and is right
  // The header of a segment that has no frames says where the log ends, or the spare behind it does: nothing was
  // written since the log was last idle or closed, and it could not lose its end unnoticed.
  bool is_sealed = false;
  uint64_t lost_revision = 0;  // the newest one that is told of which is not there; 0 if there is none

  // Behind the last valid frame. REQUIRES: there is a segment in use.
  LogPoint end() const;
};

struct ScanOptions {
  // Another process writes to the log meanwhile: what it is about to write at the end is neither torn nor damage.
  bool live = false;
  // Also look at the transactions in the frames, which their checksums vouch for.
  bool check_transactions = false;
  // Read all snapshots as a whole.
  bool check_all_snapshots = false;
  // Called for every valid frame, in order; may be null. The frame is valid during the call.
  std::function<void(const SegmentSummary&, const StoredFrame&)> visit;
  // Counts the bytes of frames and snapshots that were read.
  ProgressFunction progress;
};

// Scans the ledger in `directory`, which has at least one segment. kDamagedLog and scan->damage at the first damage, up
// to which *scan says what was found; kUnsupportedLogVersion if a later version wrote it. A torn tail is not an error,
// and neither is a damaged snapshot as long as the state can be had without it.
absl::Status ScanLog(FileSystem& file_system, const std::string& directory, const ScanOptions& options, LogScan* scan);

// The error for damage in a ledger.
absl::Status DamagedLog(const Damage& damage);

}  // namespace kvs::txn
