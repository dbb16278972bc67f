// Snapshots for tests, in a file system in memory.
#pragma once

#include <absl/strings/str_format.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/compaction_samples.h"
#include "tests/support/memory_file_system.h"
#include "txn_server/log/file/snapshot_reader.h"
#include "txn_server/log/file/snapshot_writer.h"

namespace kvs::txn {

// A put of an int as an entry of a list, at its number as revision.
inline std::string IntEntry(uint64_t number) {
  return Entry(number, 0, ValueType::kInt, absl::StrFormat("key-%06d", number), operation::Put{int64_t{1}});
}

// A put of a string of so many bytes that nothing can compress.
inline std::string NoiseEntry(uint64_t number, size_t bytes) {
  std::mt19937 random(static_cast<uint32_t>(number));
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return Entry(number, 0, ValueType::kString, absl::StrFormat("key-%06d", number),
               operation::Put{absl::string_view(text)});
}

inline SnapshotHeader SampleSnapshotHeader() {
  SnapshotHeader header;
  header.snapshot_id = 1;
  header.log_id = "0123456789abcdef";
  return header;
}

// Writes a snapshot, in one Add for each entry of a key of its own.
inline SnapshotSummary WriteSnapshot(MemoryFileSystem& files, const std::string& path,
                                     const std::vector<std::string>& entries,
                                     const SnapshotHeader& header = SampleSnapshotHeader()) {
  auto file = files.Create(path);
  REQUIRE(file.ok());
  SnapshotWriter writer(*std::move(file));
  TransactionListReader reader;
  for (const std::string& entry : entries) {
    reader.Reset(entry);
    const auto item = reader.Next();
    REQUIRE(item.ok());
    REQUIRE(writer.Add(SnapshotEntry{(*item)->transaction.type, true, entry}) == absl::OkStatus());
  }
  const auto finished = writer.Finish(header);
  REQUIRE(finished.status() == absl::OkStatus());
  REQUIRE(writer.Sync() == absl::OkStatus());
  return {path, *finished};
}

// Where the blocks of a snapshot begin, and its end.
inline std::vector<size_t> BlockOffsets(const std::string& bytes) {
  std::vector<size_t> offsets = {kSnapshotHeaderBytes};
  while (offsets.back() < bytes.size()) {
    BlockHeader header;
    REQUIRE(DecodeBlockHeader(absl::string_view(bytes).substr(offsets.back()), &header).empty());
    offsets.push_back(offsets.back() + kBlockHeaderBytes + header.stored_bytes);
  }
  return offsets;
}

}  // namespace kvs::txn
