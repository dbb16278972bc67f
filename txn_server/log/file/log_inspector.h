// Looks at a file ledger for people: what `kvs log verify` and `kvs log dump` show. Takes no lock and changes nothing,
// so it may be pointed at the ledger of a running server and at a damaged one.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/log_scan.h"
#include "txn_server/log/progress.h"

namespace kvs::txn {

struct LogReport {
  // OK, kDamagedLog or kUnsupportedLogVersion; a torn tail is OK, since the next start repairs it.
  absl::Status verdict;
  // What was found, up to the damage if there is any.
  LogScan scan;
  // Whether a server was using the ledger: then its end was moving, and what was just being written is not in `scan`.
  bool live = false;
  // Where there is damage: the first frame behind it in the same file, as far as its header tells.
  std::optional<FrameHeader> next_after_damage;
};

// kUnusableDirectory unless there is a ledger in the directory, damaged or not.
absl::Status CheckLedgerDirectory(FileSystem& file_system, const std::string& directory);

using FrameVisitor = std::function<void(const SegmentSummary&, const StoredFrame&)>;

// Reads the whole ledger in `directory`, and calls `visit`, which may be null, for every valid frame up to the damage,
// in order. kUnusableDirectory if there is no ledger; another error if it cannot be read.
absl::StatusOr<LogReport> InspectLog(const std::string& directory, const FrameVisitor& visit = nullptr,
                                     FileSystem& file_system = PosixFileSystem(),
                                     const ProgressFunction& progress = nullptr);

}  // namespace kvs::txn
