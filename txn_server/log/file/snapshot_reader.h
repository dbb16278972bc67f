// Reads snapshots, and checks every byte of them.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "txn_server/log/file/file_system.h"
#include "txn_server/log/file/snapshot_format.h"
#include "txn_server/log/txn_log.h"

struct ZSTD_DCtx_s;

namespace kvs::txn {

// A snapshot whose header was read.
struct SnapshotSummary {
  std::string path;
  SnapshotHeader header;
};

// Undoes the compression of blocks. Used by one thread.
class BlockDecoder {
 public:
  BlockDecoder();

  // The transactions of a block whose checksum is right, valid until `stored` is gone or this is called again. An error
  // says in words for people why they cannot be had.
  absl::StatusOr<absl::string_view> Decode(const BlockHeader& header, absl::string_view stored);

 private:
  const std::unique_ptr<ZSTD_DCtx_s, size_t (*)(ZSTD_DCtx_s*)> decompressor_;
  std::string raw_;
};

// Reads the header of a snapshot. kDamagedLog if it is not intact or does not fit the file, kUnsupportedLogVersion if a
// newer program wrote it.
absl::StatusOr<SnapshotSummary> ReadSnapshotHeader(FileSystem& file_system, const std::string& path);

// As ReadSnapshotHeader, also of a file that was cut or that something was appended to.
absl::StatusOr<SnapshotSummary> ReadSnapshotHeaderOnly(FileSystem& file_system, const std::string& path);

// Checks that all blocks are as they were written, and tells `read` the bytes of each that is, which says whether to go
// on. kDamagedLog if one is not, CANCELLED.
absl::Status VerifySnapshot(
    FileSystem& file_system, const SnapshotSummary& summary,
    absl::FunctionRef<bool(uint64_t bytes)> read = [](uint64_t) { return true; });

// Reads the transactions of a snapshot. `file_system` is borrowed. The file is opened at once, so that it may be
// removed meanwhile.
absl::StatusOr<std::unique_ptr<SnapshotCursor>> OpenSnapshot(FileSystem& file_system, const SnapshotSummary& summary);

// The replay of a snapshot, opened in the same way, still without what follows it.
absl::StatusOr<StateReplay> ReplayOfSnapshot(FileSystem& file_system, const SnapshotSummary& summary);

}  // namespace kvs::txn
