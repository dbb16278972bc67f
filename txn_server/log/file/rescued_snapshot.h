// RescuedSnapshot: what can still be read of a damaged snapshot.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/rescued_frames.h"
#include "txn_server/log/file/segment_reader.h"
#include "txn_server/log/file/snapshot_reader.h"

namespace kvs::txn {

// Reads block by block. Of a block with an intact header nothing else is lost with it; behind any other place it goes
// on with the next header that is intact. Where the file cannot be read, its bytes count as zeros. Used by one thread.
class RescuedSnapshot {
 public:
  struct Part {
    absl::string_view transactions;
    bool behind_loss = false;  // whether some are missing before these
  };

  // `file_system` is borrowed for the call.
  static absl::StatusOr<std::unique_ptr<RescuedSnapshot>> Open(FileSystem& file_system, const SnapshotSummary& summary);

  // The next transactions, valid until the next call, or nothing at the end. Where the end is missing, the last part is
  // empty and behind a loss.
  std::optional<Part> Next();

  // What was found so far; all of it once Next has come to the end.
  const std::vector<Loss>& losses() const { return losses_; }
  uint64_t blocks_read() const { return blocks_read_; }

 private:
  RescuedSnapshot(std::unique_ptr<File> file, uint64_t size, SnapshotSummary summary);

  // The transactions of the block here, if it is whole; it is left behind in any case.
  std::optional<absl::string_view> ReadBlock();
  absl::StatusOr<absl::string_view> Contents(const BlockHeader& header);
  // Where the next intact header of a block is, or the end of the file.
  uint64_t FindBlock(uint64_t from);
  // Leaves behind what is before `end`.
  void Lose(uint64_t end, absl::string_view why);

  const std::unique_ptr<File> file_;
  FileWindow window_;
  const uint64_t size_;
  const SnapshotSummary summary_;
  BlockDecoder decoder_;
  uint64_t offset_ = kSnapshotHeaderBytes;
  uint32_t previous_crc32c_ = 0;  // of the header of the block before
  bool behind_loss_ = false;
  bool finished_ = false;
  uint64_t blocks_read_ = 0;
  std::vector<Loss> losses_;
};

}  // namespace kvs::txn
