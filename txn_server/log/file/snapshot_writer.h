// Writes a snapshot, or a sorted run of changes in the same format.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <memory>
#include <string>

#include "txn_server/log/compaction/merge.h"
#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/snapshot_format.h"
#include "txn_server/log/file/snapshot_reader.h"
#include "txn_server/log/txn_log.h"

struct ZSTD_CCtx_s;

namespace kvs::txn {

// Used by one thread. kNoSpace where there is no room; the owner removes the file then, as after every other error.
class SnapshotWriter {
 public:
  // `file` is empty.
  explicit SnapshotWriter(std::unique_ptr<File> file);
  ~SnapshotWriter();

  // Adds what comes next; transactions of a snapshot are sorted.
  absl::Status Add(const SnapshotEntry& entry);
  absl::Status Add(const SnapshotChunk& chunk);

  // Writes what is left, and the header, of which this fills in what the blocks are. Returns it.
  absl::StatusOr<SnapshotHeader> Finish(SnapshotHeader header);
  // Makes all of it durable.
  absl::Status Sync() { return file_->Sync(); }

 private:
  absl::Status CloseBlock();
  absl::Status WriteOut();

  const std::unique_ptr<File> file_;
  const std::unique_ptr<ZSTD_CCtx_s, size_t (*)(ZSTD_CCtx_s*)> compressor_;
  SnapshotHeader totals_;
  std::string block_;   // transactions of the block that is being filled
  std::string output_;  // closed blocks, not written yet
  uint64_t written_ = kSnapshotHeaderBytes;
  uint64_t synced_ = 0;
};

// Makes the snapshot header.snapshot_id of the transactions of `contents`, which are sorted; what the blocks are is
// filled in. It has its name only when all of it is durable; nothing is left of it after an error.
absl::StatusOr<SnapshotSummary> CreateSnapshot(FileSystem& file_system, const std::string& directory,
                                               const SnapshotHeader& header, std::unique_ptr<SnapshotCursor> contents);

}  // namespace kvs::txn
