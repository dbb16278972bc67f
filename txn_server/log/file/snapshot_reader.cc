#include "txn_server/log/file/snapshot_reader.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <zstd.h>

#include <optional>
#include <utility>

#include "common/crc32c.h"
#include "common/errors.h"
#include "txn_server/log/file/segment_reader.h"

namespace kvs::txn {
namespace {

absl::Status Damaged(const std::string& path, uint64_t offset, absl::string_view what) {
  return Error(errors::kDamagedLog, absl::StrCat("the snapshot ", path, " is damaged at offset ", offset, ": ", what),
               {{"file", path}, {"offset", absl::StrCat(offset)}});
}

// Reads one block after the other.
class BlockReader {
 public:
  BlockReader(std::unique_ptr<File> file, SnapshotSummary summary)
      : file_(std::move(file)), window_(*file_), summary_(std::move(summary)) {}

  // The stored bytes of the next block, or nothing behind the last one.
  absl::StatusOr<std::optional<absl::string_view>> Next() {
    if (block_ == summary_.header.blocks) return End();
    offset_ = end_;
    const auto bytes = window_.View(offset_, kBlockHeaderBytes);
    if (!bytes.ok()) return Broken(bytes.status().message());
    if (std::string problem = DecodeBlockHeader(*bytes, &header_); !problem.empty()) return Broken(problem);
    if (header_.previous_crc32c != previous_crc32c_) {
      return Broken(absl::StrFormat("the block continues %08x and what is before it is %08x", header_.previous_crc32c,
                                    previous_crc32c_));
    }
    previous_crc32c_ = BlockHeaderCrc(*bytes);
    const auto whole = window_.View(offset_, kBlockHeaderBytes + header_.stored_bytes);
    if (!whole.ok()) return Broken(whole.status().message());
    if (whole->size() < kBlockHeaderBytes + header_.stored_bytes) return Broken("the file ends inside the block");
    const absl::string_view stored = whole->substr(kBlockHeaderBytes);
    if (Crc32c(stored) != header_.stored_crc32c) return Broken("the checksum of the block is not that of its bytes");
    end_ += whole->size();
    ++block_;
    return stored;
  }

  // Of the block that Next returned.
  const BlockHeader& header() const { return header_; }

  absl::Status Broken(absl::string_view what) const { return Damaged(summary_.path, offset_, what); }

 private:
  absl::StatusOr<std::optional<absl::string_view>> End() {
    offset_ = end_;
    if (end_ != summary_.header.file_bytes || previous_crc32c_ != summary_.header.last_block_crc32c) {
      return Broken("the blocks are not those that the header names");
    }
    return std::nullopt;
  }

  const std::unique_ptr<File> file_;
  FileWindow window_;
  const SnapshotSummary summary_;
  uint64_t block_ = 0;
  uint64_t offset_ = 0;  // of the block
  uint64_t end_ = kSnapshotHeaderBytes;
  uint32_t previous_crc32c_ = 0;
  BlockHeader header_;
};

class FileSnapshotCursor : public SnapshotCursor {
 public:
  FileSnapshotCursor(std::unique_ptr<File> file, SnapshotSummary summary)
      : blocks_(std::move(file), std::move(summary)) {}

  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    const auto stored = blocks_.Next();
    if (!stored.ok()) return stored.status();
    if (!*stored) return std::nullopt;
    const auto raw = decoder_.Decode(blocks_.header(), **stored);
    if (!raw.ok()) return blocks_.Broken(raw.status().message());
    return SnapshotChunk{*raw};
  }

 private:
  BlockReader blocks_;
  BlockDecoder decoder_;
};

}  // namespace

BlockDecoder::BlockDecoder() : decompressor_(ZSTD_createDCtx(), ZSTD_freeDCtx) {}

absl::StatusOr<absl::string_view> BlockDecoder::Decode(const BlockHeader& header, absl::string_view stored) {
  if (header.compression == Compression::kNone) return stored;
  raw_.resize(header.raw_bytes);
  const size_t size = ZSTD_decompressDCtx(decompressor_.get(), raw_.data(), raw_.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0) return absl::DataLossError(ZSTD_getErrorName(size));
  if (size == raw_.size()) return raw_;
  return absl::DataLossError("the block stands for another number of bytes than its header says");
}

absl::StatusOr<SnapshotSummary> ReadSnapshotHeader(FileSystem& file_system, const std::string& path) {
  auto summary = ReadSnapshotHeaderOnly(file_system, path);
  if (!summary.ok()) return summary;
  const auto file = file_system.OpenForReading(path);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size == summary->header.file_bytes) return summary;
  return Damaged(path, *size, absl::StrCat("the file should have ", summary->header.file_bytes, " bytes"));
}

absl::StatusOr<SnapshotSummary> ReadSnapshotHeaderOnly(FileSystem& file_system, const std::string& path) {
  const auto file = file_system.OpenForReading(path);
  if (!file.ok()) return file.status();
  std::string sector(kSnapshotHeaderBytes, '\0');
  const auto read = (*file)->ReadAt(0, sector.data(), sector.size());
  if (!read.ok()) return Damaged(path, 0, read.status().message());
  sector.resize(*read);
  SnapshotSummary summary{path, {}};
  const std::string problem = DecodeSnapshotHeader(sector, &summary.header);
  if (!problem.empty()) return Damaged(path, 0, problem);
  if (summary.header.min_reader_version > kFormatVersion) {
    return Error(errors::kUnsupportedLogVersion,
                 absl::StrCat(path, " needs a program that reads version ", summary.header.min_reader_version,
                              "; this one reads up to ", kFormatVersion, ": use the newer program that wrote it"),
                 {{"file", path}});
  }
  return summary;
}

absl::Status VerifySnapshot(FileSystem& file_system, const SnapshotSummary& summary,
                            absl::FunctionRef<bool(uint64_t bytes)> read) {
  auto file = file_system.OpenForReading(summary.path);
  if (!file.ok()) return file.status();
  BlockReader blocks(*std::move(file), summary);
  while (true) {
    const auto block = blocks.Next();
    if (!block.ok()) return block.status();
    if (!*block) return absl::OkStatus();
    if (!read(kBlockHeaderBytes + (*block)->size()))
      return absl::CancelledError("the snapshot was not read to its end");
  }
}

absl::StatusOr<std::unique_ptr<SnapshotCursor>> OpenSnapshot(FileSystem& file_system, const SnapshotSummary& summary) {
  auto file = file_system.OpenForReading(summary.path);
  if (!file.ok()) return file.status();
  return std::make_unique<FileSnapshotCursor>(*std::move(file), summary);
}

absl::StatusOr<StateReplay> ReplayOfSnapshot(FileSystem& file_system, const SnapshotSummary& summary) {
  auto cursor = OpenSnapshot(file_system, summary);
  if (!cursor.ok()) return cursor.status();
  StateReplay replay;
  replay.snapshot_revision = summary.header.point.revision;
  replay.snapshot_time_micros = summary.header.time_micros;
  replay.snapshot_transactions = summary.header.transactions;
  replay.snapshot = *std::move(cursor);
  return replay;
}

}  // namespace kvs::txn
