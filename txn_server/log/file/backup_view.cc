#include "txn_server/log/file/backup_view.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace kvs::txn {
namespace {

// The beginning of a file.
class PrefixFile : public ReadOnlyFile {
 public:
  PrefixFile(std::unique_ptr<File> file, uint64_t size) : file_(std::move(file)), size_(size) {}

  absl::StatusOr<uint64_t> Size() override { return size_; }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* buffer, size_t size) override {
    if (offset >= size_) return size_t{0};
    return file_->ReadAt(offset, buffer, static_cast<size_t>(std::min<uint64_t>(size, size_ - offset)));
  }

 private:
  const std::unique_ptr<File> file_;
  const uint64_t size_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<File>> BackupView::OpenForReading(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const auto listed = std::find_if(manifest_.files.begin(), manifest_.files.end(),
                                   [&](const BackupFile& file) { return file.name == name; });
  if (listed == manifest_.files.end()) return absl::NotFoundError(absl::StrCat(path, " is not part of the backup"));
  auto file = file_system_.OpenForReading(path);
  if (!file.ok()) return file.status();
  return std::make_unique<PrefixFile>(*std::move(file), listed->bytes);
}

absl::StatusOr<std::vector<std::string>> BackupView::List(const std::string&) {
  std::vector<std::string> names;
  for (const BackupFile& file : manifest_.files) names.push_back(file.name);
  return names;
}

absl::StatusOr<bool> BackupView::IsLocked(const std::string&) { return false; }

}  // namespace kvs::txn
