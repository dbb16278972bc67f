// Brings a ledger that was not closed into a state from which it can go on.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/log_scan.h"

namespace kvs::txn {

// Repairs what a crash may leave, of which `scan` found no damage:
// - The last valid frame is written and synced again. After a sync that failed, or that a crash prevented, it may exist
//   in the page cache alone, and would otherwise be acknowledged without being on the disk.
// - What follows it in its segment is overwritten with zeros and synced: a torn frame, whose loss `notice` is told.
// - What was renamed is synced.
// - Space that finished segments do not need is given back.
// No segment that was in use is written to again after this. `scan` is brought up to date.
absl::Status Recover(FileSystem& file_system, const std::string& directory,
                     const std::function<void(const std::string&)>& notice, LogScan& scan);

// Cuts a finished segment behind its last frame. Where that fails nothing but space is lost: `notice` is told.
void CutFinishedSegment(FileSystem& file_system, const std::function<void(const std::string&)>& notice,
                        SegmentSummary& segment);

}  // namespace kvs::txn
