// Reads a range of the file ledger while it is being appended to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A segment as far as it is durable.
struct SegmentExtent {
  std::string path;
  uint64_t segment_id = 0;
  uint64_t first_revision = 0;  // of the next transaction when the segment came into use
  uint64_t end = 0;             // behind the last durable frame
  // The segment is not removed as long as there are copies of this.
  std::shared_ptr<const char> pin;
};

// Reads the transactions from `from_revision`, which the first of `extents` holds, to the end of the last of them; they
// are consecutive. Checks everything that it reads again. `file_system` is borrowed.
std::unique_ptr<LogCursor> MakeFileCursor(FileSystem& file_system, std::string log_id,
                                          std::vector<SegmentExtent> extents, uint64_t from_revision);

}  // namespace kvs::txn
