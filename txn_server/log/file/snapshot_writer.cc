#include "txn_server/log/file/snapshot_writer.h"

#include <absl/strings/str_cat.h>
#include <zstd.h>

#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "txn_server/log/compaction/merge.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

// The fastest level of zstd's regular ones: the disk is the slower part from there on.
constexpr int kCompressionLevel = 1;

constexpr size_t kWriteBytes = 1 * kMiB;

// How much is left to the page cache before it is synced: so that the disk never owes so much that the syncs of the log
// would have to wait for it.
constexpr uint64_t kSyncBytes = 4 * kMiB;

}  // namespace

SnapshotWriter::SnapshotWriter(std::unique_ptr<File> file)
    : file_(std::move(file)), compressor_(ZSTD_createCCtx(), ZSTD_freeCCtx) {}

SnapshotWriter::~SnapshotWriter() = default;

absl::Status SnapshotWriter::Add(const SnapshotEntry& entry) {
  block_.append(entry.bytes.data(), entry.bytes.size());
  if (entry.type) ++totals_.transactions;
  if (entry.begins_key) ++totals_.keys[static_cast<size_t>(*entry.type)];
  return block_.size() < kTargetBlockBytes ? absl::OkStatus() : CloseBlock();
}

absl::Status SnapshotWriter::Add(const SnapshotChunk& chunk) {
  block_.append(chunk.transactions.data(), chunk.transactions.size());
  return block_.size() < kTargetBlockBytes ? absl::OkStatus() : CloseBlock();
}

absl::Status SnapshotWriter::CloseBlock() {
  if (block_.empty()) return absl::OkStatus();
  const size_t header_at = output_.size();
  const size_t bound = ZSTD_compressBound(block_.size());
  output_.resize(header_at + kBlockHeaderBytes + bound);
  char* stored = &output_[header_at + kBlockHeaderBytes];
  size_t size = ZSTD_compressCCtx(compressor_.get(), stored, bound, block_.data(), block_.size(), kCompressionLevel);
  BlockHeader header;
  header.compression = Compression::kZstd;
  if (ZSTD_isError(size) != 0 || size >= block_.size()) {
    header.compression = Compression::kNone;
    size = block_.copy(stored, block_.size());
  }
  output_.resize(header_at + kBlockHeaderBytes + size);
  header.stored_bytes = static_cast<uint32_t>(size);
  header.raw_bytes = static_cast<uint32_t>(block_.size());
  header.stored_crc32c = Crc32c(absl::string_view(output_).substr(header_at + kBlockHeaderBytes));
  header.previous_crc32c = totals_.last_block_crc32c;
  const std::string encoded = EncodeBlockHeader(header);
  output_.replace(header_at, encoded.size(), encoded);
  totals_.last_block_crc32c = BlockHeaderCrc(encoded);
  totals_.raw_bytes += block_.size();
  ++totals_.blocks;
  block_.clear();
  return output_.size() < kWriteBytes ? absl::OkStatus() : WriteOut();
}

absl::Status SnapshotWriter::WriteOut() {
  if (absl::Status status = file_->WriteAt(written_, {output_}); !status.ok()) return status;
  written_ += output_.size();
  output_.clear();
  if (written_ - synced_ < kSyncBytes) return absl::OkStatus();
  synced_ = written_;
  return file_->Sync();
}

absl::StatusOr<SnapshotHeader> SnapshotWriter::Finish(SnapshotHeader header) {
  if (absl::Status status = CloseBlock(); !status.ok()) return status;
  if (absl::Status status = WriteOut(); !status.ok()) return status;
  header.file_bytes = written_;
  header.blocks = totals_.blocks;
  header.transactions = totals_.transactions;
  header.raw_bytes = totals_.raw_bytes;
  header.keys = totals_.keys;
  header.last_block_crc32c = totals_.last_block_crc32c;
  if (absl::Status status = file_->WriteAt(0, {EncodeSnapshotHeader(header)}); !status.ok()) return status;
  return header;
}

absl::StatusOr<SnapshotSummary> CreateSnapshot(FileSystem& file_system, const std::string& directory,
                                               const SnapshotHeader& header, std::unique_ptr<SnapshotCursor> contents) {
  const std::string path = SnapshotPath(directory, header.snapshot_id);
  const std::string temporary = absl::StrCat(path, kTemporarySuffix);
  auto file = file_system.Create(temporary);
  if (!file.ok()) return file.status();
  const auto write = [&](std::unique_ptr<File> target) -> absl::StatusOr<SnapshotHeader> {
    SnapshotWriter writer(std::move(target));
    std::vector<std::unique_ptr<SnapshotCursor>> sources;
    sources.push_back(std::move(contents));
    RequestWindow requests;
    const absl::Status merged =
        Merge(std::move(sources), &requests, [&](const SnapshotEntry& entry) { return writer.Add(entry); });
    if (!merged.ok()) return merged;
    auto finished = writer.Finish(header);
    if (!finished.ok()) return finished;
    if (absl::Status status = writer.Sync(); !status.ok()) return status;
    return finished;
  };
  const auto finished = write(*std::move(file));
  absl::Status status = finished.status();
  if (status.ok()) status = file_system.Rename(temporary, path);
  if (!status.ok()) {
    file_system.Remove(temporary).IgnoreError();  // the next start does it
    return status;
  }
  if (status = file_system.SyncDirectory(directory); !status.ok()) return status;
  return SnapshotSummary{path, *finished};
}

}  // namespace kvs::txn
