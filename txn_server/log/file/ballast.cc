#include "txn_server/log/file/ballast.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/limits.h"

namespace kvs::txn {
namespace {

// Less than this is not worth a request.
constexpr uint64_t kSmallestStep = 4 * kKiB;

}  // namespace

Ballast::Ballast(FileSystem& file_system, std::string path, uint64_t bytes)
    : file_system_(file_system), path_(std::move(path)), wanted_bytes_(bytes) {}

void Ballast::Fill() {
  if (known_ && bytes_ == wanted_bytes_) return;
  known_ = true;
  if (wanted_bytes_ == 0) {
    // One of former times may be there.
    file_system_.Remove(path_).IgnoreError();
  } else {
    Resize();
  }
}

void Ballast::Resize() {
  auto file = file_system_.OpenForWriting(path_);
  if (!file.ok()) file = file_system_.Create(path_);
  if (!file.ok()) return;
  auto size = (*file)->Size();
  if (size.ok() && *size > wanted_bytes_ && (*file)->Truncate(wanted_bytes_).ok()) size = wanted_bytes_;
  if (!size.ok()) return;
  bytes_ = *size;
  if (bytes_ < wanted_bytes_) Grow(**file);
}

// Where there is no room for all of it, for half of that, and so on.
void Ballast::Grow(File& file) {
  uint64_t step = wanted_bytes_ - bytes_;
  while (bytes_ < wanted_bytes_) {
    const uint64_t target = std::min(bytes_ + step, wanted_bytes_);
    if (file.Reserve(target).ok()) {
      bytes_ = target;
    } else {
      step /= 2;
      if (step < kSmallestStep) return;
    }
  }
}

bool Ballast::Spend(uint64_t bytes) {
  if (bytes_ == 0) return false;
  const uint64_t rest = bytes_ > bytes ? bytes_ - bytes : 0;
  bytes_ = rest;
  const auto file = file_system_.OpenForWriting(path_);
  return file.ok() && (*file)->Truncate(rest).ok();
}

}  // namespace kvs::txn
