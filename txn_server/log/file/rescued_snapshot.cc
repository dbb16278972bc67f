#include "txn_server/log/file/rescued_snapshot.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/crc32c.h"
#include "common/limits.h"
#include "txn_server/log/file/patient_file.h"

namespace kvs::txn {

absl::StatusOr<std::unique_ptr<RescuedSnapshot>> RescuedSnapshot::Open(FileSystem& file_system,
                                                                       const SnapshotSummary& summary) {
  auto file = file_system.OpenForReading(summary.path);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  return std::unique_ptr<RescuedSnapshot>(
      new RescuedSnapshot(std::make_unique<PatientFile>(*std::move(file)), *size, summary));
}

RescuedSnapshot::RescuedSnapshot(std::unique_ptr<File> file, uint64_t size, SnapshotSummary summary)
    : file_(std::move(file)),
      window_(*file_),
      size_(std::min(size, summary.header.file_bytes)),
      summary_(std::move(summary)) {}

std::optional<RescuedSnapshot::Part> RescuedSnapshot::Next() {
  while (offset_ < size_) {
    if (const auto transactions = ReadBlock()) return Part{*transactions, std::exchange(behind_loss_, false)};
  }
  if (std::exchange(finished_, true)) return std::nullopt;
  if (!behind_loss_ && previous_crc32c_ != summary_.header.last_block_crc32c) {
    Lose(offset_, "the blocks that should follow are missing");
  }
  if (!behind_loss_) return std::nullopt;
  return Part{"", true};
}

std::optional<absl::string_view> RescuedSnapshot::ReadBlock() {
  const auto bytes = window_.View(offset_, kBlockHeaderBytes);
  BlockHeader header;
  const std::string problem = bytes.ok() ? DecodeBlockHeader(*bytes, &header) : std::string(bytes.status().message());
  if (!problem.empty()) {
    Lose(FindBlock(offset_ + 1), problem);
    return std::nullopt;
  }
  if (!behind_loss_ && header.previous_crc32c != previous_crc32c_) Lose(offset_, "a block is missing before this one");
  previous_crc32c_ = BlockHeaderCrc(*bytes);
  const uint64_t end = offset_ + kBlockHeaderBytes + header.stored_bytes;
  const auto contents = Contents(header);
  if (!contents.ok()) {
    Lose(std::min(end, size_), contents.status().message());
    return std::nullopt;
  }
  offset_ = end;
  ++blocks_read_;
  return *contents;
}

absl::StatusOr<absl::string_view> RescuedSnapshot::Contents(const BlockHeader& header) {
  const auto stored = window_.View(offset_ + kBlockHeaderBytes, header.stored_bytes);
  if (!stored.ok()) return stored.status();
  if (stored->size() < header.stored_bytes) return absl::DataLossError("the file ends inside the block");
  if (Crc32c(*stored) != header.stored_crc32c) {
    return absl::DataLossError("the checksum of the block is not that of its bytes");
  }
  return decoder_.Decode(header, *stored);
}

uint64_t RescuedSnapshot::FindBlock(uint64_t from) {
  constexpr size_t kViewBytes = 64 * kKiB;
  while (true) {
    const auto view = window_.View(from, kViewBytes);
    if (!view.ok() || view->size() < kBlockHeaderBytes) return size_;
    const size_t at = view->find(kBlockMagic);
    if (at == 0) {
      BlockHeader header;
      if (DecodeBlockHeader(view->substr(0, kBlockHeaderBytes), &header).empty()) return std::min(from, size_);
      ++from;
    } else {
      // What begins behind these may be cut off here.
      from += at != absl::string_view::npos ? at : view->size() - (kBlockMagic.size() - 1);
    }
  }
}

void RescuedSnapshot::Lose(uint64_t end, absl::string_view why) {
  losses_.push_back({summary_.path, offset_, 0, 0, absl::StrCat(why, ", ", end - offset_, " bytes")});
  offset_ = end;
  behind_loss_ = true;
}

}  // namespace kvs::txn
