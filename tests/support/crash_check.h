// CrashCheck: starts a ledger from what a crash left, and holds what it finds against what was promised.
#pragma once

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/recorded_ledger.h"

namespace kvs::txn {

class CrashCheck {
 public:
  // `ledger` is where the disks come from.
  explicit CrashCheck(RecordedLedger& ledger) : ledger_(ledger) {}

  // Starts it, lets the power fail, starts it again, goes on with the next group, lets the power fail and starts it
  // once more. What is not as it has to be, for people; empty if all is. The disk is used up.
  std::string Try(MemoryFileSystem& files, const Promise& promise) {
    ReadBack first;
    uint64_t epoch = 0;
    if (std::string problem = Start(files, promise, &first, &epoch); !problem.empty()) return problem;
    // Whatever was found may have been in the page cache alone: it was said to be durable.
    const Promise found = {first.revision, first.revision, epoch, epoch};
    PowerCut(files);
    if (std::string problem = GoOn(files, found); !problem.empty()) return "after a second crash: " + problem;
    return "";
  }

  // Where it writes down a disk, for `kvs log verify`.
  static std::string Keep(const MemoryFileSystem& files, const std::string& name) {
    const auto directory = std::filesystem::temp_directory_path() / name;
    std::filesystem::create_directories(directory);
    for (const auto& [path, bytes] : files.AllContents("/log/")) {
      std::ofstream(directory / path.substr(5), std::ios::binary) << bytes;
    }
    return directory.string();
  }

 private:
  absl::StatusOr<std::unique_ptr<TxnLog>> Open(MemoryFileSystem& files) {
    FileTxnLogOptions options = ledger_.options();
    options.file_system = &files;
    options.compaction.min_bytes = 100 * kMiB;  // nothing happens by itself
    options.notice = nullptr;
    options.compacted = nullptr;
    options.compaction_failed = nullptr;
    return OpenFileTxnLog(options);
  }

  void PowerCut(MemoryFileSystem& files) { files.PowerCut(random_, MemoryFileSystem::Unsynced::kLost); }

  std::string Start(MemoryFileSystem& files, const Promise& promise, ReadBack* found, uint64_t* epoch) {
    const auto log = Open(files);
    if (!log.ok()) return absl::StrCat("it is not opened: ", log.status().message());
    *epoch = (*log)->position().epoch;
    return Check(**log, promise, found);
  }

  std::string Check(TxnLog& log, const Promise& promise, ReadBack* found) const {
    const LogPosition position = log.position();
    if (position.epoch < promise.acknowledged_epoch) return absl::StrCat("epoch ", position.epoch, " is an older one");
    if (position.epoch > promise.begun_epoch) return absl::StrCat("epoch ", position.epoch, " was never begun");
    *found = ledger_.truth().Read(log);
    if (!found->problem.empty()) return found->problem;
    if (position.durable_revision != found->revision) return "what is read is not as long as it says";
    if (found->revision < promise.acknowledged_revision) {
      return absl::StrCat("revisions up to ", promise.acknowledged_revision, " were acknowledged, and those behind ",
                          found->revision, " are lost");
    }
    if (found->revision <= promise.begun_revision) return "";
    return absl::StrCat("revision ", found->revision, " was never begun");
  }

  std::string GoOn(MemoryFileSystem& files, const Promise& promise) {
    Promise next = promise;
    {
      const auto log = Open(files);
      if (!log.ok()) return absl::StrCat("it is not opened: ", log.status().message());
      ReadBack found;
      if (std::string problem = Check(**log, promise, &found); !problem.empty()) return problem;
      const auto epoch = (*log)->BeginEpoch("another writer");
      if (!epoch.ok()) return absl::StrCat("no epoch begins: ", epoch.status().message());
      next.acknowledged_epoch = next.begun_epoch = *epoch;
      const auto group = ledger_.groups().find(promise.acknowledged_revision + 1);
      if (group != ledger_.groups().end()) {
        const absl::Status status = (*log)->Append(*epoch, {group->second.frame()});
        if (!status.ok()) return absl::StrCat("the next group is not appended: ", status.message());
        next.acknowledged_revision = next.begun_revision = group->second.last_revision();
      }
    }
    PowerCut(files);
    ReadBack found;
    uint64_t epoch = 0;
    const std::string problem = Start(files, next, &found, &epoch);
    return problem.empty() ? "" : "after more was appended: " + problem;
  }

  RecordedLedger& ledger_;
  std::mt19937_64 random_{1};
};

}  // namespace kvs::txn
