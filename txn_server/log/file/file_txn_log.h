// The file ledger: a TxnLog in a directory of its own. docs/file-format.md describes the files byte by byte.
//
// 1. The log is a sequence of segments, and a group commit is one frame in the newest of them: one write into space
// that
//    was filled with zeros before, one fdatasync.
// 2. A segment is written to by the process that took it into use and by no later one.
// 3. The next segment exists before the first frame is written to one, so that the newest cannot vanish unnoticed.
// 4. Opening reads and checks every byte. What a crash may leave at the end is repaired, and said; anything else that
// is
//    not as it was written refuses to open.
// 5. In the background, snapshots are made of what was logged, so that a start has to read no more than the newest one
// and
//    what follows it; what they stand for is removed if the retention says so.
// 6. A failed write or sync, other than for want of space, ends the log: only a new process can know what is on the
// disk.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/limits.h"
#include "txn_server/log/file/compactor.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

struct FileTxnLogOptions {
  // Made if it is missing; its parent must exist.
  std::string directory;

  // At least kMinSegmentBytes, in whole sectors. A frame that is larger gets a larger segment.
  uint64_t segment_bytes = kDefaultSegmentBytes;

  // The id of a log that is made new, 16 bytes; random if it is empty.
  std::string new_log_id;

  // Told, in a sentence for people, what was repaired, or could not be done. Called, as those below, by the thread that
  // opens, appends or compacts, or reads. May be null.
  std::function<void(const std::string&)> notice;

  // What becomes of the past. Told of every snapshot that was made, and that could not be made; may be null.
  CompactionOptions compaction;
  std::function<void(const CompactionReport&)> compacted;
  CompactionFailed compaction_failed;

  // Whether it may be a directory that is not finished: only who fills it, and holds its lock, opens that.
  bool unfinished = false;

  // Borrowed.
  FileSystem* file_system = &PosixFileSystem();
};

// Opens the ledger in a directory, or starts a new one in an empty directory, and keeps others from using it until it
// is destroyed.
//
// kLogInUse while another process uses it; kUnusableDirectory if the directory cannot be written, its parent is
// missing, or it holds other things than a ledger, such as a backup; kDamagedLog at any damage but a torn tail;
// kUnsupportedLogVersion if a newer program wrote it; kNoSpace if there is no room to start a new one; kLogFailed if
// the repair cannot be written.
absl::StatusOr<std::unique_ptr<TxnLog>> OpenFileTxnLog(FileTxnLogOptions options);

}  // namespace kvs::txn
