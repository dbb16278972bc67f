// What a file ledger holds and takes, in numbers: `kvs log stat`. Takes no lock and changes nothing, so it may be
// pointed at the ledger of a running server.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <string>

#include "common/model/value.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/progress.h"

namespace kvs::txn {

struct LogStat {
  LogScan scan;
  bool live = false;  // whether a server was using it

  std::array<uint64_t, kValueTypeCount> keys{};  // live ones, by type
  int64_t time_micros = 0;                       // of the newest transaction, 0 if there is none

  // On the disk.
  uint64_t segment_bytes = 0;  // in use
  uint64_t spare_bytes = 0;
  uint64_t snapshot_bytes = 0;
  uint64_t ballast_bytes = 0;
  uint64_t logged_bytes = 0;          // in the segments, preallocated space aside
  uint64_t since_snapshot_bytes = 0;  // of them, behind the newest snapshot
  uint64_t state_bytes = 0;           // of the newest snapshot, before it was compressed

  // What is there of history begins behind this revision.
  uint64_t compacted_revision() const;
  uint64_t snapshot_revision() const;  // of the newest one, 0 if there is none
};

// Reads the whole ledger in `directory`. kUnusableDirectory if there is none, kDamagedLog if it is damaged.
absl::StatusOr<LogStat> StatLog(const std::string& directory, const ProgressFunction& progress,
                                FileSystem& file_system = PosixFileSystem());

}  // namespace kvs::txn
