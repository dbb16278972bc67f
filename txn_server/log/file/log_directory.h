// The files of a ledger's directory: their names, and how they are made.
//
//   0000000001.log       a segment, by its id
//   0000000001.snap      a snapshot, by its id
//   0000000002.log.tmp, 0000000002.snap.tmp, 0000000002.run.1.tmp
//                        a segment, a snapshot, or a part of one that is being made; removed by the next start
//   CLOSED               the log was closed, and ends where this says
//   BALLAST              space that compaction can fall back on
//   UNFINISHED           the directory is being filled as a whole, by a copy or restore, and is no ledger yet
//   LOCK                 locked by the process that uses the ledger
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <string>
#include <vector>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/format.h"

namespace kvs::txn {

inline constexpr absl::string_view kLockFileName = "LOCK";
inline constexpr absl::string_view kClosedMarkFileName = "CLOSED";
inline constexpr absl::string_view kBallastFileName = "BALLAST";
inline constexpr absl::string_view kUnfinishedFileName = "UNFINISHED";
inline constexpr absl::string_view kTemporarySuffix = ".tmp";

std::string SegmentPath(const std::string& directory, uint64_t segment_id);
std::string SnapshotPath(const std::string& directory, uint64_t snapshot_id);
// Of the n-th sorted run of changes of a snapshot that is being made.
std::string RunPath(const std::string& directory, uint64_t snapshot_id, size_t n);
std::string ClosedMarkPath(const std::string& directory);
std::string BallastPath(const std::string& directory);
std::string LockPath(const std::string& directory);
std::string UnfinishedPath(const std::string& directory);

// The same directory, by a name without slashes at its end.
std::string WithoutSlashes(std::string directory);

// The directory that `directory` is in.
std::string ParentOf(const std::string& directory);

struct DirectoryListing {
  std::vector<uint64_t> segment_ids;         // ascending
  std::vector<uint64_t> snapshot_ids;        // ascending
  std::vector<std::string> temporary_names;  // half-made files
  bool has_closed_mark = false;
  bool has_ballast = false;
  bool is_unfinished = false;
  std::vector<std::string> foreign_names;  // not a ledger's, hidden files and lost+found aside
};

// kUnusableDirectory, with what is wrong with it.
absl::Status UnusableDirectory(absl::string_view what);

absl::StatusOr<DirectoryListing> ListDirectory(FileSystem& file_system, const std::string& directory);

// kUnusableDirectory if the directory is being filled, or was when that was interrupted.
absl::Status CheckFinished(const DirectoryListing& listing, const std::string& directory);

// kDamagedLog if there are snapshots, the mark of a closed log or a ballast, and no segments: a ledger always has one,
// and had it before these, so that they were removed.
absl::Status CheckHasSegments(const DirectoryListing& listing, const std::string& directory);

// kUnusableDirectory if `target` is `source` or inside of it, by whatever name.
absl::Status CheckOutside(const std::string& target, const std::string& source);

// Makes a file of these bytes, replacing one that has the path. It has its name only when all of it is durable, and
// when this returns OK the name is durable too. After an error nothing is left behind, or what has the temporary name.
absl::Status WriteFile(FileSystem& file_system, const std::string& path, absl::string_view bytes);

// Makes a segment with this header, of header.segment_bytes, zero behind the header. It has its name, replacing a
// segment that had it, only when all of it is durable, and when this returns OK the name is durable too. kNoSpace, with
// nothing left behind, where there is no room. Every byte is written, so that later writes to the segment have nothing
// to allocate, and syncing them nothing to record but the bytes.
absl::Status CreateSegment(FileSystem& file_system, const std::string& directory, const SegmentHeader& header);

// Writes zeros from `offset` to `end`, without syncing them.
absl::Status WriteZeros(File& file, uint64_t offset, uint64_t end);

}  // namespace kvs::txn
