// Transactions and cursors for tests of compaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/list_entries.h"
#include "tests/support/log_state.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/compaction/merge.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Reads lists of transactions that are given as texts.
class ListCursor : public SnapshotCursor {
 public:
  explicit ListCursor(std::vector<std::string> lists) : lists_(std::move(lists)) {}
  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    if (next_ == lists_.size()) return std::nullopt;
    current_ = lists_[next_++];
    return SnapshotChunk{current_};
  }

 private:
  const std::vector<std::string> lists_;
  std::string current_;  // a copy, so that who keeps it too long reads what is not there any more
  size_t next_ = 0;
};

inline std::unique_ptr<SnapshotCursor> Lists(std::vector<std::string> lists) {
  return std::make_unique<ListCursor>(std::move(lists));
}

// Reads frames that are given.
class FrameCursor : public LogCursor {
 public:
  explicit FrameCursor(std::vector<SampleFrame> frames) : frames_(std::move(frames)) {}
  absl::StatusOr<std::optional<Frame>> Next() override {
    if (next_ == frames_.size()) return std::nullopt;
    current_ = frames_[next_++];
    return current_.frame();
  }

 private:
  const std::vector<SampleFrame> frames_;
  SampleFrame current_;
  size_t next_ = 0;
};

// All chunks of a cursor, which must not fail.
inline std::vector<std::string> ReadChunks(SnapshotCursor& cursor) {
  std::vector<std::string> chunks;
  while (true) {
    const auto chunk = cursor.Next();
    REQUIRE(chunk.status() == absl::OkStatus());
    if (!*chunk) return chunks;
    chunks.emplace_back((*chunk)->transactions);
  }
}

inline std::string ReadList(SnapshotCursor& cursor) {
  std::string list;
  for (const std::string& chunk : ReadChunks(cursor)) list += chunk;
  return list;
}

// "int a 1<0 put", of each transaction of a list: type, key, revision and the one before.
inline std::vector<std::string> Describe(absl::string_view list) {
  static constexpr absl::string_view kNames[] = {"put",    "delete", "increment", "increment", "increment",
                                                 "append", "add",    "remove",    "fields",    "unfields"};
  std::vector<std::string> lines;
  TransactionListReader reader([](const RememberedRequest&) { return absl::OkStatus(); });
  reader.Reset(list);
  while (true) {
    const auto item = reader.Next();
    REQUIRE(item.status() == absl::OkStatus());
    if (!*item) return lines;
    const Transaction& t = (*item)->transaction;
    lines.push_back(absl::StrCat(TypeName(t.type), " ", t.key, " ", t.revision, "<", t.previous_revision, " ",
                                 kNames[t.operation.index()]));
  }
}

using Lines = std::vector<std::string>;

}  // namespace kvs::txn
