#include "txn_server/log/file/ballast.h"

#include <memory>
#include <utility>

namespace kvs::txn {

Ballast::Ballast(FileSystem& file_system, std::string path, uint64_t bytes)
    : file_system_(file_system), path_(std::move(path)), wanted_bytes_(bytes) {}

void Ballast::Fill() {
  if (known_ && bytes_ == wanted_bytes_) return;
  known_ = true;
  if (wanted_bytes_ == 0) {
    // One of former times may be there.
    file_system_.Remove(path_).IgnoreError();
  } else if (Resize().ok()) {
    bytes_ = wanted_bytes_;
  }
}

absl::Status Ballast::Resize() {
  auto file = file_system_.OpenForWriting(path_);
  if (!file.ok()) file = file_system_.Create(path_);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  bytes_ = *size;
  return *size > wanted_bytes_ ? (*file)->Truncate(wanted_bytes_) : (*file)->Reserve(wanted_bytes_);
}

bool Ballast::Spend(uint64_t bytes) {
  if (bytes_ == 0) return false;
  const uint64_t rest = bytes_ > bytes ? bytes_ - bytes : 0;
  bytes_ = rest;
  const auto file = file_system_.OpenForWriting(path_);
  return file.ok() && (*file)->Truncate(rest).ok();
}

}  // namespace kvs::txn
