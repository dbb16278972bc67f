#include "txn_server/log/file/log_directory.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "common/errors.h"

namespace kvs::txn {
namespace {

constexpr absl::string_view kSegmentSuffix = ".log";
constexpr absl::string_view kSnapshotSuffix = ".snap";
constexpr absl::string_view kRunInfix = ".run.";
constexpr size_t kZeroChunkBytes = 1 * kMiB;

std::string NumberedName(uint64_t id, absl::string_view suffix) { return absl::StrFormat("%010d%s", id, suffix); }

std::optional<uint64_t> ParseNumberedName(absl::string_view name, absl::string_view suffix) {
  uint64_t id = 0;
  absl::string_view digits = name;
  if (!absl::ConsumeSuffix(&digits, suffix) || !absl::SimpleAtoi(digits, &id)) return std::nullopt;
  if (id == 0 || name != absl::string_view(NumberedName(id, suffix))) return std::nullopt;
  return id;
}

bool IsTemporaryName(absl::string_view name) {
  if (!absl::ConsumeSuffix(&name, kTemporarySuffix)) return false;
  if (name == kClosedMarkFileName) return true;
  const size_t infix = name.find(kRunInfix);
  if (infix == absl::string_view::npos) {
    return ParseNumberedName(name, kSegmentSuffix) || ParseNumberedName(name, kSnapshotSuffix);
  }
  uint64_t run = 0;
  return ParseNumberedName(name.substr(0, infix), "") && absl::SimpleAtoi(name.substr(infix + kRunInfix.size()), &run);
}

absl::Status WriteSegment(File& file, const SegmentHeader& header) {
  if (absl::Status status = file.Reserve(header.segment_bytes); !status.ok()) return status;
  const std::string encoded = EncodeSegmentHeader(header);
  if (absl::Status status = file.WriteAt(0, {encoded}); !status.ok()) return status;
  if (absl::Status status = WriteZeros(file, encoded.size(), header.segment_bytes); !status.ok()) return status;
  return file.Sync();
}

absl::Status SegmentsAreMissing(const std::string& directory, const std::string& left) {
  return Error(
      errors::kDamagedLog,
      absl::StrCat("the segments of the ledger in ", directory, " (*", kSegmentSuffix, ") are missing: ", left,
                   " says that there was one. Nothing was changed. Put them back or restore a backup; to begin "
                   "with an empty ledger, remove ",
                   left),
      {{"file", left}});
}

// Without links, dots and slashes at the end, as far as that can be told.
std::filesystem::path Canonical(const std::string& directory) {
  const std::string path = WithoutSlashes(directory);
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (error) return path;
  const auto canonical = std::filesystem::weakly_canonical(absolute, error);
  return error ? absolute.lexically_normal() : canonical;
}

}  // namespace

std::string SegmentPath(const std::string& directory, uint64_t segment_id) {
  return absl::StrCat(directory, "/", NumberedName(segment_id, kSegmentSuffix));
}

std::string SnapshotPath(const std::string& directory, uint64_t snapshot_id) {
  return absl::StrCat(directory, "/", NumberedName(snapshot_id, kSnapshotSuffix));
}

std::string RunPath(const std::string& directory, uint64_t snapshot_id, size_t n) {
  return absl::StrCat(directory, "/", NumberedName(snapshot_id, kRunInfix), n, kTemporarySuffix);
}

std::string ClosedMarkPath(const std::string& directory) { return absl::StrCat(directory, "/", kClosedMarkFileName); }
std::string BallastPath(const std::string& directory) { return absl::StrCat(directory, "/", kBallastFileName); }

std::string UnfinishedPath(const std::string& directory) { return absl::StrCat(directory, "/", kUnfinishedFileName); }
std::string LockPath(const std::string& directory) { return absl::StrCat(directory, "/", kLockFileName); }

std::string WithoutSlashes(std::string directory) {
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return directory;
}

std::string ParentOf(const std::string& directory) {
  const size_t slash = directory.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : directory.substr(0, slash);
}

absl::Status UnusableDirectory(absl::string_view what) { return Error(errors::kUnusableDirectory, what); }

absl::StatusOr<DirectoryListing> ListDirectory(FileSystem& file_system, const std::string& directory) {
  auto names = file_system.List(directory);
  if (!names.ok()) return names.status();
  DirectoryListing listing;
  for (const std::string& name : *names) {
    if (const auto segment = ParseNumberedName(name, kSegmentSuffix)) {
      listing.segment_ids.push_back(*segment);
    } else if (const auto snapshot = ParseNumberedName(name, kSnapshotSuffix)) {
      listing.snapshot_ids.push_back(*snapshot);
    } else if (IsTemporaryName(name)) {
      listing.temporary_names.push_back(name);
    } else if (name == kClosedMarkFileName) {
      listing.has_closed_mark = true;
    } else if (name == kBallastFileName) {
      listing.has_ballast = true;
    } else if (name == kUnfinishedFileName) {
      listing.is_unfinished = true;
    } else if (name != kLockFileName && name != "lost+found" && !absl::StartsWith(name, ".")) {
      listing.foreign_names.push_back(name);
    }
  }
  std::sort(listing.segment_ids.begin(), listing.segment_ids.end());
  std::sort(listing.snapshot_ids.begin(), listing.snapshot_ids.end());
  std::sort(listing.foreign_names.begin(), listing.foreign_names.end());
  return listing;
}

absl::Status CheckFinished(const DirectoryListing& listing, const std::string& directory) {
  if (!listing.is_unfinished) return absl::OkStatus();
  return UnusableDirectory(
      absl::StrCat(directory,
                   " is what an interrupted copy, restore or salvage left, or one that is still at "
                   "work: it is not all of a ledger. Do that again, or remove ",
                   directory));
}

absl::Status CheckHasSegments(const DirectoryListing& listing, const std::string& directory) {
  if (!listing.segment_ids.empty()) return absl::OkStatus();
  if (listing.snapshot_ids.empty()) {
    if (listing.has_closed_mark) return SegmentsAreMissing(directory, ClosedMarkPath(directory));
    if (listing.has_ballast) return SegmentsAreMissing(directory, BallastPath(directory));
    return absl::OkStatus();
  }
  const std::string newest = SnapshotPath(directory, listing.snapshot_ids.back());
  return Error(errors::kDamagedLog,
               absl::StrCat("the segments of the ledger in ", directory, " (*", kSegmentSuffix,
                            ") are missing, and with them all that came after the snapshots, of which ", newest,
                            " is the newest. Nothing was changed. Put them back or restore a backup; where neither can "
                            "be had, \"kvs log salvage ",
                            directory, " TARGET\" makes a ledger of what is there"),
               {{"file", newest}});
}

absl::Status CheckOutside(const std::string& target, const std::string& source) {
  const auto inner = Canonical(target);
  const auto outer = Canonical(source);
  if (std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first != outer.end()) {
    return absl::OkStatus();
  }
  return UnusableDirectory(
      absl::StrCat(target, inner == outer ? " is " : " is inside of ", source, "; name a directory outside"));
}

absl::Status WriteFile(FileSystem& file_system, const std::string& path, absl::string_view bytes) {
  const std::string temporary = absl::StrCat(path, kTemporarySuffix);
  auto file = file_system.Create(temporary);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->WriteAt(0, {bytes});
  if (status.ok()) status = (*file)->Sync();
  file->reset();
  if (status.ok()) status = file_system.Rename(temporary, path);
  if (!status.ok()) {
    file_system.Remove(temporary).IgnoreError();  // the next attempt writes over it
    return status;
  }
  return file_system.SyncDirectory(ParentOf(path));
}

absl::Status CreateSegment(FileSystem& file_system, const std::string& directory, const SegmentHeader& header) {
  const std::string path = SegmentPath(directory, header.segment_id);
  const std::string temporary = absl::StrCat(path, kTemporarySuffix);
  auto file = file_system.Create(temporary);
  if (!file.ok()) return file.status();
  absl::Status status = WriteSegment(**file, header);
  file->reset();
  if (status.ok()) status = file_system.Rename(temporary, path);
  if (!status.ok()) {
    file_system.Remove(temporary).IgnoreError();  // the next start does it
    return status;
  }
  return file_system.SyncDirectory(directory);
}

absl::Status WriteZeros(File& file, uint64_t offset, uint64_t end) {
  static const std::string& zeros = *new std::string(kZeroChunkBytes, '\0');
  while (offset < end) {
    const auto piece = absl::string_view(zeros).substr(0, std::min<uint64_t>(zeros.size(), end - offset));
    if (absl::Status status = file.WriteAt(offset, {piece}); !status.ok()) return status;
    offset += piece.size();
  }
  return absl::OkStatus();
}

}  // namespace kvs::txn
