// LogTruth: what was given to a log to keep, and whether a log gives back exactly a prefix of it.
#pragma once

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tests/support/log_state.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// What a log gave back; `problem` says for people why that is not a prefix of the truth, and is empty if it is one.
struct ReadBack {
  uint64_t revision = 0;  // the newest one
  std::string problem;
};

class LogTruth {
 public:
  LogTruth() { groups_[0] = {0, LogState().Snapshot()}; }

  // The next group that a log keeps whole or not at all. `state` is the one after it.
  void Add(const SampleFrame& frame, const LogState& state) {
    list_ += frame.bytes;
    groups_[frame.last_revision()] = {list_.size(), state.Snapshot()};
  }

  uint64_t last_revision() const { return groups_.rbegin()->first; }
  // Whether a group ends with this revision.
  bool IsWhole(uint64_t revision) const { return groups_.count(revision) > 0; }
  // Of the group that ends with a revision, that of the group before.
  uint64_t Before(uint64_t revision) const { return std::prev(groups_.find(revision))->first; }

  // Reads the state of a log as a start does, and compares it with the truth, byte for byte: all values, revisions,
  // times, actors and requests.
  ReadBack Read(TxnLog& log) const {
    auto replay = log.ReplayState();
    if (!replay.ok()) return {0, std::string(replay.status().message())};
    if (!IsWhole(replay->snapshot_revision)) return {0, "a snapshot ends within a group"};
    if (std::string problem = CompareSnapshot(*replay); !problem.empty()) return {0, problem};
    return CompareTail(*replay->tail, replay->snapshot_revision);
  }

 private:
  struct Group {
    size_t list_bytes = 0;  // of the list up to its end
    std::string snapshot;   // of the state after it
  };

  std::string CompareSnapshot(StateReplay& replay) const {
    std::string snapshot;
    while (replay.snapshot) {
      const auto chunk = replay.snapshot->Next();
      if (!chunk.ok()) return std::string(chunk.status().message());
      if (!*chunk) break;
      snapshot += std::string((*chunk)->transactions);
    }
    if (snapshot == groups_.at(replay.snapshot_revision).snapshot) return "";
    return absl::StrCat("the snapshot of revision ", replay.snapshot_revision, " is not the state after it");
  }

  ReadBack CompareTail(LogCursor& tail, uint64_t revision) const {
    absl::string_view rest = absl::string_view(list_).substr(groups_.at(revision).list_bytes);
    while (true) {
      const auto frame = tail.Next();
      if (!frame.ok()) return {revision, std::string(frame.status().message())};
      if (!*frame) break;
      const absl::string_view found = (*frame)->transactions;
      if ((*frame)->first_revision != revision + 1 || rest.substr(0, found.size()) != found) {
        return {revision, absl::StrCat("what follows revision ", revision, " is not what was written")};
      }
      rest.remove_prefix(found.size());
      revision += (*frame)->count;
    }
    if (!IsWhole(revision)) return {revision, absl::StrCat("revision ", revision, " is within a group")};
    if (rest.size() == list_.size() - groups_.at(revision).list_bytes) return {revision, ""};
    return {revision, absl::StrCat("the bytes up to revision ", revision, " are not as many as were written")};
  }

  std::string list_;                  // of all transactions
  std::map<uint64_t, Group> groups_;  // by their last revisions
};

}  // namespace kvs::txn
