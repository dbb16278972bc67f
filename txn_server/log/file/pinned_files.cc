#include "txn_server/log/file/pinned_files.h"

#include <algorithm>
#include <utility>

#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

// How often the directory is listed anew because a file was removed before it was opened, which takes no time.
constexpr int kPinAttempts = 100;

class SharedFile : public ReadOnlyFile {
 public:
  explicit SharedFile(std::shared_ptr<File> file) : file_(std::move(file)) {}

  absl::StatusOr<uint64_t> Size() override { return file_->Size(); }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* buffer, size_t size) override {
    return file_->ReadAt(offset, buffer, size);
  }

 private:
  const std::shared_ptr<File> file_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PinnedFiles>> PinnedFiles::Open(FileSystem& file_system, const std::string& directory) {
  absl::Status status;
  for (int attempt = 0; attempt < kPinAttempts; ++attempt) {
    auto pinned = std::unique_ptr<PinnedFiles>(new PinnedFiles(file_system));
    status = pinned->OpenAll(directory);
    if (status.ok()) return pinned;
    if (!absl::IsNotFound(status)) break;
  }
  return status;
}

absl::Status PinnedFiles::OpenAll(const std::string& directory) {
  const auto listing = ListDirectory(file_system_, directory);
  if (!listing.ok()) return listing.status();
  std::vector<std::string> paths;
  for (const uint64_t id : listing->snapshot_ids) paths.push_back(SnapshotPath(directory, id));
  for (const uint64_t id : listing->segment_ids) paths.push_back(SegmentPath(directory, id));
  for (const std::string& path : paths) {
    std::shared_ptr<File>& pinned = files_[path];
    if (files_.size() > kMaxPinnedFiles) continue;
    auto file = file_system_.OpenForReading(path);
    if (!file.ok()) return file.status();
    pinned = *std::move(file);
  }
  // It says how the log is when it is read, not how it was: a start may take it away meanwhile.
  if (listing->has_closed_mark) files_[ClosedMarkPath(directory)] = nullptr;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<File>> PinnedFiles::OpenForReading(const std::string& path) {
  const auto it = files_.find(path);
  if (it == files_.end() || it->second == nullptr) return file_system_.OpenForReading(path);
  return std::make_unique<SharedFile>(it->second);
}

absl::StatusOr<std::vector<std::string>> PinnedFiles::List(const std::string&) {
  std::vector<std::string> names;
  for (const auto& [path, file] : files_) names.push_back(path.substr(path.rfind('/') + 1));
  return names;
}

}  // namespace kvs::txn
