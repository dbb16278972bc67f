// PatientFile: a file on a disk that does not give all of it.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "txn_server/log/file/format.h"
#include "txn_server/log/file/read_only_file_system.h"

namespace kvs::txn {

// A file of which the sectors that the disk does not give are zero.
class PatientFile : public ReadOnlyFile {
 public:
  explicit PatientFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  absl::StatusOr<uint64_t> Size() override { return file_->Size(); }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* buffer, size_t size) override {
    const auto read = file_->ReadAt(offset, buffer, size);
    if (read.ok()) return *read;
    const auto file_size = file_->Size();
    const uint64_t end = std::min<uint64_t>(offset + size, file_size.ok() ? *file_size : 0);
    size_t done = 0;
    while (offset + done < end) {
      const size_t wanted = static_cast<size_t>(std::min<uint64_t>(kSectorBytes, end - offset - done));
      const auto sector = file_->ReadAt(offset + done, buffer + done, wanted);
      if (!sector.ok() || *sector < wanted) std::fill_n(buffer + done, wanted, '\0');
      done += wanted;
    }
    return done;
  }

 private:
  const std::unique_ptr<File> file_;
};

}  // namespace kvs::txn
