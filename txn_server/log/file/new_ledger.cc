#include "txn_server/log/file/new_ledger.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_scan.h"

namespace kvs::txn {
namespace {

// The directory that becomes `directory`.
std::string PartialPath(const std::string& directory) { return absl::StrCat(WithoutSlashes(directory), ".partial"); }

// Only what is marked may be removed. A crash just before a ledger gets its name leaves a whole one without the mark.
absl::Status CheckLeftovers(const DirectoryListing& listing, const std::string& directory) {
  if (!listing.foreign_names.empty()) {
    return UnusableDirectory(absl::StrCat(directory,
                                          " is needed to make the ledger in, and holds other files, such as ",
                                          listing.foreign_names.front(), "; move it away"));
  }
  const bool empty = listing.segment_ids.empty() && listing.snapshot_ids.empty() && listing.temporary_names.empty() &&
                     !listing.has_closed_mark && !listing.has_ballast;
  if (listing.is_unfinished || empty) return absl::OkStatus();
  return UnusableDirectory(
      absl::StrCat(directory,
                   " is needed to make the ledger in, and holds a whole ledger: one that was just made "
                   "when its making was interrupted, or another one. It was not changed; look at it with "
                   "\"kvs log verify ",
                   directory, "\", and rename it, or remove it if nobody needs it"));
}

absl::Status RemoveFiles(FileSystem& file_system, const std::string& directory) {
  const auto names = file_system.List(directory);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (name == kUnfinishedFileName || name == kLockFileName) continue;
    if (absl::Status status = file_system.Remove(absl::StrCat(directory, "/", name)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Removes a half-made ledger with its directory. What says so goes when there is nothing else, and the lock last:
// whoever can take it finds an empty directory.
absl::Status RemoveLedger(FileSystem& file_system, const std::string& directory) {
  if (absl::Status status = RemoveFiles(file_system, directory); !status.ok()) return status;
  for (const std::string& path : {UnfinishedPath(directory), LockPath(directory)}) {
    const absl::Status status = file_system.Remove(path);
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return file_system.RemoveDirectory(directory);
}

absl::Status BeingMade(const std::string& directory, const std::string& pid) {
  return Error(errors::kLogInUse,
               absl::StrCat(HolderName(pid), " is using ", directory,
                            ", where the ledger is to be made; wait until it has made one, or name another directory"),
               {{"pid", pid}});
}

absl::Status CheckLeftovers(FileSystem& file_system, const std::string& directory) {
  const auto listing = ListDirectory(file_system, directory);
  if (absl::IsNotFound(listing.status())) return absl::OkStatus();
  return listing.ok() ? CheckLeftovers(*listing, directory) : listing.status();
}

// How often the directory of somebody who is just finished is met.
constexpr int kClaimAttempts = 10;

// Makes the directory, where it is missing, and takes its lock, which goes with it when it is renamed: nobody else
// makes a ledger there meanwhile.
absl::StatusOr<std::unique_ptr<FileLock>> Claim(FileSystem& file_system, const std::string& directory) {
  absl::StatusOr<std::unique_ptr<FileLock>> lock = nullptr;
  for (int attempt = 0; attempt < kClaimAttempts; ++attempt) {
    if (absl::Status status = CheckLeftovers(file_system, directory); !status.ok()) {
      const auto locked = file_system.IsLocked(LockPath(directory));
      return locked.ok() && *locked ? BeingMade(directory, "") : status;
    }
    const absl::Status made = file_system.CreateDirectory(directory);
    if (absl::IsNotFound(made))
      return UnusableDirectory(absl::StrCat(made.message(), "; make the directory above it first"));
    if (!made.ok()) return made;
    lock = file_system.Lock(LockPath(directory));
    if (!absl::IsNotFound(lock.status())) break;
  }
  if (Is(lock.status(), errors::kLogInUse)) return BeingMade(directory, MetadataOf(lock.status(), "pid"));
  if (!lock.ok()) return lock.status();
  // As it was left by who had the lock before.
  if (absl::Status status = CheckLeftovers(file_system, directory); !status.ok()) return status;
  return lock;
}

// Says of the directory that it is not a ledger yet, before there is anything that looks like one, and removes what an
// interrupted attempt left.
absl::Status MarkUnfinished(FileSystem& file_system, const std::string& directory) {
  const auto file = file_system.Create(UnfinishedPath(directory));
  if (!file.ok()) return file.status();
  if (absl::Status status = file_system.SyncDirectory(directory); !status.ok()) return status;
  return RemoveFiles(file_system, directory);
}

absl::StatusOr<LogPosition> Fill(const NewLedgerOptions& options, const std::string& directory,
                                 absl::FunctionRef<absl::Status(TxnLog& log)> fill) {
  if (absl::Status status = MarkUnfinished(*options.file_system, directory); !status.ok()) return status;
  FileTxnLogOptions log_options;
  log_options.directory = directory;
  log_options.segment_bytes = options.segment_bytes;
  log_options.file_system = options.file_system;
  log_options.unfinished = true;
  // It is the owner of the ledger who says what becomes of history.
  log_options.compaction.retention = Retention::kFull;
  log_options.compaction.min_bytes = std::numeric_limits<uint64_t>::max();
  log_options.compaction.ballast_bytes = 0;
  auto log = OpenFileTxnLog(log_options);
  if (!log.ok()) return log.status();
  if (absl::Status status = fill(**log); !status.ok()) return status;
  if (absl::Status status = (*log)->Close(); !status.ok()) return status;
  return (*log)->position();
}

// Reads the finished ledger as its first start will.
absl::Status Verify(FileSystem& file_system, const std::string& directory, const LogPosition& position) {
  LogScan scan;
  ScanOptions options;
  options.check_transactions = true;
  options.check_all_snapshots = true;
  if (absl::Status status = ScanLog(file_system, directory, options, &scan); !status.ok()) return status;
  for (const DamagedSnapshot& damaged : scan.damaged_snapshots) return damaged.status;
  if (scan.tip.last_revision == position.durable_revision && scan.tip.epoch == position.epoch) return absl::OkStatus();
  return Error(errors::kDamagedLog,
               absl::StrCat(directory, " was written up to revision ", position.durable_revision,
                            " and reads back up to revision ", scan.tip.last_revision, "; look at the disk"));
}

// Gives the finished ledger its name, and the owner and mode of the empty directory that it replaces.
absl::Status Publish(FileSystem& file_system, const std::string& from, const std::string& to, bool replaces) {
  const auto names = replaces ? file_system.List(from) : std::vector<std::string>();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (name == kUnfinishedFileName) continue;
    const std::string path = absl::StrCat(from, "/", name);
    if (absl::Status status = file_system.CopyRights(to, path); !status.ok()) return status;
  }
  if (absl::Status status = file_system.Remove(UnfinishedPath(from)); !status.ok()) return status;
  if (absl::Status status = file_system.SyncDirectory(from); !status.ok()) return status;
  if (replaces) {
    if (absl::Status status = file_system.CopyRights(to, from); !status.ok()) return status;
  }
  if (absl::Status status = file_system.Rename(from, to); !status.ok()) return status;
  return file_system.SyncDirectory(ParentOf(to));
}

// Makes the ledger in `partial`, which is claimed.
absl::StatusOr<LogPosition> Make(const NewLedgerOptions& options, const std::string& partial,
                                 const std::string& directory, absl::FunctionRef<absl::Status(TxnLog& log)> fill) {
  FileSystem& file_system = *options.file_system;
  // Somebody else may have made one just now.
  if (absl::Status status = CheckNewLedgerDirectory(file_system, directory, ""); !status.ok()) return status;
  // Better to say so now.
  const absl::Status replaceable = file_system.CheckReplaceable(directory);
  if (!replaceable.ok() && !absl::IsNotFound(replaceable)) {
    return UnusableDirectory(absl::StrCat(replaceable.message(), "; name a directory inside of it"));
  }
  const auto position = Fill(options, partial, fill);
  absl::Status status = position.status();
  if (status.ok()) status = Verify(file_system, partial, *position);
  if (status.ok()) status = Publish(file_system, partial, directory, replaceable.ok());
  if (status.ok()) return position;
  return status;
}

}  // namespace

absl::Status CheckNewLedgerDirectory(FileSystem& file_system, const std::string& directory, const std::string& source) {
  if (!source.empty()) {
    if (absl::Status status = CheckOutside(directory, source); !status.ok()) return status;
    if (absl::Status status = CheckOutside(PartialPath(directory), source); !status.ok()) return status;
  }
  const auto names = file_system.List(directory);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  if (!names.ok()) return names.status();
  if (names->empty()) return absl::OkStatus();
  return UnusableDirectory(absl::StrCat(directory, " is not empty; name a directory that does not exist or is empty"));
}

absl::StatusOr<LogPosition> CreateLedger(const NewLedgerOptions& options,
                                         absl::FunctionRef<absl::Status(TxnLog& log)> fill) {
  FileSystem& file_system = *options.file_system;
  const std::string directory = WithoutSlashes(options.directory);
  if (absl::Status status = CheckNewLedgerDirectory(file_system, directory, ""); !status.ok()) return status;
  const std::string partial = PartialPath(directory);
  const auto lock = Claim(file_system, partial);
  if (!lock.ok()) return lock.status();
  const auto position = Make(options, partial, directory, fill);
  if (!position.ok()) RemoveLedger(file_system, partial).IgnoreError();  // the next attempt does it
  return position;
}

}  // namespace kvs::txn
